import { Fifo } from '../../base/fifo.js';
import { ServerError } from '../../types/errors.js';
import type { MessageSocket, SocketOwner } from '../web-socket.js';
import type { ModelChoice } from './model-choice.js';

/** Codes of a close (RFC 6455, 7.4.1, and the registry of IANA). */
export const GOING_AWAY = 1001;
const TRY_AGAIN_LATER = 1013;

/** Where a client cannot be slowed down it is told 429, until as many answers again wait for it to read. */
const WAITING_ANSWERS_FACTOR = 2;

/** How long a client may do nothing while it is closed. The engines have a time of their own for its word, which should end sooner. */
const CLOSE_MS = 5000;

/** One request, as its session sees it. */
export interface Task {
  /** Among the tasks of its session; that one's alone. */
  place: number;
  /** '' = none. */
  readonly requestId: string;
  /** An answer, or an error, waits to be sent. */
  readonly isReady: boolean;
  /** The session has it among those that wait to be sent; that one's alone. */
  isQueued: boolean;
  /**
   * Finds out what a message is: the result is the id of the request that it cancels, or null where it is a request by itself. What is
   * wrong with it is answered when it is begun.
   */
  read(message: Buffer, isText: boolean, models: ModelChoice): string | null;
  /** It will not be run: this is its answer when it is begun. */
  refuse(error: ServerError, message: Buffer): void;
  /** Runs what was read; the owner may be told at once. */
  begin(message: Buffer, owner: TaskOwner): void;
  /** Its client has given it up: that is its answer now. */
  cancel(): void;
  /** There is nobody to be answered: it is not the session's any more. */
  abandon(): void;
  /** Sends the next answer; only when it is ready. It is not the session's any more unless `more` follows. */
  send(socket: MessageSocket): Sent;
}

/** more: another answer may follow. last: none does. nothing: there was none any more, and no message. */
export type Sent = 'more' | 'last' | 'nothing';

export interface TaskOwner {
  /** There is an answer, or an error: at least once for each task that was begun. */
  onReady(task: Task): void;
  /** Answers of it were not released for too long. True = its client does not read, and the connection is cut. */
  onStalled(task: Task, hasUnsent: boolean): boolean;
}

/** Each bound has a flag, `--ws-*`. */
export interface SessionLimits {
  /** Requests without an answer. */
  readonly maxInFlight: number;
  /** Without a message and with nothing in flight; 0 = for ever. */
  readonly idleTimeoutMs: number;
  /** Silence of the client after which it is pinged, and as long again in which it has to stir; 0 = for ever. */
  readonly pingIntervalMs: number;
}

/** What a session needs of the service that owns it. */
export interface SessionHost {
  readonly limits: SessionLimits;
  /** Of a clock that moves as often as `check` is called. */
  readonly nowMs: number;
  takeTask(): Task;
  /** A message came in, or an answer went out. */
  onReceived(): void;
  onSent(): void;
  onClosed(session: Session): void;
}

/** open. draining: what is in flight is answered, then it closes. closing: the client was told. closed. */
type State = 'open' | 'draining' | 'closing' | 'closed';

/** One WebSocket: its requests and their answers. */
export class Session implements SocketOwner, TaskOwner {
  readonly #host: SessionHost;
  readonly #socket: MessageSocket;
  readonly #models: ModelChoice;
  /** Answers leave in the order of the requests. */
  readonly #isOrdered: boolean;
  #state: State = 'open';
  /** All that have no answer yet, in no order: each knows its place. */
  readonly #tasks: Task[] = [];
  /** Ordered: all of them. Else those that are ready and cannot be sent yet. */
  readonly #queue = new Fifo<Task>();
  #isPaused = false;
  #isPumping = false;
  /** When its client last stirred: said something, or took something that was unsent. */
  #aliveMs: number;
  #messageMs: number;
  #isPinged = false;
  #unsentBytes = 0;

  constructor(host: SessionHost, socket: MessageSocket, models: ModelChoice, isOrdered: boolean) {
    this.#host = host;
    this.#socket = socket;
    this.#models = models;
    this.#isOrdered = isOrdered;
    this.#aliveMs = host.nowMs;
    this.#messageMs = host.nowMs;
  }

  /** Requests without an answer. */
  get inFlight(): number {
    return this.#tasks.length;
  }

