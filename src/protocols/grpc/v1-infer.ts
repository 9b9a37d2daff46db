import type { Tracing } from '../../telemetry/trace/tracing.js';
import type { ServerError } from '../../types/errors.js';
import type { BodyBudget } from '../body-buffer.js';
import { RefusalLog } from '../refusal-log.js';
import { V1Forms } from '../v1-forms.js';
import { V1Message } from '../v1-messages.js';
import type { V1Server } from '../v1-server.js';
import type { GrpcCall } from './engine.js';
import { InferStream, type StreamHost } from './infer-stream.js';
import { V1InferReader, type V1Read } from './v1-infer-reader.js';
import { V1InferTask } from './v1-infer-task.js';
import { V1Unary } from './v1-unary.js';
import { varintBytes, WireWriter } from './wire-writer.js';

/** Of InferResponse, and of RequestStatus: its last. */
const REQUEST_STATUS = 1;
const REQUEST_ID = 4;

/** Infer and StreamInfer: what all calls share, and the objects they take turns with. */
export class V1InferEndpoint implements StreamHost<V1Read> {
  readonly v1: V1Server;
  readonly budget: BodyBudget;
  readonly tracing: Tracing;
  readonly reader: V1InferReader;
  readonly refusals: RefusalLog;
  #status: V1Message | null = null;
  /** What all that succeed are told, but for their number; empty = nobody was told yet. */
  #success: Uint8Array = new Uint8Array(0);
  readonly #writer = new WireWriter();
  readonly #idle: V1InferTask[] = [];
  readonly #streams = new Set<InferStream<V1Read>>();

  constructor(v1: V1Server, budget: BodyBudget) {
    this.v1 = v1;
    this.budget = budget;
    this.tracing = v1.server.tracing;
    this.reader = new V1InferReader(v1, new V1Forms());
    this.refusals = new RefusalLog(v1.server.log);
  }

  openUnary(call: GrpcCall): void {
    call.owner = new V1Unary(this, call);
  }

  openStream(call: GrpcCall): void {
    this.#streams.add(new InferStream(this, call, null));
  }

  /** Streams answer what they have, and end. */
  drain(): void {
    for (const stream of this.#streams) stream.drain();
  }

  /** An InferResponse with its status, in a writer that belongs to the caller until the next is begun. */
  beginAnswer(failure: ServerError | null): WireWriter {
    const writer = this.#writer.clear();
    this.#status ??= new V1Message('RequestStatus');
    if (failure !== null) return writer.bytes(REQUEST_STATUS, this.#status.binary(this.v1.requestStatus(failure)));
    if (this.#success.length === 0) this.#success = this.#status.binary({ code: 'SUCCESS', server_id: this.v1.id });
    const number = this.v1.nextRequestId();
    return writer
      .beginBytes(REQUEST_STATUS, this.#success.length + 1 + varintBytes(number))
      .append(this.#success)
      .int64(REQUEST_ID, number);
  }

  takeTask(): V1InferTask {
    return this.#idle.pop() ?? new V1InferTask(this);
  }

  recycle(task: V1InferTask): void {
    this.#idle.push(task);
  }

  /** For streams alone. */
  closed(stream: InferStream<V1Read>): void {
    this.#streams.delete(stream);
  }
}
