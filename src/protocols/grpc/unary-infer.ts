import { asServerError } from '../../types/errors.js';
import { grpcContext, grpcTrace } from '../call-trace.js';
import type { ForwardedHeaders } from '../header-forward.js';
import { GRPC_UNIMPLEMENTED, grpcStatus } from '../status.js';
import type { GrpcCall, GrpcCallOwner } from './engine.js';
import type { InferEndpoint } from './infer-endpoint.js';
import type { PreparedInfer } from './infer-reader.js';
import { sendAnswer } from './infer-reply.js';
import { InferTask } from './infer-task.js';
import { MessagePieces } from './message-pieces.js';

/** message: it is to come. working: it is queued or runs. over: the answer is sent, or views of it are on their way. */
type UnaryState = 'message' | 'working' | 'over';

/** The ModelInfer of one call at a time. Pooled: an engine says nothing of a call that is over. */
export class UnaryInfer extends InferTask implements GrpcCallOwner {
  readonly #endpoint: InferEndpoint;
  #call: GrpcCall | null = null;
  #state: UnaryState = 'over';
  #pieces: MessagePieces<PreparedInfer> | null = null;

  constructor(endpoint: InferEndpoint) {
    super(endpoint.refusals, endpoint.unaryReader);
    this.#endpoint = endpoint;
  }

  open(call: GrpcCall, forwarded: ForwardedHeaders | null): void {
    this.#call = call;
    this.forwarded = forwarded;
    this.#state = 'message';
    call.owner = this;
    call.compress = true;
    const { tracing } = this.#endpoint;
    if (tracing.isOn) this.callTrace = grpcTrace(tracing, grpcContext(tracing, call));
  }

  onMessage(call: GrpcCall, message: Buffer): void {
    if (this.#refuseSecond(call)) return;
    this.#state = 'working';
    this.start(message);
  }

  onMessageBegin(call: GrpcCall): void {
    if (this.#refuseSecond(call)) return;
    this.#pieces ??= new MessagePieces(this.#endpoint.unaryReader, this.#endpoint.budget);
    this.#pieces.begin(this, this.forwarded);
  }

  onPiece(_call: GrpcCall, piece: Buffer): void {
    try {
      this.#pieces!.add(piece);
    } catch (error) {
      this.refusePieces(this.#pieces!, error);
    }
  }

  onMessageEnd(): void {
    this.#state = 'working';
    this.startPieces(this.#pieces!);
  }

  onHalfClose(call: GrpcCall): void {
    if (this.#state === 'message') this.#end(call, GRPC_UNIMPLEMENTED, `no request message came for ${call.path}`);
  }

  onCancel(): void {
    this.cancelRequest();
    this.#recycle();
  }

  onDrain(): void {}

  onPartsReleased(): void {
    this.#recycle();
  }

  protected settled(): void {
    const call = this.#call!;
    this.callTrace?.sending();
    if (this.error === null) this.#reply(call);
    if (this.error !== null) this.#end(call, grpcStatus[this.error.code], this.error.message);
  }

  #reply(call: GrpcCall): void {
    this.#state = 'over';
    try {
      if (sendAnswer(call, 'unary', this.prepared!, this.response!, this.id, this)) this.#recycle();
    } catch (error) {
      this.noteRefusal(error);
      this.error = asServerError(error);
    }
  }

  /** A call of this kind has one message. */
  #refuseSecond(call: GrpcCall): boolean {
    if (this.#state === 'message') return false;
    this.#end(call, GRPC_UNIMPLEMENTED, `a second request message came for ${call.path}`);
    return true;
  }

  #end(call: GrpcCall, status: number, message: string): void {
    this.cancelRequest();
    this.#recycle();
    call.end(status, message);
  }

  #recycle(): void {
    this.#state = 'over';
    this.#call = null;
    this.#pieces?.clear();
    this.clear();
    this.#endpoint.recycle(this);
  }
}
