import { ConnectionError } from './errors.js';
import { ErrorCode, PREFACE } from './wire.js';

/** The magic words with which a client begins (3.4), however its chunks are cut. */
export class PrefaceReader {
  #length = 0;

  /** The result is where frames begin in this chunk. Throws at the first octet that is another. */
  skip(chunk: Buffer): number {
    const end = Math.min(chunk.length, PREFACE.length - this.#length);
    for (let at = 0; at < end; at++) {
      if (chunk[at] === PREFACE[this.#length]) this.#length++;
      else throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'expected the HTTP/2 preface, found something else');
    }
    return end;
  }
}
