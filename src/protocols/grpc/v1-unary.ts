import type { ParentContext } from '../../telemetry/trace/parent-context.js';
import { grpcContext } from '../call-trace.js';
import { GRPC_UNIMPLEMENTED } from '../status.js';
import type { GrpcCall, GrpcCallOwner } from './engine.js';
import { MessagePieces } from './message-pieces.js';
import type { V1InferEndpoint } from './v1-infer.js';
import type { V1Read } from './v1-infer-reader.js';
import type { V1InferTask, V1TaskOwner } from './v1-infer-task.js';

/** One Infer of V1. */
export class V1Unary implements GrpcCallOwner, V1TaskOwner {
  readonly parentContext: ParentContext | null;
  readonly #endpoint: V1InferEndpoint;
  readonly #call: GrpcCall;
  /** From its message to its answer. */
  #task: V1InferTask | null = null;
  #pieces: MessagePieces<V1Read> | null = null;
  #isAsked = false;

  constructor(endpoint: V1InferEndpoint, call: GrpcCall) {
    this.#endpoint = endpoint;
    this.#call = call;
    this.parentContext = grpcContext(endpoint.tracing, call);
    call.compress = true;
  }

  onMessage(call: GrpcCall, message: Buffer): void {
    if (!this.#refuseSecond(call)) this.#open(message.length).start(message);
  }

  onMessageBegin(call: GrpcCall, length: number): void {
    if (this.#refuseSecond(call)) return;
    const { reader, budget } = this.#endpoint;
    this.#pieces = new MessagePieces(reader, budget);
    this.#pieces.begin(this.#open(length));
  }

  onPiece(_call: GrpcCall, piece: Buffer): void {
    try {
      this.#pieces!.add(piece);
    } catch (error) {
      this.#task!.refusePieces(this.#pieces!, error);
    }
  }

  onMessageEnd(): void {
    this.#task!.startPieces(this.#pieces!);
  }

  onHalfClose(call: GrpcCall): void {
    if (!this.#isAsked) call.end(GRPC_UNIMPLEMENTED, `no request message came for ${call.path}`);
  }

  onCancel(): void {
    this.#drop();
  }

  onDrain(): void {}

  onSettled(task: V1InferTask): void {
    this.#task = null;
    task.reply(this.#call);
  }

  #open(bytes: number): V1InferTask {
    this.#isAsked = true;
    this.#task = this.#endpoint.takeTask();
    this.#task.open(this, bytes);
    return this.#task;
  }

  #refuseSecond(call: GrpcCall): boolean {
    if (!this.#isAsked) return false;
    this.#drop();
    call.end(GRPC_UNIMPLEMENTED, `a second request message came for ${call.path}`);
    return true;
  }

  #drop(): void {
    this.#pieces?.clear();
    this.#task?.drop();
    this.#task = null;
  }
}
