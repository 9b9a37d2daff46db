import { outOfOutputs } from '../backends/failures.js';
import type { Instance } from '../backends/instance.js';
import type { InferRequest } from '../backends/request.js';
import type { Clock } from '../base/clock.js';
import type { CloseReason } from '../telemetry/close-reasons.js';
import { ServerError } from '../types/errors.js';
import { type BatchPolicy, NOTHING_OPEN, planBatch } from './batch-plan.js';
import { stopping, unavailable } from './refusals.js';
import type { RequestQueue } from './request-queue.js';
import type { Scheduler } from './scheduler.js';

/** The instances a scheduler may use; `InstanceGroup` is one. */
export interface InstancePool {
  readonly instances: readonly Instance[];
  /** False = no instance serves and none is about to: waiting would be for ever. */
  readonly isAvailable: boolean;
}

export interface DynamicSettings {
  readonly policy: BatchPolicy;
  /** Batches may wait at a busy instance: only where no time-out, priority or queue size must reach them (fact sheet 5.2). */
  readonly prefetch: boolean;
  /** For messages. */
  readonly model: string;
}

/**
 * The default scheduler and the dynamic batcher: drives `planBatch` over the queue whenever a request comes, an instance has room
 * or a wait ends. Beside the batch that runs, one open batch waits at the instance and grows.
 */
export class DynamicScheduler implements Scheduler {
  #settings: DynamicSettings;
  #queue: RequestQueue;
  readonly #pool: InstancePool;
  readonly #clock: Clock;
  /** Batches that nothing shapes but their size can begin and end anywhere. */
  #plain: boolean;
  #cancelTimer: (() => void) | null = null;
  #timerDueUs = Number.POSITIVE_INFINITY;
  /** An open batch may have been told that the first that waits does not join it. */
  #keepsOut = false;
  #stopped = false;

  constructor(settings: DynamicSettings, queue: RequestQueue, pool: InstancePool, clock: Clock) {
    this.#settings = settings;
    this.#queue = queue;
    this.#pool = pool;
    this.#clock = clock;
    this.#plain = isPlain(settings.policy);
  }

