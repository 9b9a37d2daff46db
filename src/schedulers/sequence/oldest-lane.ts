import type { Instance } from '../../backends/instance.js';
import type { Clock } from '../../base/clock.js';
import type { FailureReason } from '../../telemetry/statistics.js';
import type { ServerError } from '../../types/errors.js';
import type { BatchPolicy } from '../batch-plan.js';
import { DynamicScheduler } from '../dynamic.js';
import { OPEN_POLICY, RequestQueue } from '../request-queue.js';
import { type Lane, type LaneHost, nextStep, noteFailure } from './lane.js';
import type { Sequence } from './sequence.js';
import type { SlotRow } from './slot-row.js';
import type { Step } from './step.js';

const OPEN_QUEUE = { levels: 0, defaultLevel: 1, defaultPolicy: OPEN_POLICY, levelPolicies: new Map() };

/**
 * The oldest strategy: a dynamic batcher over one request of each sequence that has a slot; the next one follows when it is over, so the
 * row of a sequence differs from batch to batch and there are no fillers (fact sheet 5.5).
 */
export class OldestLane implements Lane {
  readonly instance: Instance;
  readonly slots: SlotRow;
  readonly #host: LaneHost;
  readonly #batcher: DynamicScheduler;
  /** Of an iterative model: they enter when this turn of the event loop is over. */
  #offered: Sequence[] = [];

  constructor(instance: Instance, slots: SlotRow, policy: BatchPolicy, model: string, host: LaneHost, clock: Clock) {
    this.instance = instance;
    this.slots = slots;
    this.#host = host;
    const pool = { instances: [instance], isAvailable: true };
    // A batch that is open beside one that runs would go without those that come back from it.
    const prefetch = !host.kinds.isIterative;
    this.#batcher = new DynamicScheduler({ policy, prefetch, model }, new RequestQueue(OPEN_QUEUE), pool, clock);
  }

  get pending(): number {
    return this.#batcher.pending;
  }

  /** Iterations that end together are likely to be in the next batch together, if they enter together. */
  offer(sequence: Sequence, nowUs: number): void {
    if (this.#host.kinds.isIterative) {
      this.#offered.push(sequence);
      this.#host.runSoon();
    } else if (hasNext(sequence)) {
      this.#batcher.enqueue(nextStep(this.#host, sequence, this), nowUs);
    }
  }

  run(nowUs: number): number {
    if (this.#offered.length > 0) this.#enterOffered(nowUs);
    this.#batcher.run();
    return Number.POSITIVE_INFINITY;
  }

  takeBack({ running }: Sequence): void {
    const [step] = running;
    if (step !== undefined && this.#batcher.withdraw(step)) this.#host.giveBack(step);
  }

  close(): void {
    this.#offered = [];
    this.#batcher.close();
  }

  onStepEnded(step: Step, failure: FailureReason | null): void {
    if (failure !== null) noteFailure(this.#host, this.instance, step, failure);
    const { sequenceOf } = step;
    this.#host.ran(step, failure);
    // It may have left its slot, which is another's then.
    if (!sequenceOf.isOver) this.offer(sequenceOf, this.#host.ranUs);
  }

  onStepAgain(step: Step): ServerError | null {
    const error = this.#host.again(step);
    if (error === null) this.offer(step.sequenceOf, this.#host.ranUs);
    return error;
  }

  #enterOffered(nowUs: number): void {
    const steps: Step[] = [];
    for (const sequence of this.#offered) if (hasNext(sequence)) steps.push(nextStep(this.#host, sequence, this));
    this.#offered = [];
    this.#batcher.enqueueAll(steps, nowUs);
  }
}

/** A request of it can enter. */
function hasNext({ running, waiting }: Sequence): boolean {
  return running.length === 0 && waiting.length > 0;
}
