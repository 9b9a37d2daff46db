import type { Arena, SlotOwner } from '../memory/arena.js';
import type { ServerError } from '../types/errors.js';
import type { OutputForm } from './batch-outputs.js';
import type { AnswerEvent, WorkerEvent } from './channel-protocol.js';
import type { BatchRecord } from './open-batches.js';
import { OpenRequest } from './open-request.js';
import type { InferRequest } from './request.js';

/** What a worker's answers are matched with. */
export interface AnswerSource {
  readonly arena: Arena;
  readonly form: OutputForm;
  readonly outputOwner: SlotOwner;
  readonly maxEntries: number;
  /** The record of a batch that is in the ring; null = it is not, or not any more. */
  recordOf(sequence: number): BatchRecord | null;
  tell(event: WorkerEvent): void;
  onStalled(isStalled: boolean): void;
}

/** The requests of an instance whose model answers any number of times, while they run and after. */
export class DecoupledAnswers {
  readonly #source: AnswerSource;
  /** By key. Those of batches in the ring are here when they have said something. */
  readonly #open = new Map<number, OpenRequest>();

  constructor(source: AnswerSource) {
    this.#source = source;
  }

  take(event: AnswerEvent): void {
    const open = this.#find(event.key);
    // What is said of a request that has ended is nobody's.
    if (open === null || open.isOver) return;
    if (event.kind === 'ask') open.ask(event.bytes, event.isReturned);
    else if (event.kind === 'answer') open.answer(event.isFinal, event.times);
    else if (event.kind === 'again') open.reschedule();
    else open.end(event.error);
    if (open.isOver && this.#recordOf(event.key) === null) this.#open.delete(event.key);
  }

  /** Null = it is none, or it has its last answer. */
  runningAs(key: number): InferRequest | null {
    const open = this.#open.get(key);
    if (open !== undefined) return open.isOver ? null : open.request;
    return this.#recordOf(key)?.requests[key % this.#source.maxEntries] ?? null;
  }

  /** A batch has left the ring: its requests stay open until their last answers. */
  executed(sequence: number, { requests, count }: BatchRecord): void {
    for (let index = 0; index < count; index++) {
      const key = sequence * this.#source.maxEntries + index;
      const open = this.#open.get(key);
      if (open === undefined) this.#keepOpen(requests[index]!, key);
      else if (open.isOver) this.#open.delete(key);
    }
  }

  /** A batch has left the ring because its worker failed or is gone: its requests are failed by others. */
  dropped(sequence: number, { count }: BatchRecord): void {
    for (let index = 0; index < count; index++) {
      const key = sequence * this.#source.maxEntries + index;
      this.#open.get(key)?.drop();
      this.#open.delete(key);
    }
  }

  /** The worker is gone, and no batch is in the ring. */
  close(error: ServerError): void {
    const left = [...this.#open.values()];
    this.#open.clear();
    for (const open of left) open.abandon(error);
  }

  #keepOpen(request: InferRequest, key: number): void {
    const open = new OpenRequest(request, key, this.#source);
    this.#open.set(key, open);
    // The worker may not have heard of it.
    if (request.cancelled || !request.isAwaited) open.onCancelled();
  }

  #find(key: number): OpenRequest | null {
    const known = this.#open.get(key);
    if (known !== undefined) return known;
    const request = this.#recordOf(key)?.requests[key % this.#source.maxEntries];
    if (request === undefined) return null;
    const open = new OpenRequest(request, key, this.#source);
    this.#open.set(key, open);
    return open;
  }

  #recordOf(key: number): BatchRecord | null {
    return this.#source.recordOf(Math.floor(key / this.#source.maxEntries));
  }
}
