import { outOfOutputs } from '../../backends/failures.js';
import type { Instance } from '../../backends/instance.js';
import type { InferRequest } from '../../backends/request.js';
import type { Clock } from '../../base/clock.js';
import type { Log } from '../../base/log.js';
import type { FailureReason } from '../../telemetry/statistics.js';
import { ServerError } from '../../types/errors.js';
import type { SequenceId } from '../../types/infer.js';
import type { BatchPolicy } from '../batch-plan.js';
import type { InstancePool } from '../dynamic.js';
import { unavailable } from '../refusals.js';
import type { Scheduler } from '../scheduler.js';
import { DirectLane, type FillerSource } from './direct-lane.js';
import type { DirectPolicy } from './direct-plan.js';
import type { Lane, LaneHost, StepKinds } from './lane.js';
import { OldestLane } from './oldest-lane.js';
import type { EndReason, Sequence } from './sequence.js';
import { type SequenceRules, SequenceTable } from './sequence-table.js';
import { type SequenceCounts, type SequenceSnapshot, snapshotOf } from './sequence-view.js';
import { SlotRow } from './slot-row.js';
import { Step } from './step.js';

export type SequenceStrategy =
  | { readonly kind: 'direct'; readonly policy: DirectPolicy }
  | { readonly kind: 'oldest'; readonly policy: BatchPolicy };

export interface SequenceSettings extends SequenceRules {
  readonly strategy: SequenceStrategy;
  /** Sequences that can have a slot at one instance. */
  readonly slots: number;
}

/** Idle sequences are released this much late at most, unless somebody asks for them or for their slot before. */
const REAP_SLACK_US = 20_000;

/**
 * The sequence batcher: `SequenceTable` says which request belongs where, a lane for each instance when it runs. This drives them, fails what
 * must fail, and keeps the time.
 */
export class SequenceScheduler implements Scheduler, LaneHost {
  readonly kinds: StepKinds;
  /** Told, perhaps more than once, when time has ended the last sequence that was live; null = nobody waits for that. */
  onAllEnded: (() => void) | null = null;
  ranUs = 0;
  readonly #settings: SequenceSettings;
  readonly #table: SequenceTable;
  readonly #pool: InstancePool;
  readonly #clock: Clock;
  readonly #fillers: FillerSource;
  readonly #log: Log;
  readonly #lanes = new Map<Instance, Lane>();
  readonly #laneOf = new Map<SlotRow, Lane>();
  /** Those of the pool that the lanes are for. */
  #instances: readonly Instance[] = [];
  /** When a lane wants to run although nothing happened. */
  #laneDueUs = Number.POSITIVE_INFINITY;
  #willRun = false;
  #cancelTimer: (() => void) | null = null;
  #timerDueUs = Number.POSITIVE_INFINITY;
  #isStopped = false;

  constructor(settings: SequenceSettings, pool: InstancePool, clock: Clock, fillers: FillerSource, log: Log) {
    this.kinds = settings.kinds;
    this.#settings = settings;
    this.#table = new SequenceTable(settings);
    this.#pool = pool;
    this.#clock = clock;
    this.#fillers = fillers;
    this.#log = log;
  }

