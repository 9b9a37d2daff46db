import type { InferResponse } from '../../core/infer-response.js';
import type { ParentContext } from '../../telemetry/trace/parent-context.js';
import { asServerError, invalid, type ServerError } from '../../types/errors.js';
import { grpcTrace } from '../call-trace.js';
import { outputViews } from '../prepared-reply.js';
import { V1Message } from '../v1-messages.js';
import type { V1Plan } from '../v1-plan.js';
import { buildV1Reply, isAlike, prepareV1Reply } from '../v1-reply.js';
import { V1Task } from '../v1-task.js';
import type { GrpcCall, PartsHolder } from './engine.js';
import type { V1InferEndpoint } from './v1-infer.js';
import { WireWriter } from './wire-writer.js';

const REQUEST_STATUS = 1;
const META_DATA = 2;
const RAW_OUTPUT = 3;
/** Of InferResponseHeader: its last field. */
const ID = 5;

const LARGEST_COPIED_REPLY = 64 * 1024;
const LARGEST_MESSAGE = 2_147_483_647;

let statusMessage: V1Message | null = null;

/** Who has a task until it is sent. */
export interface V1TaskOwner {
  onSettled(task: V1InferTask): void;
}

/** One inference of V1 over gRPC, from its message to the last byte of its answer. Pooled: nobody has it when all that it sent is taken. */
export class V1InferTask extends V1Task implements PartsHolder {
  /** What it counts for as long as its owner has it. */
  bytes = 0;
  /** Its answer is here, or why there is none. */
  isSettled = false;
  readonly #endpoint: V1InferEndpoint;
  #owner: V1TaskOwner | null = null;

  constructor(endpoint: V1InferEndpoint) {
    super(endpoint.v1);
    this.#endpoint = endpoint;
  }

  open(owner: V1TaskOwner): void {
    this.#owner = owner;
    this.isSettled = false;
  }

  /** Reads a whole message, copies its tensors and queues it. May settle it. */
  start(message: Buffer, context: ParentContext | null): void {
    const { reader } = this.#endpoint;
    this.bytes = message.length;
    const { tracing } = this.v1.server;
    if (tracing.isOn) this.callTrace = grpcTrace(tracing, context);
    try {
      try {
        reader.read(message);
      } finally {
        this.particulars = reader.particulars;
      }
      const request = this.admit(reader.plan, reader.particulars);
      reader.copyInputs(message, request.model.arena.bytes, (nth) => request.inputBegin(nth));
      this.submit();
    } catch (error) {
      this.refuse(error);
    }
  }

  /** The answer as the only message of a call. */
  reply(call: GrpcCall): void {
    const parts = this.#parts();
    if (lengthOf(parts) > LARGEST_COPIED_REPLY) call.replyParts(parts, this);
    else {
      call.reply(Buffer.concat(parts));
      this.#recycle();
    }
  }

  /** The same as one of several. */
  send(call: GrpcCall): void {
    const parts = this.#parts();
    if (lengthOf(parts) > LARGEST_COPIED_REPLY) call.sendParts(parts, this);
    else {
      call.send(Buffer.concat(parts));
      this.#recycle();
    }
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
    this.#endpoint.refusals.note(this.plan?.model.name ?? this.#endpoint.reader.modelName, '', error);
  }

  /** An InferResponse. An answer that cannot be told is an error. */
  #parts(): Uint8Array[] {
    this.callTrace?.sending();
    if (this.error === null) {
      try {
        return this.#answerParts(this.response!, this.plan!);
      } catch (error) {
        this.releaseResponse();
        this.noteRefusal(error);
        this.error = asServerError(error);
      }
    }
    return [this.#head(this.error, new Uint8Array(0))];
  }

  /** Views into the outputs: valid until the response is released. */
  #answerParts(response: InferResponse, plan: V1Plan): Uint8Array[] {
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
    const writer = new WireWriter();
    const tags = outputs.map((bytes) => Buffer.from(writer.clear().header(RAW_OUTPUT, bytes.length).view));
    const parts = [this.#head(null, header), ...outputs.flatMap((bytes, nth) => [tags[nth]!, bytes])];
    const length = lengthOf(parts);
    if (length <= LARGEST_MESSAGE) return parts;
    throw invalid(`the response has ${length} bytes, over the limit of gRPC of ${LARGEST_MESSAGE} bytes`);
  }

  /** Status and header. @param header without its id */
  #head(error: ServerError | null, header: Uint8Array): Uint8Array {
    statusMessage ??= new V1Message('RequestStatus');
    const { id } = this.particulars;
    const withId = new WireWriter();
    if (id !== 0) withId.int64(ID, id);
    const writer = new WireWriter().bytes(REQUEST_STATUS, statusMessage.binary(this.v1.requestStatus(error)));
    return writer.bytes(META_DATA, Buffer.concat([header, withId.view])).view;
  }

  #recycle(): void {
    this.#owner = null;
    this.clear();
    this.#endpoint.recycle(this);
  }
}

function lengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}
