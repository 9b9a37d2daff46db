import { Fifo } from '../../base/fifo.js';
import type { ParentContext } from '../../telemetry/trace/parent-context.js';
import { grpcContext } from '../call-trace.js';
import { GRPC_OK, GRPC_UNAVAILABLE } from '../status.js';
import type { GrpcCall } from './engine.js';
import { SHUTTING_DOWN } from './infer-stream.js';
import type { V1InferEndpoint } from './v1-infer.js';
import type { V1InferTask, V1TaskOwner } from './v1-infer-task.js';
import { WholeMessages } from './whole-messages.js';

/** Requests of one stream that are not answered yet, and bytes of their messages: beyond either the client is slowed down. */
const REQUESTS_MAX = 1024;
const REQUEST_BYTES_MAX = 32 * 1024 * 1024;

/** open. draining: takes nothing new, answers what it has, ends. over. */
type StreamState = 'open' | 'draining' | 'over';

/** One StreamInfer of V1: requests in, answers and errors out in the same order (v1 fact sheet 2.6). */
export class V1Stream extends WholeMessages implements V1TaskOwner {
  readonly #endpoint: V1InferEndpoint;
  readonly #call: GrpcCall;
  readonly #tasks = new Fifo<V1InferTask>();
  /** For the traces of all its requests. */
  readonly #context: ParentContext | null;
  #state: StreamState = 'open';
  #isHalfClosed = false;
  #isPaused = false;
  #isPumping = false;
  #bytes = 0;

  constructor(endpoint: V1InferEndpoint, call: GrpcCall) {
    super(endpoint.budget);
    this.#endpoint = endpoint;
    this.#call = call;
    this.#context = grpcContext(endpoint.v1.server.tracing, call);
    call.compress = true;
  }

  /** The server goes down. */
  drain(): void {
    if (this.#state !== 'open') return;
    this.#state = 'draining';
    this.#pump();
  }

  onMessage(_call: GrpcCall, message: Buffer): void {
    const task = this.#endpoint.takeTask();
    task.open(this);
    this.#tasks.push(task);
    this.#bytes += message.length;
    task.start(message, this.#context);
    this.#pace();
  }

  onHalfClose(): void {
    this.#isHalfClosed = true;
    this.#pump();
  }

  override onDrain(): void {
    this.#pump();
  }

  onSettled(): void {
    this.#pump();
  }

  protected ended(): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#endpoint.closed(this);
    while (this.#tasks.length > 0) this.#tasks.shift().drop();
  }

  /** Sends what there is for as long as the client takes it. */
  #pump(): void {
    // Sending may release parts, whose model may answer at once, and an engine may say at once that it is writable.
    if (this.#isPumping || this.#state === 'over') return;
    this.#isPumping = true;
    while (this.#call.isWritable && this.#tasks.length > 0 && this.#tasks.at(0).isSettled) {
      const task = this.#tasks.shift();
      this.#bytes -= task.bytes;
      task.send(this.#call);
    }
    this.#isPumping = false;
    this.#pace();
    this.#endIfDone();
  }

  #pace(): void {
    if (this.#state === 'over') return;
    const isFull = this.#tasks.length >= REQUESTS_MAX || this.#bytes > REQUEST_BYTES_MAX || !this.#call.isWritable;
    const mustPause = isFull || this.#state === 'draining';
    if (mustPause === this.#isPaused) return;
    this.#isPaused = mustPause;
    if (mustPause) this.#call.pause();
    else this.#call.resume();
  }

  #endIfDone(): void {
    if (this.#state === 'over' || this.#tasks.length > 0) return;
    if (!this.#isHalfClosed && this.#state === 'open') return;
    this.ended();
    if (this.#isHalfClosed) this.#call.end(GRPC_OK, '');
    else this.#call.end(GRPC_UNAVAILABLE, SHUTTING_DOWN);
  }
}
