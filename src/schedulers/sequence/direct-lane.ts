import type { Instance } from '../../backends/instance.js';
import type { InferRequest } from '../../backends/request.js';
import type { FailureReason } from '../../telemetry/statistics.js';
import { type DirectPolicy, planDirect, type WaitingSlot } from './direct-plan.js';
import { type Lane, type LaneHost, nextStep, noteFailure, stepKey } from './lane.js';
import type { Sequence } from './sequence.js';
import type { SlotRow } from './slot-row.js';
import { Step } from './step.js';

/** Makes rows for slots that have nothing to run. */
export interface FillerSource {
  /** A row of zeros in the shape of this request, to be completed or failed like a request; null = there is no memory. */
  filler(like: InferRequest): InferRequest | null;
}

/**
 * The direct strategy: the slot of a sequence is its row in every batch. One execution at a time; slots below the highest that waits are
 * filled up (fact sheet 5.5).
 */
export class DirectLane implements Lane {
  readonly instance: Instance;
  readonly slots: SlotRow;
  readonly #policy: DirectPolicy;
  readonly #host: LaneHost;
  readonly #fillers: FillerSource;
  /** Of the batch at the instance. */
  #running: Step[] = [];

  constructor(instance: Instance, slots: SlotRow, policy: DirectPolicy, host: LaneHost, fillers: FillerSource) {
    this.instance = instance;
    this.slots = slots;
    this.#policy = policy;
    this.#host = host;
    this.#fillers = fillers;
  }

  get pending(): number {
    return 0;
  }

  offer(): void {
    this.#host.runSoon();
  }

  run(nowUs: number): number {
    if (!this.instance.isIdle) return Number.POSITIVE_INFINITY;
    // Before its answers are written: the worker must not wait for them. Where the next step depends on how this one ended it must.
    const { hasVariableState, overwritesState } = this.#host.kinds;
    if (!hasVariableState && !overwritesState) this.#settle(nowUs);
    if (this.#running.length > 0) return Number.POSITIVE_INFINITY;
    const plan = planDirect(this.#policy, this.#waiting(), nowUs);
    if (plan.rows > 0) this.#begin(plan.rows, plan.key);
    return plan.dueUs;
  }

  /** A row of an open batch is a slot: it stays where it is, and the worker takes it at once. */
  withdraw(): boolean {
    return false;
  }

  close(): void {}

  onStepEnded(step: Step, failure: FailureReason | null): void {
    if (failure !== null) noteFailure(this.#host, this.instance, step, failure);
    const index = this.#running.indexOf(step);
    if (index < 0) return;
    this.#running.splice(index, 1);
    this.#host.ran(step.sequenceOf, this.#host.nowUs());
    if (this.#running.length === 0) this.#host.runSoon();
  }

  #waiting(): (WaitingSlot | null)[] {
    const waiting: (WaitingSlot | null)[] = [];
    for (let slot = 0; slot < this.slots.length; slot++) waiting.push(this.#waitingIn(this.slots.at(slot)));
    return waiting;
  }

  #waitingIn(sequence: Sequence | null): WaitingSlot | null {
    if (sequence === null || sequence.waiting.length === 0) return null;
    return { key: stepKey(this.#host.kinds, sequence), queuedUs: sequence.waiting.at(0).queuedUs };
  }

  #begin(rows: number, key: string): void {
    const members = this.#membersOf(rows, key);
    const like = members.find((sequence) => sequence !== null)!.waiting.at(0);
    const fillers: InferRequest[] = [];
    const batch: InferRequest[] = [];
    for (const sequence of members) {
      const request = sequence === null ? this.#fillers.filler(like) : nextStep(this.#host, sequence, this);
      if (request !== null) batch.push(request);
      if (request instanceof Step) this.#running.push(request);
      else if (request !== null) fillers.push(request);
    }
    if (batch.length === rows && this.instance.begin(batch, rows)) return;
    this.#takeBack(fillers);
  }

  /** By row; null = a filler. */
  #membersOf(rows: number, key: string): (Sequence | null)[] {
    return Array.from({ length: rows }, (_, slot) => {
      const sequence = this.slots.at(slot);
      return this.#waitingIn(sequence)?.key === key ? sequence : null;
    });
  }

  /** There is no memory: the steps wait for what runs, whose end brings some back. Where nothing runs, nobody would say when to try again. */
  #takeBack(fillers: readonly InferRequest[]): void {
    const error = this.#host.noMemory();
    const steps = this.#running;
    const isHopeless = !this.#host.isBusy();
    if (!isHopeless) {
      this.#running = [];
      for (const step of steps) this.#host.giveBack(step);
    }
    for (const request of isHopeless ? [...steps, ...fillers] : fillers) request.fail(error, 'REJECTED');
  }

  /** The batch at the instance is over, however it ended. */
  #settle(nowUs: number): void {
    const steps = this.#running;
    this.#running = [];
    for (const { sequenceOf } of steps) this.#host.ran(sequenceOf, nowUs);
  }
}