  /** From now on it decides by these; what waits is moved to the new, empty queue. */
  reconfigure(settings: DynamicSettings, queue: RequestQueue): void {
    queue.adopt(this.#queue);
    this.#settings = settings;
    this.#queue = queue;
    this.#plain = isPlain(settings.policy);
    this.run();
  }

  /** Nothing but sizes and shapes decides what runs together, and nothing is refused or given up while it waits. */
  get isPlain(): boolean {
    return this.#plain && this.#settings.prefetch;
  }

  get pending(): number {
    return this.#queue.length;
  }

  get beginsBatch(): boolean {
    return this.#queue.length === 0 && this.#growing('') === null;
  }

  enqueue(request: InferRequest, nowUs: number): void {
    if (this.#stopped) throw stopping();
    if (!this.#pool.isAvailable) throw unavailable(this.#settings.model);
    if (this.#joined(request, nowUs)) return;
    const isFirst = this.#queue.length === 0;
    this.#queue.push(request, nowUs);
    this.#handOutAll(nowUs, isFirst);
  }

  /** Takes several of which none begins before all are there. Its queue must have no bound. */
  enqueueAll(requests: readonly InferRequest[], nowUs: number): void {
    const areFirst = this.#queue.length === 0;
    for (const request of requests) this.#queue.push(request, nowUs);
    this.#handOutAll(nowUs, areFirst);
  }

  cancel(request: InferRequest): void {
    request.cancelled = true;
    if (!this.withdraw(request)) return;
    request.fail(new ServerError('CANCELLED', ''), 'CANCELED');
    this.run();
  }

  /** Takes a request out of the queue or of an open batch; false = it runs. */
  withdraw(request: InferRequest): boolean {
    return this.#queue.remove(request) || this.#pool.instances.some((instance) => instance.withdraw(request));
  }

  stop(): void {
    this.#stopped = true;
  }

  close(): void {
    this.#cancelTimer?.();
  }

  putBack(requests: readonly InferRequest[]): void {
    for (const request of requests.toReversed()) this.#queue.putBack(request);
  }

  /** Hands out what can run now, and sets the timer for what cannot yet. */
  run(): void {
    this.#handOutAll(this.#clock.nowUs(), false);
  }

  resume(): void {
    this.run();
  }

  /** @param isNew what waits came just now: an instance that is idle had nothing to do */
  #handOutAll(nowUs: number, isNew: boolean): void {
    this.#expire(nowUs);
    if (!this.#pool.isAvailable) this.#failAll();
    while (this.#queue.length > 0) {
      const waitUs = this.#handOut(nowUs, isNew);
      if (waitUs === 0) continue;
      this.#setTimer(waitUs < 0 ? Number.POSITIVE_INFINITY : nowUs + waitUs);
      return;
    }
    this.#setTimer(Number.POSITIVE_INFINITY);
    if (this.#keepsOut) this.#admit();
  }

  /** The shortest way: an open batch with room, nobody before it, and no policy that could say no. */
  #joined(request: InferRequest, nowUs: number): boolean {
    if (!this.#plain || !this.#settings.prefetch || this.#queue.length > 0) return false;
    const instance = this.#growing(request.batchKey);
    if (instance === null) return false;
    request.queuedUs = nowUs;
    return instance.grow(request);
  }

  /** An instance whose open batch has room; `key` '' = whatever its shapes. An idle instance comes first: it would run at once. */
  #growing(key: string): Instance | null {
    if (!this.#settings.prefetch) return null;
    let growing: Instance | null = null;
    for (const instance of this.#pool.instances) {
      if (instance.isIdle) return null;
      if (growing !== null) continue;
      const rows = instance.openRows;
      if (rows === 0 || rows >= this.#settings.policy.maxRows) continue;
      if (key === '' || instance.openKey === key) growing = instance;
    }
    return growing;
  }

  /** 0 = something was handed out; else as `BatchPlan.waitUs`. */
  #handOut(nowUs: number, isNew: boolean): number {
    const instance = this.#target();
    if (instance === null) return -1;
    const rows = instance.openRows;
    const open = rows === 0 ? NOTHING_OPEN : { rows, key: instance.openKey };
    const plan = planBatch(this.#settings.policy, open, this.#queue, nowUs - this.#queue.oldestUs);
    if (plan.take === 0) return plan.waitUs;
    if (plan.reason !== null) this.#keepsOut = true;
    if (rows === 0) {
      const usual = isNew && instance.isIdle ? 'idle_instance' : 'end_of_queue';
      const begun = this.#begin(instance, this.#trim(plan.take), usual, plan.reason);
      // While this one waits for resources another may have them.
      return begun || !instance.canBegin ? 0 : -1;
    }
    if (this.#grow(instance, plan.take) && plan.reason !== null) instance.noteClosing(plan.reason);
    return 0;
  }

  /** An idle instance, else one whose open batch may take the next request, else a busy one that has none open. */
  #target(): Instance | null {
    const { instances } = this.#pool;
    let busy: Instance | null = null;
    let growing: Instance | null = null;
    for (const instance of instances) {
      if (instance.isIdle) return instance;
      if (instance.canBegin) busy ??= instance;
      else if (this.#canJoin(instance)) growing ??= instance;
    }
    return this.#settings.prefetch ? (growing ?? busy) : null;
  }

  #canJoin(instance: Instance): boolean {
    const rows = instance.openRows;
    if (rows === 0) return false;
    const obstacle = this.#obstacle(instance, rows);
    instance.noteClosing(obstacle);
    if (obstacle !== null) this.#keepsOut = true;
    return obstacle === null;
  }

  /** Why the first that waits does not join these open rows; null = it may. */
  #obstacle(instance: Instance, rows: number): CloseReason | null {
    const { single, maxRows } = this.#settings.policy;
    if (single || rows + this.#queue.rowsAt(0) > maxRows) return 'full';
    if (instance.openKey !== this.#queue.keyAt(0)) return 'shape_changed';
    return this.#opensBlock(0) ? 'full' : null;
  }

  /** Nobody waits: no open batch keeps anybody out. */
  #admit(): void {
    this.#keepsOut = false;
    for (const instance of this.#pool.instances) if (instance.openRows > 0) instance.noteClosing(null);
  }

  /** The request begins a block of rows and more follow: a batch that begins with it will be contiguous. */
  #opensBlock(index: number): boolean {
    return this.#plain && index < this.#queue.length - 1 && this.#queue.at(index).row === 0;
  }

  /**
   * A full batch of a backlog that spans two blocks of rows is cut where the first block ends: one smaller batch, and all that
   * follow begin with their block and are contiguous.
   */
  #trim(take: number): number {
    if (take === this.#queue.length) return take;
    for (let index = 1; index < take; index++) if (this.#opensBlock(index)) return index;
    return take;
  }

  /**
   * False = the instance waits for resources, or there is no memory for the outputs now: then the requests wait for a batch that runs, whose end
   * brings some back. Where none runs they fail, because nobody would say when to try again.
   */
  #begin(instance: Instance, take: number, usual: CloseReason, noted: CloseReason | null): boolean {
    const requests: InferRequest[] = [];
    for (let i = 0; i < take; i++) requests.push(this.#queue.at(i));
    const begun = instance.begin(requests, take, usual, noted);
    if (!begun && this.#pool.instances.some(({ isIdle }) => !isIdle)) return false;
    for (let i = 0; i < take; i++) this.#queue.shift();
    if (!begun) this.#failForMemory(requests);
    return true;
  }

  #failForMemory(requests: readonly InferRequest[]): void {
    const error = outOfOutputs(this.#settings.model);
    for (const request of requests) request.fail(error, 'REJECTED');
  }

  /** False = the batch was sealed before all had joined it. */
  #grow(instance: Instance, take: number): boolean {
    for (let i = 0; i < take; i++) {
      if (!instance.grow(this.#queue.at(0))) return false;
      this.#queue.shift();
    }
    return true;
  }

  #expire(nowUs: number): void {
    if (nowUs < this.#queue.nextDeadlineUs) return;
    const error = new ServerError('UNAVAILABLE', 'Request timeout expired');
    for (const request of this.#queue.expire(nowUs)) request.fail(error, 'REJECTED');
  }

  #failAll(): void {
    while (this.#queue.length > 0) this.#queue.shift().fail(unavailable(this.#settings.model), 'OTHER');
  }

  #setTimer(planDueUs: number): void {
    const dueUs = Math.min(planDueUs, this.#queue.nextDeadlineUs);
    if (dueUs === this.#timerDueUs) return;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#timerDueUs = dueUs;
    if (dueUs === Number.POSITIVE_INFINITY) return;
    this.#cancelTimer = this.#clock.after(Math.max(0, dueUs - this.#clock.nowUs()), () => {
      this.#timerDueUs = Number.POSITIVE_INFINITY;
      this.#cancelTimer = null;
      this.run();
    });
  }
}

function isPlain({ single, delayUs, preferred, maxRows }: BatchPolicy): boolean {
  return !single && delayUs === 0 && preferred.length === 1 && preferred[0] === maxRows;
}
