import type { PreparedRequest } from '../encode/prepared-request.js';
import { BadAnswer, errorText } from './failures.js';
import { HttpAnswerReader } from './http-answer-reader.js';
import { SocketWire } from './socket-wire.js';
import { hasPlaces, stampedPieces } from './stamp.js';
import type { Failure, WireTarget, WireUser } from './wire.js';

/** The only slot. */
const SLOT = 0;

/** One request at a time on a connection of HTTP/1.1; where the server ends it behind an answer, the next one is opened at once. */
export class HttpWire extends SocketWire {
  readonly #reader = new HttpAnswerReader((bytes, start, end) => this.#onAnswer(bytes, start, end));
  #ids = 0;

  constructor(target: WireTarget, user: WireUser) {
    super({ ...target, slots: 1 }, user);
  }

  override onOpen(): void {
    this.#reader.reset();
    this.becomeReady();
  }

  override onGone(failure: Failure): void {
    const gone = this.link;
    if (failure.kind === 'connection closed') this.#reader.finish();
    // Else the answer was whole with the end of its connection, and there is a new one.
    if (this.link === gone) super.onGone(failure);
  }

  protected override transmit(_slot: number, request: PreparedRequest, sequenceId: number): void {
    if (!hasPlaces(request)) this.link!.write(request.bytes);
    else for (const piece of stampedPieces(request, ++this.#ids, sequenceId)) this.link!.write(piece);
  }

  protected override receive(bytes: Buffer, start: number, end: number): void {
    if (!this.isBusy(SLOT))
      throw new BadAnswer(`bytes that no request asked for: '${bytes.toString('latin1', start, end)}'`);
    if (this.#reader.isBetween) this.answer.firstByteMs = performance.now();
    this.#reader.feed(bytes, start, end);
  }

  #onAnswer(bytes: Buffer, start: number, end: number): void {
    const { head } = this.#reader;
    if (!head.keepsConnection) this.connect();
    if (head.status >= 200 && head.status < 300) this.#setAnswer(bytes, start, end);
    else this.setFailure({ kind: `HTTP ${head.status}`, message: errorText(bytes.toString('utf8', start, end)) });
    this.deliver(SLOT);
  }

  #setAnswer(bytes: Buffer, start: number, end: number): void {
    const { answer } = this;
    answer.failure = null;
    answer.bytes = bytes;
    answer.start = start;
    answer.end = end;
    answer.jsonBytes = this.#reader.head.jsonBytes;
  }
}
