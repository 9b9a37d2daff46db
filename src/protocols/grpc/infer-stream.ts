import { Fifo } from '../../base/fifo.js';
import type { Responder } from '../../core/infer-response.js';
import type { ParentContext } from '../../telemetry/trace/parent-context.js';
import type { Tracing } from '../../telemetry/trace/tracing.js';
import type { ServerError } from '../../types/errors.js';
import type { BodyBudget } from '../body-buffer.js';
import { grpcContext } from '../call-trace.js';
import type { ForwardedHeaders } from '../header-forward.js';
import { GRPC_OK, GRPC_UNAVAILABLE, grpcStatus } from '../status.js';
import type { GrpcCall, GrpcCallOwner } from './engine.js';
import { type HeadReader, MessagePieces } from './message-pieces.js';

/** Requests of one stream that are not answered yet, and bytes of their messages: beyond either the client is slowed down. */
const REQUESTS_MAX = 1024;
const REQUEST_BYTES_MAX = 32 * 1024 * 1024;

export const SHUTTING_DOWN = 'GRPC server is shutting down and has stopped accepting new requests.';

const NOT_READING = 'the client took no answer for too long (--response-timeout-secs)';

/** open. draining: takes nothing new, answers what it has, ends. over. */
type StreamState = 'open' | 'draining' | 'over';

/** What a stream needs of the endpoint that owns it. */
export interface StreamHost<Prepared> {
  readonly reader: HeadReader<Prepared>;
  readonly budget: BodyBudget;
  readonly tracing: Tracing;
  takeTask(): StreamedTask<Prepared>;
  closed(stream: InferStream<Prepared>): void;
}

/** One request of a stream, and its answers. */
export interface StreamedTask<Prepared> extends Responder {
  /** What it counts for as long as the stream has it. */
  readonly bytes: number;
  /** Its answers wait for nobody else's. */
  readonly isDecoupled: boolean;
  /** The stream has it among those that have something to send. */
  isReady: boolean;
  /** All its answers are here, or why there are no more. */
  readonly isSettled: boolean;
  readonly hasAnswers: boolean;
  /** The error that its model answered, where it is the next to be sent. */
  readonly modelError: ServerError | null;
  open(stream: InferStream<Prepared>, bytes: number): void;
  /** Reads a whole message, copies its tensors and queues it. */
  start(message: Buffer): void;
  /** As `start`, for a message that came in pieces. */
  startPieces(pieces: MessagePieces<Prepared>): void;
  /** For one that was refused while it came in pieces. */
  refusePieces(pieces: MessagePieces<Prepared>, error: unknown): void;
  /** Sends the next answer or the error. True = it was the last: the task is let go. */
  sendNext(call: GrpcCall): boolean;
  /** It is not sent any more. */
  drop(): void;
}

/**
 * One ModelStreamInfer, or StreamInfer of V1: requests in, answers out in the same order (fact sheet 3.6), errors among them; those of decoupled models as they
 * come. It reads ahead as far as its bounds allow, and not at all while the client does not read; what is not sent is not released, which
 * holds decoupled models up.
 */
export class InferStream<Prepared> implements GrpcCallOwner {
  /** Parameters of all its requests; null = none. */
  readonly forwarded: ForwardedHeaders | null;
  readonly #endpoint: StreamHost<Prepared>;
  readonly #call: GrpcCall;
  /** For the traces of all its requests. */
  readonly parentContext: ParentContext | null;
  /** `triton_grpc_error: true`: the first error of a model ends the call with its status. */
  readonly #endsOnError: boolean;
  /** Those that are answered in their order. */
  readonly #tasks = new Fifo<StreamedTask<Prepared>>();
  /** Those of decoupled models, and which of them have something to send. */
  readonly #decoupled = new Set<StreamedTask<Prepared>>();
  readonly #ready = new Fifo<StreamedTask<Prepared>>();
  #state: StreamState = 'open';
  #isHalfClosed = false;
  #isPaused = false;
  #isPumping = false;
  /** Of the messages whose tasks it has. */
  #bytes = 0;
  /** The message that comes in pieces, and the task it is for; null = none does. */
  #pieces: MessagePieces<Prepared> | null = null;
  #incoming: StreamedTask<Prepared> | null = null;
  #failure: unknown = null;

  constructor(endpoint: StreamHost<Prepared>, call: GrpcCall, forwarded: ForwardedHeaders | null) {
    this.forwarded = forwarded;
    this.#endpoint = endpoint;
    this.#call = call;
    this.#endsOnError = call.metadata('triton_grpc_error') === 'true';
    this.parentContext = grpcContext(endpoint.tracing, call);
    call.owner = this;
    call.compress = true;
  }

