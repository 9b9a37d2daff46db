import type { ParentContext } from './parent-context.js';
import type { TraceSettings } from './settings.js';

/** Moments of a request, by Triton's names (fact sheet 8.2). */
export type Activity =
  | 'REQUEST_START'
  | 'QUEUE_START'
  | 'COMPUTE_START'
  | 'COMPUTE_INPUT_END'
  | 'COMPUTE_OUTPUT_START'
  | 'COMPUTE_END'
  | 'REQUEST_END'
  | 'INFER_RESPONSE_COMPLETE'
  | 'HTTP_RECV_START'
  | 'HTTP_RECV_END'
  | 'HTTP_SEND_START'
  | 'HTTP_SEND_END'
  | 'GRPC_WAITREAD_START'
  | 'GRPC_WAITREAD_END'
  | 'GRPC_SEND_START'
  | 'GRPC_SEND_END';

/** `ns`: of the machine's monotonic clock. */
export interface Stamp {
  readonly activity: Activity;
  readonly ns: number;
}

/** A tensor of a request, by Triton's names. `data`: its elements with commas between; `shape` likewise. */
export interface TensorRecord {
  readonly activity: 'TENSOR_QUEUE_INPUT' | 'TENSOR_BACKEND_INPUT' | 'TENSOR_BACKEND_OUTPUT';
  readonly tensor: { readonly name: string; readonly data: string; readonly shape: string; readonly dtype: string };
}

/** What traces were sampled by. */
export interface TraceScope {
  readonly settings: TraceSettings;
  /** Traces that it still allows; -1 = no end. */
  readonly left: number;
  /** Of its traces, how many are not over. */
  open: number;
}

/** Takes traces that have ended; never throws. */
export interface TraceWriter {
  write(root: Trace): void;
  /** Resolves when what was written is where it belongs, or cannot get there. */
  flush(): Promise<void> | void;
  close(): Promise<void> | void;
}

let lastId = 0;

/** One execution of a model in a request that is traced; its steps are its children. */
export class Trace {
  readonly id = ++lastId;
  readonly scope: TraceScope;
  readonly parent: Trace | null;
  readonly modelName: string;
  readonly modelVersion: number;
  readonly requestId: string;
  readonly parentContext: ParentContext | null;
  readonly children: Trace[] = [];
  readonly stamps: Stamp[] = [];
  readonly tensors: TensorRecord[] = [];
  /** Level TENSORS. */
  readonly hasTensors: boolean;
  readonly #hasStamps: boolean;
  readonly #writer: TraceWriter;
  readonly #root: Trace;
  /** Of a root: those that have something to add, here or in its children. */
  #holders = 0;

  constructor(
    writer: TraceWriter,
    scope: TraceScope,
    parent: Trace | null,
    model: { readonly name: string; readonly version: number },
    requestId: string,
    parentContext: ParentContext | null,
  ) {
    this.#writer = writer;
    this.scope = scope;
    this.parent = parent;
    this.modelName = model.name;
    this.modelVersion = model.version;
    this.requestId = requestId;
    this.parentContext = parentContext;
    this.hasTensors = scope.settings.levels.includes('TENSORS');
    this.#hasStamps = scope.settings.levels.includes('TIMESTAMPS');
    this.#root = parent === null ? this : parent.#root;
    if (parent === null) scope.open++;
    this.hold();
  }

  /** To be ended for itself. @param requestId '' = it has none of its own */
  child(modelName: string, modelVersion: number, requestId = ''): Trace {
    const model = { name: modelName, version: modelVersion };
    const child = new Trace(this.#writer, this.scope, this, model, requestId || this.requestId, null);
    this.children.push(child);
    return child;
  }

  /** All of its request have ended: nothing can be added. */
  get isWritten(): boolean {
    return this.#root.#holders === 0;
  }

  stamp(activity: Activity, ns: number): void {
    if (this.#hasStamps) this.stamps.push({ activity, ns });
  }

  /** Somebody else writes in it, too: one more `end` is to come. */
  hold(): this {
    this.#root.#holders++;
    return this;
  }

  /** The whole of the request is written with the last `end` of it and its children. */
  end(): void {
    const root = this.#root;
    if (--root.#holders > 0) return;
    this.scope.open--;
    this.#writer.write(root);
  }
}