  onMessage(message: Buffer, isText: boolean): void {
    if (this.#state === 'closing' || this.#state === 'closed') return;
    this.#stir();
    this.#messageMs = this.#host.nowMs;
    this.#host.onReceived();
    const task = this.#host.takeTask();
    const cancelled = task.read(message, isText, this.#models);
    if (cancelled !== null) {
      task.abandon();
      this.#cancel(cancelled);
      return;
    }
    if (!this.#admits(task, message)) return;
    this.#add(task);
    task.begin(message, this);
    this.#pace();
  }

  onPing(): void {
    this.#stir();
  }

  onDrain(): void {
    this.#stir();
    this.#pump();
  }

  onClosed(): void {
    this.#state = 'closed';
    while (this.#queue.length > 0) this.#queue.shift();
    for (const task of this.#tasks.splice(0)) task.abandon();
    this.#host.onClosed(this);
  }

  onReady(task: Task): void {
    if (this.#state === 'closed') return;
    if (!task.isQueued) this.#enqueue(task);
    this.#pump();
  }

  onStalled(task: Task, hasUnsent: boolean): boolean {
    const isNext = !this.#isOrdered || (this.#queue.length > 0 && this.#queue.at(0) === task);
    if (!hasUnsent && (this.#socket.isWritable || !isNext)) return false;
    this.#socket.terminate();
    return true;
  }

  /** The server stops. */
  drain(): void {
    if (this.#state !== 'open') return;
    this.#state = 'draining';
    this.#afterSending();
  }

  /** Looks whether something takes too long. */
  check(nowMs: number): void {
    this.#noteProgress(nowMs);
    if (this.#state === 'closing') {
      if (nowMs - this.#aliveMs > CLOSE_MS) this.#socket.terminate();
      return;
    }
    this.#checkAlive(nowMs);
    this.#checkIdle(nowMs);
  }

  /** False = it is refused for good: the connection closes. */
  #admits(task: Task, message: Buffer): boolean {
    const { maxInFlight } = this.#host.limits;
    if (this.#tasks.length < maxInFlight || this.#socket.canPause) return true;
    if (this.#tasks.length >= maxInFlight * WAITING_ANSWERS_FACTOR) {
      task.abandon();
      this.#close(TRY_AGAIN_LATER, `more than ${maxInFlight} requests in flight (--ws-max-in-flight)`);
      return false;
    }
    task.refuse(tooManyInFlight(maxInFlight), message);
    return true;
  }

  #add(task: Task): void {
    task.place = this.#tasks.push(task) - 1;
    task.isQueued = false;
    if (this.#isOrdered) this.#enqueue(task);
  }

  #enqueue(task: Task): void {
    task.isQueued = true;
    this.#queue.push(task);
  }

  #remove(task: Task): void {
    const last = this.#tasks.pop()!;
    if (last === task) return;
    this.#tasks[task.place] = last;
    last.place = task.place;
  }

  /** Of what is not in flight nothing is said: its answer may be on its way. */
  #cancel(id: string): void {
    if (id === '') return;
    for (const task of this.#tasks.filter(({ requestId }) => requestId === id)) task.cancel();
  }

  /** Sends what is ready, for as long as the client takes it. */
  #pump(): void {
    // What is sent may be released, and its model may answer at once.
    if (this.#isPumping) return;
    this.#isPumping = true;
    const queue = this.#queue;
    while (queue.length > 0 && queue.at(0).isReady && this.#socket.isWritable && this.#state !== 'closed') {
      this.#send(queue.at(0));
    }
    this.#isPumping = false;
    this.#afterSending();
  }

  /** The first of the queue. Those that are not ordered take turns. */
  #send(task: Task): void {
    const sent = task.send(this.#socket);
    if (sent !== 'nothing') this.#host.onSent();
    if (this.#state === 'closed') return;
    if (sent !== 'more') this.#remove(task);
    if (sent === 'more' && this.#isOrdered) return;
    this.#queue.shift();
    task.isQueued = false;
    if (sent === 'more' && task.isReady) this.#enqueue(task);
  }

  #afterSending(): void {
    this.#pace();
    if (this.#state === 'draining' && this.#tasks.length === 0) this.#close(GOING_AWAY, 'the server is stopping');
  }

  /** Reads no more than can be answered. */
  #pace(): void {
    if (!this.#socket.canPause || this.#state === 'closing' || this.#state === 'closed') return;
    const mustPause = this.#tasks.length >= this.#host.limits.maxInFlight || !this.#socket.isWritable;
    if (mustPause === this.#isPaused) return;
    this.#isPaused = mustPause;
    if (mustPause) this.#socket.pause();
    else this.#socket.resume();
  }

  #close(code: number, reason: string): void {
    this.#state = 'closing';
    this.#aliveMs = this.#host.nowMs;
    // The client's word that it closes must be read.
    if (this.#isPaused) this.#socket.resume();
    this.#isPaused = false;
    this.#socket.close(code, reason);
  }

  #stir(): void {
    this.#aliveMs = this.#host.nowMs;
    this.#isPinged = false;
  }

  /** A client that we do not listen to cannot be silent; one that we wait for stirs by taking something. */
  #noteProgress(nowMs: number): void {
    const { unsentBytes } = this.#socket;
    const isMoving = unsentBytes < this.#unsentBytes || (this.#isPaused && unsentBytes === 0);
    this.#unsentBytes = unsentBytes;
    if (!isMoving) return;
    this.#aliveMs = nowMs;
    this.#isPinged = false;
  }

  #checkIdle(nowMs: number): void {
    const { idleTimeoutMs } = this.#host.limits;
    if (this.#tasks.length > 0 || this.#socket.unsentBytes > 0) this.#messageMs = nowMs;
    else if (idleTimeoutMs > 0 && nowMs - this.#messageMs > idleTimeoutMs) this.#close(GOING_AWAY, 'idle for too long');
  }

  #checkAlive(nowMs: number): void {
    const { pingIntervalMs } = this.#host.limits;
    const silentMs = nowMs - this.#aliveMs;
    if (pingIntervalMs === 0 || silentMs < pingIntervalMs) return;
    if (!this.#isPinged) {
      this.#isPinged = true;
      this.#socket.ping();
    } else if (silentMs >= 2 * pingIntervalMs) {
      this.#socket.terminate();
    }
  }
}

function tooManyInFlight(limit: number): ServerError {
  return new ServerError(
    'RESOURCE_EXHAUSTED',
    `more than ${limit} requests of this connection are in flight (--ws-max-in-flight): wait for an answer`,
  );
}
