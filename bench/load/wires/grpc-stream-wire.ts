import type { PreparedRequest } from '../encode/prepared-request.js';
import { BadAnswer } from './failures.js';
import { grpcMessageBytes, PREFIX_BYTES } from './grpc-prefix.js';
import { failureOfCall, failureOfReset } from './grpc-status.js';
import type { AnswerFields } from './http2/answer-fields.js';
import { ClientStream } from './http2/client-stream.js';
import { Http2Wire } from './http2-wire.js';
import { SlotIds } from './slot-ids.js';
import { StreamAnswer } from './stream-answer.js';
import { UnitSplitter } from './unit-splitter.js';
import type { Failure, WireTarget, WireUser } from './wire.js';

const ENDED: Failure = { kind: 'connection closed', message: 'the server ended the stream' };

/** One call of ModelStreamInfer for all requests; ids tell whose answers come. */
export class GrpcStreamWire extends Http2Wire implements CallUser {
  protected override readonly path = '/inference.GRPCInferenceService/ModelStreamInfer';
  readonly #call = new StreamCall(this);
  readonly #ids: SlotIds;
  readonly #read = new StreamAnswer();
  /** When the first byte came of a message that is not whole; 0 = there is none. */
  #beganMs = 0;

  constructor(target: WireTarget, user: WireUser) {
    super(target, user);
    this.#ids = new SlotIds(target.slots);
  }

  override onSettings(isFirst: boolean): void {
    if (!isFirst) return;
    this.#call.reset();
    this.#beganMs = 0;
    this.client!.begin(this.#call);
    this.becomeReady();
  }

  /** The call went on until its end, which was told. */
  override onDrained(): void {
    this.fail(ENDED);
  }

  onMessage(bytes: Buffer, start: number, end: number): void {
    const read = this.#read;
    read.read(bytes, start, end);
    const slot = read.id < 0 ? -1 : this.#ids.slotOf(read.id);
    if (slot >= 0 && this.isBusy(slot)) this.#answer(slot, bytes);
    else if (read.id < 0)
      throw new BadAnswer(`an answer without the id of a request: ${read.error || 'it is no error'}`);
  }

  /** Behind what the last bytes of the call brought. */
  onRead(isWithin: boolean): void {
    if (!isWithin) this.#beganMs = 0;
    else if (this.#beganMs === 0) this.#beganMs = this.nowMs;
  }

  onCallEnd(failure: Failure | null): void {
    this.fail(failure ?? ENDED);
  }

  protected override transmit(slot: number, request: PreparedRequest, sequenceId: number): void {
    this.client!.send(this.#call, request, this.#ids.take(slot), sequenceId, false);
  }

  #answer(slot: number, bytes: Buffer): void {
    const { answer } = this;
    const read = this.#read;
    if (read.error !== '') this.setFailure({ kind: 'gRPC stream error', message: read.error });
    else this.#setAnswer(bytes);
    answer.firstByteMs = this.#beganMs === 0 ? this.nowMs : this.#beganMs;
    this.#beganMs = 0;
    this.deliver(slot);
  }

  #setAnswer(bytes: Buffer): void {
    const { answer } = this;
    const { start, end, isFinal, hasOutputs } = this.#read;
    answer.isFinal = !this.target.isDecoupled || isFinal;
    answer.isEmpty = this.target.isDecoupled && isFinal && !hasOutputs;
    answer.failure = null;
    answer.bytes = bytes;
    answer.start = start;
    answer.end = end;
  }
}

/** The owner of the call. */
interface CallUser {
  onMessage(bytes: Buffer, start: number, end: number): void;
  onRead(isWithin: boolean): void;
  /** @param failure null = its status is OK */
  onCallEnd(failure: Failure | null): void;
}

class StreamCall extends ClientStream {
  readonly #user: CallUser;
  readonly #reader = new UnitSplitter(grpcMessageBytes, (bytes, at, end) =>
    this.#user.onMessage(bytes, at + PREFIX_BYTES, end),
  );
  #httpStatus = -1;
  #trailers: AnswerFields | null = null;

  constructor(user: CallUser) {
    super();
    this.#user = user;
  }

  reset(): void {
    this.#reader.reset();
    this.#httpStatus = -1;
    this.#trailers = null;
    this.pieces.length = 0;
    this.sentBytes = 0;
  }

  override onFields(fields: AnswerFields): void {
    if (fields.httpStatus >= 0) this.#httpStatus = fields.httpStatus;
    if (fields.grpcStatus >= 0) this.#trailers = fields;
  }

  override onData(bytes: Buffer, start: number, end: number): void {
    if (this.#httpStatus !== 200) return;
    this.#reader.feed(bytes, start, end);
    this.#user.onRead(this.#reader.isWithin);
  }

  override onEnd(): void {
    this.#user.onCallEnd(failureOfCall(this.#httpStatus, this.#trailers));
  }

  override onReset(code: number): void {
    this.#user.onCallEnd(failureOfReset(code));
  }

  override onRefused(): void {
    this.#user.onCallEnd({ kind: 'gRPC UNAVAILABLE', message: 'the server takes no new calls (GOAWAY)' });
  }
}
