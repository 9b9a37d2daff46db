import type { ParentContext } from '../../telemetry/trace/parent-context.js';
import { grpcContext } from '../call-trace.js';
import { GRPC_UNIMPLEMENTED } from '../status.js';
import type { GrpcCall } from './engine.js';
import type { V1InferEndpoint } from './v1-infer.js';
import type { V1InferTask, V1TaskOwner } from './v1-infer-task.js';
import { WholeMessages } from './whole-messages.js';

/** One Infer of V1. */
export class V1Unary extends WholeMessages implements V1TaskOwner {
  readonly #endpoint: V1InferEndpoint;
  readonly #call: GrpcCall;
  /** From its message to its answer. */
  #task: V1InferTask | null = null;
  /** For its trace. */
  readonly #context: ParentContext | null;
  #isAsked = false;

  constructor(endpoint: V1InferEndpoint, call: GrpcCall) {
    super(endpoint.budget);
    this.#endpoint = endpoint;
    this.#call = call;
    this.#context = grpcContext(endpoint.v1.server.tracing, call);
    call.compress = true;
  }

  onMessage(call: GrpcCall, message: Buffer): void {
    if (this.#isAsked) {
      this.ended();
      call.end(GRPC_UNIMPLEMENTED, `a second request message came for ${call.path}`);
      return;
    }
    this.#isAsked = true;
    this.#task = this.#endpoint.takeTask();
    this.#task.open(this);
    this.#task.start(message, this.#context);
  }

  onHalfClose(call: GrpcCall): void {
    if (!this.#isAsked) call.end(GRPC_UNIMPLEMENTED, `no request message came for ${call.path}`);
  }

  onSettled(task: V1InferTask): void {
    this.#task = null;
    task.reply(this.#call);
  }

  protected ended(): void {
    const task = this.#task;
    this.#task = null;
    task?.drop();
  }
}
