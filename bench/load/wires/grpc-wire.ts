import { grpcMessageBytes, PREFIX_BYTES } from './grpc-prefix.js';
import { failureOfCall, failureOfReset, grpcFailure } from './grpc-status.js';
import type { AnswerFields } from './http2/answer-fields.js';
import { ClientStream } from './http2/client-stream.js';
import { Http2Wire } from './http2-wire.js';
import { UnitSplitter } from './unit-splitter.js';
import type { Failure, WireTarget, WireUser } from './wire.js';

const NO_BYTES = Buffer.alloc(0);

/** A call of ModelInfer for each request; so many at a time as there are slots, and as the server lets begin. */
export class GrpcWire extends Http2Wire implements CallUser {
  protected override readonly path = '/inference.GRPCInferenceService/ModelInfer';
  /** By slot. */
  readonly #calls: readonly Call[];
  /** Slots whose requests wait until another call is over, or for a new connection. */
  readonly #waiting: number[] = [];
  #ids = 0;
  /** On this connection. */
  #answersHere = 0;

  /** @param firstStreamId odd */
  constructor(target: WireTarget, user: WireUser, firstStreamId = 1) {
    super(target, user);
    this.firstStreamId = firstStreamId;
    this.#calls = Array.from({ length: target.slots }, (_, slot) => new Call(slot, this));
  }

  override onSettings(isFirst: boolean): void {
    if (isFirst) {
      this.#answersHere = 0;
      this.becomeReady();
    } else {
      this.#beginWaiting();
    }
  }

  /** What waits leaves with a new connection, unless the server answers nobody. */
  override onDrained(): void {
    if (this.#answersHere > 0) this.connect();
    else this.fail({ kind: 'connection closed', message: 'the server takes no calls (GOAWAY)' });
  }

  get readMs(): number {
    return this.nowMs;
  }

  onCallEnd(call: Call, failure: Failure | null): void {
    this.#answersHere++;
    if (failure !== null) this.setFailure(failure);
    else this.#setAnswer(call);
    this.answer.firstByteMs = call.firstByteMs;
    this.#beginWaiting();
    this.deliver(call.slot);
  }

  onCallRefused(call: Call): void {
    this.#waiting.push(call.slot);
  }

  protected override transmit(slot: number): void {
    if (this.#waiting.length === 0 && this.client!.hasRoom) this.#begin(slot);
    else this.#waiting.push(slot);
  }

  protected override disconnect(): void {
    super.disconnect();
    this.#waiting.length = 0;
  }

  #beginWaiting(): void {
    while (this.#waiting.length > 0 && this.client!.hasRoom) this.#begin(this.#waiting.shift()!);
  }

  #begin(slot: number): void {
    const call = this.#calls[slot]!;
    call.reset();
    this.client!.begin(call);
    this.client!.send(call, this.requestIn(slot), ++this.#ids, this.sequenceIdIn(slot), true);
  }

  #setAnswer(call: Call): void {
    const { answer } = this;
    answer.failure = null;
    answer.bytes = call.bytes;
    answer.start = call.start;
    answer.end = call.end;
  }
}

/** The owner of a call. */
interface CallUser {
  readonly readMs: number;
  /** @param failure null = it has its message */
  onCallEnd(call: Call, failure: Failure | null): void;
  onCallRefused(call: Call): void;
}

/** The call of a slot; its message is kept until the trailers say whether all is well. */
class Call extends ClientStream {
  readonly slot: number;
  bytes: Buffer = NO_BYTES;
  start = 0;
  end = 0;
  firstByteMs = 0;
  readonly #user: CallUser;
  readonly #reader = new UnitSplitter(grpcMessageBytes, (bytes, at, end) =>
    this.#onMessage(bytes, at + PREFIX_BYTES, end),
  );
  #copy = NO_BYTES;
  #messages = 0;
  #httpStatus = -1;
  #trailers: AnswerFields | null = null;

  constructor(slot: number, user: CallUser) {
    super();
    this.slot = slot;
    this.#user = user;
  }

  reset(): void {
    this.firstByteMs = 0;
    this.#reader.reset();
    this.#messages = 0;
    this.#httpStatus = -1;
    this.#trailers = null;
    this.pieces.length = 0;
    this.sentBytes = 0;
  }

  override onFields(fields: AnswerFields): void {
    if (this.firstByteMs === 0) this.firstByteMs = this.#user.readMs;
    if (fields.httpStatus >= 0) this.#httpStatus = fields.httpStatus;
    if (fields.grpcStatus >= 0) this.#trailers = fields;
  }

  override onData(bytes: Buffer, start: number, end: number): void {
    if (this.#httpStatus === 200) this.#reader.feed(bytes, start, end);
  }

  override onEnd(): void {
    this.#user.onCallEnd(this, failureOfCall(this.#httpStatus, this.#trailers) ?? this.#failureOfMessages());
  }

  override onReset(code: number): void {
    if (this.firstByteMs === 0) this.firstByteMs = this.#user.readMs;
    this.#user.onCallEnd(this, failureOfReset(code));
  }

  override onRefused(): void {
    this.#user.onCallRefused(this);
  }

  #failureOfMessages(): Failure | null {
    if (this.#messages === 1 && !this.#reader.isWithin) return null;
    return grpcFailure('INTERNAL', `expected one message as the answer, found ${this.#messages}`);
  }

  /** Small ones are copied: what is read into is read into again before the trailers come. */
  #onMessage(bytes: Buffer, start: number, end: number): void {
    this.#messages++;
    const isOurs = this.#reader.owns(bytes);
    this.bytes = isOurs ? bytes : this.#copied(bytes, start, end);
    this.start = isOurs ? start : 0;
    this.end = this.start + end - start;
  }

  #copied(bytes: Buffer, start: number, end: number): Buffer {
    if (this.#copy.length < end - start) this.#copy = Buffer.allocUnsafeSlow(2 * (end - start));
    bytes.copy(this.#copy, 0, start, end);
    return this.#copy;
  }
}
