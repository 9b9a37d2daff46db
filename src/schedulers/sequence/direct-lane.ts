import type { Instance } from '../../backends/instance.js';
import type { InferRequest } from '../../backends/request.js';
import type { CloseReason } from '../../telemetry/close-reasons.js';
import type { FailureReason } from '../../telemetry/statistics.js';
import type { ServerError } from '../../types/errors.js';
import { type DirectPlan, type DirectPolicy, planDirect, type WaitingSlots } from './direct-plan.js';
import { type Lane, type LaneHost, nextStep, noteFailure, stepKey } from './lane.js';
import type { Sequence } from './sequence.js';
import type { SlotRow } from './slot-row.js';
import { Step } from './step.js';

/** Makes rows for slots that have nothing to run. */
export interface FillerSource {
  /** A row of zeros in the shape of this request, to be completed, failed or released; null = there is no memory. */
  filler(like: InferRequest): InferRequest | null;
  /** Its batch never was, or has a request in its row. */
  release(filler: InferRequest): void;
}

/**
 * The direct strategy: the slot of a sequence is its row in every batch, and slots below the highest that waits are filled up (fact sheet 5.5).
 * Beside the batch that runs, one waits open at the instance, and what comes takes its rows there: the next step of a sequence too, because
 * batches run in their order and the state stays in the worker.
 */
export class DirectLane implements Lane, WaitingSlots {
  readonly instance: Instance;
  readonly slots: SlotRow;
  readonly #policy: DirectPolicy;
  readonly #host: LaneHost;
  readonly #fillers: FillerSource;
  /** What the next step is given, or whether there is one, depends on how the last one ended. */
  readonly #awaitsEnd: boolean;
  /** By row: what the last batch was begun with, until it is seen to be sealed. */
  #open: readonly InferRequest[] = [];
  #openKey = '';
  /** It was begun because its oldest request had waited for the delay. */
  #isDelayed = false;
  /** Something waits that came while the instance was busy. */
  #cameLate = false;
  /** Requests that came since the last plan; infinite = it could not have or do what can be now. */
  #news = 0;
  /** So many make another plan worth while. */
  #missing = 1;
  /** When to plan again without them. */
  #dueUs = Number.POSITIVE_INFINITY;

  constructor(instance: Instance, slots: SlotRow, policy: DirectPolicy, host: LaneHost, fillers: FillerSource) {
    this.instance = instance;
    this.slots = slots;
    this.#policy = policy;
    this.#host = host;
    this.#fillers = fillers;
    this.#awaitsEnd = host.kinds.hasVariableState || host.kinds.overwritesState;
  }

  get pending(): number {
    return 0;
  }

  offer(): void {
    this.#news++;
    if (!this.instance.isIdle) this.#cameLate = true;
    this.#host.runSoon();
  }

