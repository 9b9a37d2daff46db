/** How long the piece is that begins at `at`; 0 = there is not enough to tell. */
export type PieceSize = (bytes: Buffer, at: number, end: number) => number;

/** `bytes[start, end)` is one piece, valid during the call. */
export type OnPiece = (bytes: Buffer, start: number, end: number) => void;

/** Cuts what comes from a peer, wherever it was cut before, into whole pieces. */
export class PieceSplitter {
  readonly #sizeAt: PieceSize;
  readonly #onPiece: OnPiece;
  #rest: Buffer | null = null;

  constructor(sizeAt: PieceSize, onPiece: OnPiece) {
    this.#sizeAt = sizeAt;
    this.#onPiece = onPiece;
  }

  feed(chunk: Buffer, start: number, end: number): void {
    let [bytes, at, last] = [chunk, start, end];
    if (this.#rest !== null) {
      bytes = Buffer.concat([this.#rest, chunk.subarray(start, end)]);
      [at, last] = [0, bytes.length];
      this.#rest = null;
    }
    while (at < last) {
      const size = this.#sizeAt(bytes, at, last);
      if (size === 0 || at + size > last) break;
      this.#onPiece(bytes, at, at + size);
      at += size;
    }
    if (at < last) this.#rest = Buffer.from(bytes.subarray(at, last));
  }
}
