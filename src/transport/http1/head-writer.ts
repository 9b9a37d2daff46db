import { HeadTexts } from './answer-head.js';

/** What is said of the connection (RFC 9112, 9.3): nothing, that it closes, or to HTTP/1.0 that it does not. */
export type Persistence = 'implied' | 'close' | 'keep-alive';

const lineEnds: Readonly<Record<Persistence, Buffer>> = {
  implied: Buffer.from('\r\n\r\n'),
  close: Buffer.from('\r\nConnection: close\r\n\r\n'),
  'keep-alive': Buffer.from('\r\nConnection: keep-alive\r\n\r\n'),
};

/** Instead of the bytes of the body: it comes in chunks (RFC 9112, 7.1), or ends with the connection, as HTTP/1.0 knows it (RFC 9112, 6.3). */
export const CHUNKED = -1;
export const UNTIL_CLOSE = -2;

const LENGTH = '\r\nContent-Length: ';
const CODING = '\r\nTransfer-Encoding: chunked';

/** Some answers have neither body nor length (RFC 9110, 8.6). */
export function hasBody(status: number): boolean {
  return status >= 200 && status !== 204 && status !== 304;
}

/**
 * Heads of answers as bytes, one after another: `prepare`, then `write`. The text before the length repeats from answer to answer
 * within a second (`Date`, RFC 9110, 6.6.1), and so do its bytes.
 */
export class HeadWriter {
  /** Of the head that was prepared. */
  bytes = 0;
  /** For `Date`; whoever owns the writer sets it about once a second. */
  date = '';

  readonly #texts = new HeadTexts();
  #text = '';
  #textDate = '';
  #framing = '';
  #start: Buffer = Buffer.alloc(0);
  #length = '';
  #end: Buffer = lineEnds.implied;

  /** Throws where a header is none. @param bodyBytes for Content-Length, or CHUNKED or UNTIL_CLOSE */
  prepare(status: number, headers: readonly string[], bodyBytes: number, persistence: Persistence): void {
    const text = this.#texts.textOf(status, headers);
    const framing = hasBody(status) ? framingOf(bodyBytes) : '';
    const isSame = text === this.#text && framing === this.#framing && this.date === this.#textDate;
    if (!isSame) this.#restart(text, framing);
    this.#length = framing === LENGTH ? String(bodyBytes) : '';
    this.#end = lineEnds[persistence];
    this.bytes = this.#start.length + this.#length.length + this.#end.length;
  }

  write(to: Buffer, at: number): void {
    to.set(this.#start, at);
    const lengthAt = at + this.#start.length;
    for (let index = 0; index < this.#length.length; index++) to[lengthAt + index] = this.#length.charCodeAt(index);
    to.set(this.#end, lengthAt + this.#length.length);
  }

  #restart(text: string, framing: string): void {
    this.#text = text;
    this.#framing = framing;
    this.#textDate = this.date;
    // Not as Latin-1, which would make a line end of U+010D U+010A.
    this.#start = Buffer.from(`HTTP/1.1 ${text}\r\nDate: ${this.date}${framing}`, 'utf8');
  }
}

function framingOf(bodyBytes: number): string {
  if (bodyBytes >= 0) return LENGTH;
  return bodyBytes === CHUNKED ? CODING : '';
}
