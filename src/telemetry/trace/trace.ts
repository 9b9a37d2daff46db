import type { ParentContext } from './parent-context.js';

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
  readonly parent: Trace | null;
  readonly modelName: string;
  readonly modelVersion: number;
  readonly requestId: string;
  readonly parentContext: ParentContext | null;
  readonly children: Trace[] = [];
  readonly stamps: Stamp[] = [];
  readonly #writer: TraceWriter;

  constructor(
    writer: TraceWriter,
    parent: Trace | null,
    model: { readonly name: string; readonly version: number },
    requestId: string,
    parentContext: ParentContext | null,
  ) {
    this.#writer = writer;
    this.parent = parent;
    this.modelName = model.name;
    this.modelVersion = model.version;
    this.requestId = requestId;
    this.parentContext = parentContext;
  }

  child(modelName: string, modelVersion: number): Trace {
    const child = new Trace(this.#writer, this, { name: modelName, version: modelVersion }, this.requestId, null);
    this.children.push(child);
    return child;
  }

  stamp(activity: Activity, ns: number): void {
    this.stamps.push({ activity, ns });
  }

  /** The whole of the request is written when its first model ends. */
  end(): void {
    if (this.parent === null) this.#writer.write(this);
  }
}
