import { Fifo } from '../../base/fifo.js';
import type { AnswerBody } from './answer-body.js';

const chunkEnd = Buffer.from('\r\n');
const lastChunk = Buffer.from('0\r\n\r\n');

/** chunked: in the framing of RFC 9112, 7.1. plain: as it is. none: there is no body, whatever is written. */
export type StreamFraming = 'chunked' | 'plain' | 'none';

/** The body of an answer that is written piece by piece. */
export class StreamedBody implements AnswerBody {
  isWhole = false;
  /** That nobody has taken. */
  bytes = 0;
  readonly #framing: StreamFraming;
  readonly #pieces = new Fifo<Uint8Array>();
  /** Of the first piece, taken already. */
  #offset = 0;

  constructor(framing: StreamFraming) {
    this.#framing = framing;
  }

  get isEmpty(): boolean {
    return this.bytes === 0;
  }

  /** Makes a copy of `bytes`. */
  write(bytes: Uint8Array): void {
    // A chunk without a byte would be the last one.
    if (bytes.length === 0 || this.#framing === 'none') return;
    this.#add(this.#framing === 'chunked' ? chunk(bytes) : Buffer.from(bytes));
  }

  end(): void {
    if (this.#framing === 'chunked') this.#add(lastChunk);
    this.isWhole = true;
  }

  take(maxBytes: number): Uint8Array {
    const piece = this.#pieces.at(0);
    const end = Math.min(piece.length, this.#offset + maxBytes);
    const taken = piece.subarray(this.#offset, end);
    this.bytes -= taken.length;
    this.#offset = end;
    if (end === piece.length) {
      this.#pieces.shift();
      this.#offset = 0;
    }
    return taken;
  }

  #add(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.bytes += piece.length;
  }
}

function chunk(bytes: Uint8Array): Buffer {
  const size = `${bytes.length.toString(16)}\r\n`;
  const piece = Buffer.allocUnsafe(size.length + bytes.length + chunkEnd.length);
  piece.write(size, 'latin1');
  piece.set(bytes, size.length);
  piece.set(chunkEnd, size.length + bytes.length);
  return piece;
}