  /** The server goes down. */
  drain(): void {
    if (this.#state !== 'open') return;
    this.#state = 'draining';
    this.#pump();
  }

  onMessage(_call: GrpcCall, message: Buffer): void {
    const task = this.#open(message.length);
    this.#tasks.push(task);
    task.start(message);
    this.#pace();
  }

  onMessageBegin(_call: GrpcCall, length: number): void {
    this.#pieces ??= new MessagePieces(this.#endpoint.reader, this.#endpoint.budget);
    this.#failure = null;
    this.#incoming = this.#open(length);
    this.#pieces.begin(this.#incoming, this.forwarded);
  }

  /** The rest of a message that was refused is dropped. */
  onPiece(_call: GrpcCall, piece: Buffer): void {
    if (this.#failure !== null) return;
    try {
      this.#pieces!.add(piece);
    } catch (error) {
      this.#failure = error;
    }
  }

  onMessageEnd(): void {
    const task = this.#incoming!;
    const pieces = this.#pieces!;
    this.#incoming = null;
    this.#tasks.push(task);
    if (this.#failure === null) task.startPieces(pieces);
    else task.refusePieces(pieces, this.#failure);
    this.#pace();
  }

  onHalfClose(): void {
    this.#isHalfClosed = true;
    this.#pump();
  }

  onCancel(): void {
    this.#finish();
  }

  onDrain(): void {
    this.#pump();
  }

  /** For tasks alone, as those below: one of them has all its answers, or an error. */
  onSettled(task: StreamedTask<Prepared>): void {
    if (task.isDecoupled) this.onAnswer(task);
    else this.#pump();
  }

  /** Its answers come as they are produced. */
  onDecoupled(task: StreamedTask<Prepared>): void {
    // Nothing came after it.
    this.#tasks.removeAt(this.#tasks.length - 1);
    this.#decoupled.add(task);
  }

  onAnswer(task: StreamedTask<Prepared>): void {
    if (task.isReady) return;
    task.isReady = true;
    this.#ready.push(task);
    this.#pump();
  }

  /** Answers wait for too long: true = for a client that does not read, which is cut off. */
  onStalled(): boolean {
    if (this.#state !== 'over' && this.#call.isWritable) return false;
    this.#finish();
    this.#call.cut(GRPC_UNAVAILABLE, NOT_READING);
    return true;
  }

  #open(bytes: number): StreamedTask<Prepared> {
    const task = this.#endpoint.takeTask();
    task.open(this, bytes);
    this.#bytes += bytes;
    return task;
  }

  /** Sends what there is for as long as the client takes it, by turns from the tasks in order and from each of the others. */
  #pump(): void {
    // Sending may release parts, whose model may answer at once, and an engine may say at once that it is writable.
    if (this.#isPumping || this.#state === 'over') return;
    this.#isPumping = true;
    while (this.#call.isWritable && (this.#sendInOrder() || this.#sendReady())) this.#sendReady();
    this.#isPumping = false;
    this.#pace();
    this.#endIfDone();
  }

  /** False = there is nothing to be sent. */
  #sendInOrder(): boolean {
    if (this.#tasks.length === 0 || !this.#tasks.at(0).isSettled) return false;
    const task = this.#tasks.at(0);
    if (!this.#endsWith(task)) {
      this.#tasks.shift();
      this.#send(task);
    }
    return true;
  }

  #sendReady(): boolean {
    if (this.#ready.length === 0 || !this.#call.isWritable) return false;
    const task = this.#ready.shift();
    task.isReady = false;
    if (this.#endsWith(task)) return true;
    if (this.#send(task)) this.#decoupled.delete(task);
    else if (task.hasAnswers || task.isSettled) this.onAnswer(task);
    return true;
  }

  /** True = the error that comes next ends the call. */
  #endsWith(task: StreamedTask<Prepared>): boolean {
    const error = task.modelError;
    if (!this.#endsOnError || error === null) return false;
    this.#finish();
    this.#call.end(grpcStatus[error.code], error.message);
    return true;
  }

  /** True = it is done. */
  #send(task: StreamedTask<Prepared>): boolean {
    const { bytes } = task;
    if (!task.sendNext(this.#call)) return false;
    this.#bytes -= bytes;
    return true;
  }

  #pace(): void {
    if (this.#state === 'over') return;
    const count = this.#tasks.length + this.#decoupled.size;
    const isFull = count >= REQUESTS_MAX || this.#bytes > REQUEST_BYTES_MAX || !this.#call.isWritable;
    const mustPause = isFull || this.#state === 'draining';
    if (mustPause === this.#isPaused) return;
    this.#isPaused = mustPause;
    if (mustPause) this.#call.pause();
    else this.#call.resume();
  }

  #endIfDone(): void {
    if (this.#state === 'over') return;
    if (this.#tasks.length > 0 || this.#decoupled.size > 0 || this.#incoming !== null) return;
    if (!this.#isHalfClosed && this.#state === 'open') return;
    const isDone = this.#isHalfClosed;
    this.#finish();
    this.#call.end(isDone ? GRPC_OK : GRPC_UNAVAILABLE, isDone ? '' : SHUTTING_DOWN);
  }

  #finish(): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#endpoint.closed(this);
    this.#pieces?.clear();
    this.#incoming?.drop();
    this.#incoming = null;
    while (this.#tasks.length > 0) this.#tasks.shift().drop();
    for (const task of this.#decoupled) task.drop();
    this.#decoupled.clear();
    while (this.#ready.length > 0) this.#ready.shift();
  }
}
