import { ByteCollector } from './byte-collector.js';
import { ChunkReader } from './chunk-reader.js';
import { BadAnswer } from './failures.js';
import { HttpAnswerHead } from './http-answer-head.js';

/** Hears of each whole answer; its body is `bytes[start, end)`, valid during the call. */
export type OnHttpAnswer = (bytes: Buffer, start: number, end: number) => void;

/** What comes next. `chunks`: a body in chunks; `rest`: a body that ends with the connection. */
type Part = 'head' | 'length' | 'chunks' | 'rest';

/**
 * Finds the answers in what one connection brings, wherever it is cut. A body that comes at once is not copied. Throws a `BadAnswer` where
 * the bytes are not HTTP/1, and where more come than one answer at a time.
 */
export class HttpAnswerReader {
  readonly head = new HttpAnswerHead();
  readonly #onAnswer: OnHttpAnswer;
  #part: Part = 'head';
  /** The beginning of a head. */
  readonly #headBytes = new ByteCollector();
  readonly #body = new ByteCollector();
  #chunks: ChunkReader | null = null;

  constructor(onAnswer: OnHttpAnswer) {
    this.#onAnswer = onAnswer;
  }

  /** Nothing of an answer has come. */
  get isBetween(): boolean {
    return this.#part === 'head' && this.#headBytes.length === 0;
  }

  /** For a new connection. */
  reset(): void {
    this.#part = 'head';
    this.#headBytes.reset();
    this.#chunks = null;
  }

  feed(bytes: Buffer, start: number, end: number): void {
    if (this.#part !== 'head') this.#feedBody(bytes, start, end);
    else if (this.#headBytes.length === 0) this.#feedHead(bytes, start, end);
    else {
      this.#headBytes.append(bytes, start, end);
      this.#feedHead(this.#headBytes.bytes, 0, this.#headBytes.length);
    }
  }

  /** The connection ended; an answer whose body ends with it is whole now. */
  finish(): void {
    if (this.#part === 'rest') this.#finishCollected();
  }

  #feedHead(bytes: Buffer, start: number, end: number): void {
    const bodyAt = this.head.read(bytes, start, end);
    if (bodyAt < 0) {
      if (this.#headBytes.length === 0) this.#headBytes.append(bytes, start, end);
      return;
    }
    this.#headBytes.reset();
    if (this.head.status < 200) this.#interim(bytes, bodyAt, end);
    else this.#beginBody(bytes, bodyAt, end);
  }

  /** RFC 9110, 15.2: the answer itself is still to come. 101 was not asked for. */
  #interim(bytes: Buffer, start: number, end: number): void {
    if (this.head.status === 101) throw new BadAnswer('the server switched protocols unasked');
    if (start < end) this.#feedHead(bytes, start, end);
  }

  /** RFC 9112, 6.3: how long the body is. */
  #beginBody(bytes: Buffer, start: number, end: number): void {
    const { head } = this;
    if (!head.hasBody) this.#finish(bytes, start, start, end);
    else if (head.isChunked) this.#beginChunks(bytes, start, end);
    else if (head.contentLength < 0) this.#beginRest(bytes, start, end);
    else if (head.contentLength <= end - start) this.#finish(bytes, start, start + head.contentLength, end);
    else this.#collect('length', head.contentLength, bytes, start, end);
  }

  #beginRest(bytes: Buffer, start: number, end: number): void {
    this.head.keepsConnection = false;
    this.#collect('rest', 0, bytes, start, end);
  }

  #beginChunks(bytes: Buffer, start: number, end: number): void {
    this.#chunks ??= new ChunkReader(this.#body);
    this.#collect('chunks', 0, bytes, start, start);
    this.#feedBody(bytes, start, end);
  }

  #collect(part: Part, expectedBytes: number, bytes: Buffer, start: number, end: number): void {
    this.#part = part;
    this.#body.reset(expectedBytes);
    this.#body.append(bytes, start, end);
  }

  #feedBody(bytes: Buffer, start: number, end: number): void {
    const partEnd = this.#collectBody(bytes, start, end);
    if (partEnd < 0) return;
    refuseMore(partEnd, end);
    this.#finishCollected();
  }

  /** @returns where the body ends; -1 = not here */
  #collectBody(bytes: Buffer, start: number, end: number): number {
    if (this.#part === 'chunks') return this.#chunks!.feed(bytes, start, end);
    if (this.#part === 'length') return this.#feedLength(bytes, start, end);
    this.#body.append(bytes, start, end);
    return -1;
  }

  #feedLength(bytes: Buffer, start: number, end: number): number {
    const partEnd = Math.min(end, start + this.head.contentLength - this.#body.length);
    this.#body.append(bytes, start, partEnd);
    return this.#body.length === this.head.contentLength ? partEnd : -1;
  }

  #finish(bytes: Buffer, start: number, bodyEnd: number, end: number): void {
    refuseMore(bodyEnd, end);
    this.#onAnswer(bytes, start, bodyEnd);
  }

  #finishCollected(): void {
    this.#part = 'head';
    this.#onAnswer(this.#body.bytes, 0, this.#body.length);
  }
}

/** One request is in flight at a time, so nothing can follow its answer. */
function refuseMore(at: number, end: number): void {
  if (at < end) throw new BadAnswer(`${end - at} bytes behind the end of the answer`);
}