  run(nowUs: number): number {
    for (;;) {
      this.#noteSealed();
      if (this.#news < this.#missing && nowUs < this.#dueUs) return this.#dueUs;
      if (this.#open.length === 0 && !this.#canBegin()) return Number.POSITIVE_INFINITY;
      const open = { rows: this.#open.length, key: this.#openKey };
      const plan = planDirect(this.#policy, this, open, nowUs);
      this.#news = 0;
      this.#missing = plan.missing;
      this.#dueUs = plan.dueUs;
      if (plan.rows === 0) this.#noteWaiting(plan);
      if (plan.rows === 0 || this.#hand(plan)) return plan.dueUs;
    }
  }

  /** The whole open batch: rows are slots, so that none can be taken out. */
  takeBack(sequence: Sequence): void {
    this.#news = Number.POSITIVE_INFINITY;
    if (!this.#isOpen(sequence) || !this.instance.replace([], 0, null)) return;
    this.#undo(this.#open);
    this.#open = [];
  }

  close(): void {}

  onStepEnded(step: Step, failure: FailureReason | null): void {
    if (failure !== null) noteFailure(this.#host, this.instance, step, failure);
    this.#host.ran(step, failure);
    if (this.#awaitsEnd && step.sequenceOf.waiting.length > 0) this.offer();
  }

  onStepAgain(step: Step): ServerError | null {
    const error = this.#host.again(step);
    if (error === null) this.offer();
    return error;
  }

  get length(): number {
    return this.slots.length;
  }

  keyAt(slot: number): string | null {
    const sequence = this.slots.at(slot);
    if (sequence === null || sequence.waiting.length === 0 || this.#isOpen(sequence)) return null;
    if (this.#awaitsEnd && sequence.running.length > 0) return null;
    return stepKey(this.#host.kinds, sequence);
  }

  queuedUsAt(slot: number): number {
    return this.slots.at(slot)!.waiting.at(0).queuedUs;
  }

  /** Of an iterative model, what runs is likely to come back and to be in the next batch. */
  #canBegin(): boolean {
    return this.#host.kinds.isIterative ? this.instance.isIdle : this.instance.canBegin;
  }

  /** A step of it is in the open batch. */
  #isOpen({ slot }: Sequence): boolean {
    return slot < this.#open.length && this.#open[slot] instanceof Step;
  }

  /** Whatever waits may be in the next batch then. */
  #noteSealed(): void {
    if (this.#open.length === 0 || this.instance.openRows > 0) return;
    this.#open = [];
    this.#news = Number.POSITIVE_INFINITY;
  }

  /** Begins a batch, or has the open one replaced; false = that one was sealed meanwhile: plan again. */
  #hand(plan: DirectPlan): boolean {
    const { rows, key } = plan;
    const open = this.#open;
    const batch: InferRequest[] = [];
    const added: InferRequest[] = [];
    const like = this.#firstWith(key);
    for (let slot = 0; slot < rows; slot++) {
      const request = this.keyAt(slot) === key ? this.#nextOf(slot) : (open[slot] ?? this.#fillers.filler(like));
      if (request === null) continue;
      batch.push(request);
      if (request !== open[slot]) added.push(request);
    }
    const hasFillers = batch.length === rows;
    if (open.length === 0) this.#isDelayed = plan.reason === 'delay';
    const reason = this.#closingOf(batch, plan);
    if (open.length > 0 && hasFillers && !this.instance.replace(batch, rows, reason)) {
      this.#undo(added);
      return false;
    }
    const usual = this.#cameLate || !this.instance.isIdle ? 'end_of_queue' : 'idle_instance';
    if (!hasFillers || (open.length === 0 && !this.instance.begin(batch, rows, usual, reason))) {
      this.#giveUp(added);
      return true;
    }
    open.forEach((request, slot) => {
      if (request !== batch[slot]) this.#fillers.release(request);
    });
    this.#open = batch;
    this.#openKey = key;
    this.#cameLate = this.#hasWaiting();
    return true;
  }

  /** What waits cannot be in a batch now. */
  #noteWaiting({ reason }: DirectPlan): void {
    this.#cameLate &&= this.#hasWaiting();
    if (this.#open.length > 0) this.instance.noteClosing(reason);
  }

  #hasWaiting(): boolean {
    for (let slot = 0; slot < this.length; slot++) {
      const sequence = this.slots.at(slot);
      if (sequence !== null && sequence.waiting.length > 0) return true;
    }
    return false;
  }

  /** Why a batch has no more requests; null = none wait. */
  #closingOf(batch: readonly InferRequest[], { reason }: DirectPlan): CloseReason | null {
    const isFull = batch.length === this.length && batch.every((request) => request instanceof Step);
    if (isFull && this.length > 1) return 'full';
    return reason ?? (this.#isDelayed ? 'delay' : null);
  }

  #firstWith(key: string): InferRequest {
    let slot = 0;
    while (this.keyAt(slot) !== key) slot++;
    return this.slots.at(slot)!.waiting.at(0);
  }

  #nextOf(slot: number): Step {
    return nextStep(this.#host, this.slots.at(slot)!, this);
  }

  /**
   * The instance waits for resources, or there is no memory: then the steps wait for what runs, whose end brings some back. Where nothing runs,
   * nobody would say when to try again.
   */
  #giveUp(requests: readonly InferRequest[]): void {
    if (this.#host.isBusy()) {
      this.#undo(requests);
      return;
    }
    const error = this.#host.noMemory();
    for (const request of requests) {
      if (request instanceof Step) request.fail(error, 'REJECTED');
      else this.#fillers.release(request);
    }
    // The steps behind them are to be told too.
    this.offer();
  }

  #undo(requests: readonly InferRequest[]): void {
    this.#news = Number.POSITIVE_INFINITY;
    for (const request of requests) {
      if (request instanceof Step) this.#host.giveBack(request);
      else this.#fillers.release(request);
    }
  }
}
