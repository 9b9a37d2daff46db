import type { ServedModel } from '../../core/served-model.js';
import type { InferenceServer } from '../../core/server.js';
import type { Tracing } from '../../telemetry/trace/tracing.js';
import { ServerError } from '../../types/errors.js';
import type { BodyBudget } from '../body-buffer.js';
import type { HeaderForward } from '../header-forward.js';
import { RefusalLog } from '../refusal-log.js';
import type { GrpcCall } from './engine.js';
import { InferReader, type PreparedInfer } from './infer-reader.js';
import { InferStream } from './infer-stream.js';
import { StreamTask } from './stream-task.js';
import { UnaryInfer } from './unary-infer.js';

/** ModelInfer and ModelStreamInfer: what all calls share, and the objects they take turns with. */
export class InferEndpoint {
  /** Of streams. */
  readonly reader: InferReader;
  readonly unaryReader: InferReader;
  readonly budget: BodyBudget;
  readonly tracing: Tracing;
  readonly refusals: RefusalLog;
  readonly #unary: UnaryInfer[] = [];
  readonly #tasks: StreamTask[] = [];
  readonly #streams = new Set<InferStream<PreparedInfer>>();
  readonly #forward: HeaderForward | null;

  /** @param forward null = no metadata becomes parameters */
  constructor(server: InferenceServer, budget: BodyBudget, forward: HeaderForward | null = null) {
    this.reader = new InferReader(server);
    this.unaryReader = new InferReader({
      find: (name, version) => answeringOnce(server.find(name, version)),
      regions: server.regions,
    });
    this.budget = budget;
    this.tracing = server.tracing;
    this.refusals = new RefusalLog(server.log);
    this.#forward = forward;
  }

  /** Both throw INVALID_ARGUMENT where metadata cannot be forwarded. */
  openUnary(call: GrpcCall): void {
    const forwarded = this.#forward === null ? null : this.#forward.ofGrpc(call);
    const infer = this.#unary.pop() ?? new UnaryInfer(this);
    infer.open(call, forwarded);
  }

  openStream(call: GrpcCall): void {
    const forwarded = this.#forward === null ? null : this.#forward.ofGrpc(call);
    this.#streams.add(new InferStream(this, call, forwarded));
  }

  /** Streams answer what they have, and end. */
  drain(): void {
    for (const stream of this.#streams) stream.drain();
  }

  takeTask(): StreamTask {
    return this.#tasks.pop() ?? new StreamTask(this);
  }

  recycle(infer: UnaryInfer): void {
    this.#unary.push(infer);
  }

  recycleTask(task: StreamTask): void {
    this.#tasks.push(task);
  }

  /** For streams alone. */
  closed(stream: InferStream<PreparedInfer>): void {
    this.#streams.delete(stream);
  }
}

function answeringOnce(model: ServedModel): ServedModel {
  if (!model.isDecoupled) return model;
  throw new ServerError('UNSUPPORTED', "ModelInfer RPC doesn't support models with decoupled transaction policy");
}
