import type { Tracing } from '../../telemetry/trace/tracing.js';
import type { BodyBudget } from '../body-buffer.js';
import { RefusalLog } from '../refusal-log.js';
import { V1Forms } from '../v1-forms.js';
import type { V1Server } from '../v1-server.js';
import type { GrpcCall } from './engine.js';
import { InferStream, type StreamHost } from './infer-stream.js';
import { V1InferReader, type V1Read } from './v1-infer-reader.js';
import { V1InferTask } from './v1-infer-task.js';
import { V1Unary } from './v1-unary.js';

/** Infer and StreamInfer: what all calls share, and the objects they take turns with. */
export class V1InferEndpoint implements StreamHost<V1Read> {
  readonly v1: V1Server;
  readonly budget: BodyBudget;
  readonly tracing: Tracing;
  readonly reader: V1InferReader;
  readonly refusals: RefusalLog;
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
