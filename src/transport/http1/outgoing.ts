import type { Slab } from './slab.js';

const nothing = Buffer.alloc(0);

/** Of a socket. What is written between `cork` and `uncork` goes to the kernel in one call. */
export interface ByteSink {
  /** Bytes that the kernel has not taken. */
  readonly writableLength: number;
  write(bytes: Uint8Array): boolean;
  cork(): void;
  uncork(): void;
}

/** Bytes of one connection that are to be written, in order. Those of the slab that lie one behind the other are written as one. */
export class Outgoing {
  readonly #slab: Slab;
  #pieces: Uint8Array[] = [];
  #pieceBytes = 0;
  /** The last piece, where it may still grow. */
  #block: Buffer = nothing;
  #start = 0;
  #end = 0;

  constructor(slab: Slab) {
    this.#slab = slab;
  }

  get bytes(): number {
    return this.#pieceBytes + this.#end - this.#start;
  }

  /** Bytes of the slab's block. */
  addTaken(start: number, end: number): void {
    const { block } = this.#slab;
    if (block === this.#block && start === this.#end && this.#end > this.#start) {
      this.#end = end;
      return;
    }
    this.#closePiece();
    this.#block = block;
    this.#start = start;
    this.#end = end;
  }

  /** Not copied: it must not change before it is written. */
  addView(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#closePiece();
    this.#pieces.push(bytes);
    this.#pieceBytes += bytes.length;
  }

  /** Hands all of it over. */
  writeTo(sink: ByteSink): void {
    if (this.#pieces.length === 0) {
      this.#writeTaken(sink);
      return;
    }
    this.#closePiece();
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#pieceBytes = 0;
    sink.cork();
    for (const piece of pieces) sink.write(piece);
    sink.uncork();
  }

  /** The usual case: everything lies in one place, and the kernel takes it at once. */
  #writeTaken(sink: ByteSink): void {
    const block = this.#block;
    const start = this.#start;
    const end = this.#end;
    this.#letGo();
    const wasEmpty = sink.writableLength === 0;
    sink.write(block.subarray(start, end));
    if (wasEmpty && sink.writableLength === 0) this.#slab.giveBack(block, start, end);
  }

  #closePiece(): void {
    if (this.#end === this.#start) return;
    this.#pieces.push(this.#block.subarray(this.#start, this.#end));
    this.#pieceBytes += this.#end - this.#start;
    this.#letGo();
  }

  /** An idle connection must not keep a block alive. */
  #letGo(): void {
    this.#block = nothing;
    this.#start = 0;
    this.#end = 0;
  }
}
