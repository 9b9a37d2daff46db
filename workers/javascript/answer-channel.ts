import type { MessagePort } from 'node:worker_threads';
import type { AnswerEvent, AnswersMessage, ToWorker, WorkerEvent } from '../../src/backends/channel-protocol.js';

/** A request that may be cancelled while it runs. */
export interface CancelListener {
  readonly key: number;
  onCancelled(): void;
}

/** Who is told what the main thread says of a request. */
export interface AnswerListener {
  /** @param bytes 0 = there is no memory */
  onGrant(offset: number, bytes: number): void;
  onCancelled(): void;
}

/** A worker's end of what it and the main thread say to each other of requests, beside what goes through the ring. */
export class AnswerChannel {
  readonly #port: MessagePort;
  readonly #listeners = new Map<number, AnswerListener>();
  /** Those of a batch that are answered once. */
  #running: readonly CancelListener[] = [];
  #events: AnswerEvent[] = [];
  #onIdle: (() => void) | null = null;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (message: ToWorker) => {
      if (message.kind === 'events') for (const event of message.events) this.#take(event);
    });
  }

  listen(key: number, listener: AnswerListener): void {
    this.#listeners.set(key, listener);
  }

  forget(key: number): void {
    this.#listeners.delete(key);
    if (this.#listeners.size === 0) this.#onIdle?.();
  }

  /** These requests run, and no others, where they are answered once. */
  runs(requests: readonly CancelListener[]): void {
    this.#running = requests;
  }

  /** Goes with all others of this turn: what is said one behind the other is one message. */
  tell(event: AnswerEvent): void {
    this.#events.push(event);
    // Before whoever made it computes on.
    if (this.#events.length === 1) queueMicrotask(this.#flush);
  }

  /** Resolves when nothing is listened for. */
  async idle(): Promise<void> {
    if (this.#listeners.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
  }

  #take(event: WorkerEvent): void {
    const { key } = event;
    const listener = this.#listeners.get(key);
    if (event.kind === 'grant') listener?.onGrant(event.offset, event.bytes);
    else (listener ?? this.#running.find((request) => request.key === key))?.onCancelled();
  }

  readonly #flush = (): void => {
    const events = this.#events;
    this.#events = [];
    this.#port.postMessage({ kind: 'answers', events } satisfies AnswersMessage);
  };
}