  get pending(): number {
    let pending = this.#table.waiting;
    for (const lane of this.#lanes.values()) pending += lane.pending;
    return pending;
  }

  /** Oldest: steps lie one behind the other as they come. Direct: in the order of slots, which rows cannot follow. */
  get beginsBatch(): boolean {
    return this.pending === 0 && this.#instances.every((instance) => instance.openRows === 0);
  }

  enqueue(request: InferRequest, nowUs: number): void {
    if (!this.#pool.isAvailable) throw unavailable(this.#settings.model);
    this.#release(nowUs);
    request.queuedUs = nowUs;
    const sequence = this.#table.admit(request, nowUs, this.#isStopped);
    if (request.sequence.sequenceStart && sequence.restarts === 1) this.#noteRestart(sequence);
    if (sequence.row !== null) this.#laneOf.get(sequence.row)!.offer(sequence, nowUs);
    if (this.#table.nextDeadlineUs < this.#timerDueUs) this.#setTimer();
  }

  cancel(request: InferRequest): void {
    request.cancelled = true;
    const sequence = this.#table.find(request);
    if (sequence === null) return;
    if (sequence.row !== null) this.#laneOf.get(sequence.row)!.takeBack(sequence);
    const step = sequence.stepOf(request);
    if (step !== undefined) step.cancelled = true;
    // A request that iterates is what its sequence is for.
    if (step === undefined || this.kinds.isIterative) {
      const failed = this.#close(sequence, 'cancelled', 'a request of it was cancelled');
      fail(failed, new ServerError('CANCELLED', ''), 'CANCELED');
    }
    this.run();
  }

  /** They wait until the dead instance is out of the pool, and end with their sequences then. */
  putBack(requests: readonly InferRequest[]): void {
    for (const request of requests) {
      if (request instanceof Step) this.giveBack(request);
      else this.#fillers.release(request);
    }
  }

  run(): void {
    const nowUs = this.#clock.nowUs();
    this.ranUs = nowUs;
    if (this.#pool.instances !== this.#instances) this.#followPool();
    this.#release(nowUs);
    // Where a batch has ended those that run again are not back yet.
    if (this.kinds.isIterative) this.runSoon();
    else this.#runLanes(nowUs);
  }

  resume(): void {
    this.ranUs = this.#clock.nowUs();
    this.#runLanes(this.ranUs);
  }

  #runLanes(nowUs: number): void {
    this.#laneDueUs = Number.POSITIVE_INFINITY;
    for (const lane of this.#lanes.values()) this.#laneDueUs = Math.min(this.#laneDueUs, lane.run(nowUs));
    this.#setTimer();
  }

  stop(): void {
    this.#isStopped = true;
  }

  close(): void {
    this.#cancelTimer?.();
    for (const lane of this.#lanes.values()) lane.close();
  }

  snapshot(): SequenceSnapshot {
    const { strategy, slots } = this.#settings;
    return snapshotOf(this.#table, { strategy: strategy.kind, slots }, this.#clock.nowUs());
  }

  counts(): SequenceCounts {
    const { started, ended, backlog } = this.#table;
    const over = Object.values(ended.counts).reduce((sum, count) => sum + count, 0);
    return { inSlots: started - over - backlog.size, inBacklog: backlog.size, started, ended: ended.counts };
  }

  /** A request with this id goes on with a sequence that is here. */
  has(id: SequenceId): boolean {
    return this.#table.has(id);
  }

  /** Sequences that have not ended. */
  get live(): number {
    const { inSlots, inBacklog } = this.counts();
    return inSlots + inBacklog;
  }

  take(sequence: Sequence): InferRequest {
    return this.#table.take(sequence);
  }

  giveBack(step: Step): void {
    if (step.isFresh) step.sequenceOf.mustBegin = true;
    this.#table.giveBack(step);
  }

  ran(step: Step, failure: FailureReason | null): void {
    // Iterations end between batches too.
    const nowUs = this.kinds.isIterative ? this.#clock.nowUs() : this.ranUs;
    this.#table.ran(step, failure, nowUs);
    if (step.sequenceOf.isOver) this.#promote(nowUs);
    // If it is idle now the timer must be set for it, unless it is set for something before.
    if (this.#timerDueUs > this.ranUs + this.#settings.idleUs) this.#setTimer();
  }

  again(step: Step): ServerError | null {
    const { sequenceOf: sequence, request } = step;
    if (request.cancelled) return new ServerError('CANCELLED', '');
    if (sequence.end.reason !== 'end') return this.#ended(sequence, sequence.end.cause);
    this.#table.again(step, this.#clock.nowUs());
    return null;
  }

  lost(sequence: Sequence): void {
    const cause = 'an execution failed and left no state';
    fail(this.#close(sequence, 'failed', cause), this.#ended(sequence, cause), 'BACKEND');
  }

  runSoon(): void {
    if (this.#willRun) return;
    this.#willRun = true;
    this.#clock.after(0, () => {
      this.#willRun = false;
      if (this.kinds.isIterative) this.#runLanes(this.#clock.nowUs());
      else this.run();
    });
  }

  noMemory(): ServerError {
    return outOfOutputs(this.#settings.model);
  }

  isBusy(): boolean {
    return this.#instances.some(({ isIdle }) => !isIdle);
  }

  /** Once for each sequence. */
  #noteRestart({ id }: Sequence): void {
    this.#log.warning(
      `sequence ${id} of model '${this.#settings.model}' got START although it is live: it goes on in its slot, with a new state`,
    );
  }

  /** Ends what has been waited for long enough, and gives the slots on. */
  #release(nowUs: number): void {
    this.#table.reap(nowUs);
    if (nowUs >= this.#table.nextDeadlineUs) this.#expire(nowUs);
    this.#promote(nowUs);
    if (this.onAllEnded !== null && this.live === 0) this.onAllEnded();
  }

  #expire(nowUs: number): void {
    const error = new ServerError('UNAVAILABLE', 'timeout of the corresponding sequence has been expired');
    fail(this.#table.expire(nowUs), error, 'REJECTED');
  }

  #promote(nowUs: number): void {
    if (this.#table.backlog.size === 0) return;
    for (const sequence of this.#table.promote()) this.#laneOf.get(sequence.row!)!.offer(sequence, nowUs);
  }

  #close(sequence: Sequence, reason: EndReason, cause: string): InferRequest[] {
    return this.#table.close(sequence, reason, cause, this.#clock.nowUs());
  }

  /** Lanes for instances that came; the end of all sequences of those that went. */
  #followPool(): void {
    this.#instances = this.#pool.instances;
    for (const [instance, lane] of this.#lanes) if (!this.#instances.includes(instance)) this.#dropLane(lane);
    for (const instance of this.#instances) if (!this.#lanes.has(instance)) this.#addLane(instance);
    if (this.#pool.isAvailable) return;
    const error = unavailable(this.#settings.model);
    for (const sequence of [...this.#table.backlog]) {
      fail(this.#close(sequence, 'died', 'no instance can be started'), error, 'OTHER');
    }
  }

  #addLane(instance: Instance): void {
    const { strategy, slots: count, model } = this.#settings;
    const slots = new SlotRow(instance.name, count, () => instance.state === 'serving');
    const lane =
      strategy.kind === 'direct'
        ? new DirectLane(instance, slots, strategy.policy, this, this.#fillers)
        : new OldestLane(instance, slots, strategy.policy, model, this, this.#clock);
    this.#lanes.set(instance, lane);
    this.#laneOf.set(slots, lane);
    this.#table.addRow(slots);
  }

  /** What it ran or had in its ring has failed before. */
  #dropLane(lane: Lane): void {
    const { instance, slots } = lane;
    lane.close();
    this.#lanes.delete(instance);
    const cause = `instance '${instance.name}' died`;
    for (const sequence of slots.sequences()) {
      // They waited in the lane.
      const failed = sequence.running.splice(0).map(({ request }) => request);
      failed.push(...this.#close(sequence, 'died', cause));
      fail(failed, this.#ended(sequence, `${cause}, which had its state`), 'OTHER');
    }
    this.#table.removeRow(slots);
    this.#laneOf.delete(slots);
  }

  #ended({ id, hasOwnId }: Sequence, cause: string): ServerError {
    if (hasOwnId) {
      return new ServerError(
        'UNAVAILABLE',
        `the request to model '${this.#settings.model}' has ended: ${cause}; send it again`,
      );
    }
    return new ServerError(
      'UNAVAILABLE',
      `sequence ${id} of model '${this.#settings.model}' has ended: ${cause}; begin it again with the START flag`,
    );
  }

  #setTimer(): void {
    const idleUs = this.#table.nextIdleUs + REAP_SLACK_US;
    const dueUs = Math.min(this.#laneDueUs, this.#table.nextDeadlineUs, idleUs);
    // One that is early only looks once more.
    if (this.#timerDueUs <= dueUs) return;
    this.#cancelTimer?.();
    this.#timerDueUs = dueUs;
    this.#cancelTimer = this.#clock.after(Math.max(0, dueUs - this.#clock.nowUs()), () => {
      this.#timerDueUs = Number.POSITIVE_INFINITY;
      this.#cancelTimer = null;
      this.run();
    });
  }
}

function fail(requests: readonly InferRequest[], error: ServerError, reason: FailureReason): void {
  for (const request of requests) request.fail(error, reason);
}
