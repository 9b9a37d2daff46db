import type { InferResponse } from '../../core/infer-response.js';
import type { ParentContext } from '../../telemetry/trace/parent-context.js';
import { asServerError, type ServerError } from '../../types/errors.js';
import { grpcTrace } from '../call-trace.js';
import { outputViews } from '../prepared-reply.js';
import type { V1Plan } from '../v1-plan.js';
import { binaryWithId, buildV1Reply, isAlike, prepareV1Reply } from '../v1-reply.js';
import { idText, V1Task } from '../v1-task.js';
import type { GrpcCall, PartsHolder } from './engine.js';
import { type AnswerForm, type BuiltReply, bounded, LARGEST_COPIED_REPLY, sendBuilt } from './infer-reply.js';
import type { StreamedTask } from './infer-stream.js';
import type { MessagePieces } from './message-pieces.js';
import type { V1InferEndpoint } from './v1-infer.js';
import { NOTHING_READ, type V1Read } from './v1-infer-reader.js';
import { WireWriter } from './wire-writer.js';

const META_DATA = 2;
const RAW_OUTPUT = 3;

/** Who has a task until it is sent. */
export interface V1TaskOwner {
  /** For its trace. */
  readonly parentContext: ParentContext | null;
  onSettled(task: V1InferTask): void;
}

/** One inference of V1 over gRPC, from its message to the last byte of its answer. Pooled: nobody has it when all that it sent is taken. */
export class V1InferTask extends V1Task implements StreamedTask<V1Read>, PartsHolder {
  /** What it counts for as long as its owner has it. */
  bytes = 0;
  /** Its answer is here, or why there is none. */
  isSettled = false;
  /** Models that answer any number of times are not asked over V1. */
  readonly isDecoupled = false;
  readonly hasAnswers = false;
  isReady = false;
  /** Errors are answers, and end no stream. */
  readonly modelError = null;
  readonly #endpoint: V1InferEndpoint;
  #owner: V1TaskOwner | null = null;
  /** '' = that is not known. */
  #modelName = '';

  constructor(endpoint: V1InferEndpoint) {
    super(endpoint.v1);
    this.#endpoint = endpoint;
  }

  open(owner: V1TaskOwner, bytes: number): void {
    this.#owner = owner;
    this.isSettled = false;
    this.bytes = bytes;
    const { tracing } = this.#endpoint;
    if (tracing.isOn) this.callTrace = grpcTrace(tracing, owner.parentContext);
  }

  start(message: Buffer): void {
    try {
      this.#read(message);
      this.submit();
    } catch (error) {
      this.refuse(error);
    }
  }

  startPieces(pieces: MessagePieces<V1Read>): void {
    try {
      this.#take(pieces.prepared);
      this.request = pieces.finish();
      if (this.request === null) this.#read(pieces.whole);
      this.submit();
    } catch (error) {
      this.refuse(error);
    } finally {
      pieces.clear();
    }
  }

  refusePieces(pieces: MessagePieces<V1Read>, error: unknown): void {
    this.#take(pieces.prepared);
    pieces.clear();
    this.refuse(error);
  }

  /** The answer as the only message of a call. */
  reply(call: GrpcCall): void {
    this.#send(call, 'unary');
  }

  sendNext(call: GrpcCall): boolean {
    this.#send(call, 'stream');
    return true;
  }

  /** It is not sent any more. */
  drop(): void {
    this.cancelRequest();
    this.#recycle();
  }

  onPartsReleased(): void {
    this.#recycle();
  }

  protected settled(): void {
    this.isSettled = true;
    this.#owner!.onSettled(this);
  }

  protected noteRefusal(error: unknown): void {
    this.#endpoint.refusals.note(this.#modelName, idText(this.particulars), error);
  }

  #read(message: Buffer): void {
    const { reader } = this.#endpoint;
    try {
      reader.read(message);
    } finally {
      this.#take(reader.prepared);
    }
    const request = this.admit(this.plan!, this.particulars);
    reader.copyInputs(message, request.model.arena.bytes, request);
  }

  /** Null = nothing is read yet. */
  #take(read: V1Read | null): void {
    const { modelName, plan, particulars } = read ?? NOTHING_READ;
    this.#modelName = modelName;
    this.plan = plan;
    this.particulars = particulars;
  }

  #send(call: GrpcCall, form: AnswerForm): void {
    if (sendBuilt(call, form, this.#build(), this)) this.#recycle();
  }

  /** An InferResponse. An answer that cannot be told is an error. */
  #build(): BuiltReply {
    this.callTrace?.sending();
    if (this.error === null) {
      try {
        return this.#buildAnswer(this.response!, this.plan!);
      } catch (error) {
        this.releaseResponse();
        this.noteRefusal(error);
        this.error = asServerError(error);
      }
    }
    return bounded([this.#head(this.error, new Uint8Array(0)).view]);
  }

  /** Valid until the response is released, and until the next is built. */
  #buildAnswer(response: InferResponse, plan: V1Plan): BuiltReply {
    let header: Uint8Array;
    let outputs: readonly Uint8Array[];
    if (plan.reply !== null && response.model === plan.model) {
      header = plan.reply.binary;
      outputs = outputViews(response);
    } else {
      const reply = buildV1Reply(response, plan);
      const prepared = prepareV1Reply(reply.header);
      if (isAlike(response, plan)) plan.reply = prepared;
      header = prepared.binary;
      outputs = reply.parts;
    }
    const writer = this.#head(null, header);
    const bytes = outputs.reduce((sum, output) => sum + output.length, 0);
    if (bytes > LARGEST_COPIED_REPLY) return bounded(inParts(Buffer.from(writer.view), outputs));
    for (const output of outputs) writer.bytes(RAW_OUTPUT, output);
    return bounded([writer.view]);
  }

  /** Status and header, in the writer of all tasks. @param header without its id */
  #head(error: ServerError | null, header: Uint8Array): WireWriter {
    const writer = this.#endpoint.beginAnswer(error);
    return writer.bytes(META_DATA, binaryWithId(header, this.particulars.id));
  }

  #recycle(): void {
    this.#owner = null;
    this.clear();
    this.#endpoint.recycle(this);
  }
}

function inParts(head: Uint8Array, outputs: readonly Uint8Array[]): Uint8Array[] {
  const writer = new WireWriter();
  const tag = ({ length }: Uint8Array) => Buffer.from(writer.clear().header(RAW_OUTPUT, length).view);
  return [head, ...outputs.flatMap((output) => [tag(output), output])];
}
