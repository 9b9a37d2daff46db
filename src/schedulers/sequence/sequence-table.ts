import type { InferRequest } from '../../backends/request.js';
import type { FailureReason } from '../../telemetry/statistics.js';
import { invalid, ServerError } from '../../types/errors.js';
import type { SequenceId } from '../../types/infer.js';
import { stopping } from '../refusals.js';
import { EndedSequences } from './ended.js';
import { IdleList } from './idle-list.js';
import type { StepKinds } from './lane.js';
import { isOwnId } from './own-ids.js';
import { type EndReason, Sequence } from './sequence.js';
import type { SlotRow } from './slot-row.js';
import type { Step } from './step.js';

export interface SequenceRules {
  /** For messages. */
  readonly model: string;
  /** `max_sequence_idle_microseconds`. */
  readonly idleUs: number;
  /** Sequences that may wait for a slot. */
  readonly maxBacklog: number;
  readonly kinds: StepKinds;
}

/**
 * All live sequences of one model: which request belongs to which, who has which slot, who waits for one and who is over (fact sheet
 * 5.3). Pure: time is given to it, and requests that must fail are given back.
 */
export class SequenceTable {
  readonly ended = new EndedSequences();
  readonly #rules: SequenceRules;
  readonly #rows: SlotRow[] = [];
  /** Those that a request can still join. */
  readonly #byId = new Map<SequenceId, Sequence>();
  readonly #backlog = new Set<Sequence>();
  readonly #idle = new IdleList();
  /** No sequence of the backlog must have its slot earlier. */
  #nextDeadlineUs = Number.POSITIVE_INFINITY;
  /** Requests that wait, of all sequences. */
  waiting = 0;
  started = 0;

  constructor(rules: SequenceRules) {
    this.#rules = rules;
  }

  get rows(): readonly SlotRow[] {
    return this.#rows;
  }

  get backlog(): ReadonlySet<Sequence> {
    return this.#backlog;
  }

  addRow(row: SlotRow): void {
    this.#rows.push(row);
  }

  /** Its sequences must have been closed. */
  removeRow(row: SlotRow): void {
    this.#rows.splice(this.#rows.indexOf(row), 1);
  }

  /** Takes a request into its sequence, which it may begin. Throws Triton's texts, in its order; then nothing has changed. */
  admit(request: InferRequest, nowUs: number, isStopping: boolean): Sequence {
    const { sequenceId: id, sequenceStart, sequenceEnd } = request.sequence;
    const { model } = this.#rules;
    if (request.rows > 1) {
      throw invalid(
        `inference request to model '${model}' must specify batch-size 1 due to requirements of sequence batcher`,
      );
    }
    if (id === 0 || id === '') {
      throw invalid(`inference request to model '${model}' must specify a non-zero or non-empty correlation ID`);
    }
    if (isStopping && sequenceStart) throw stopping();
    let sequence = this.#byId.get(id);
    if (sequence === undefined) {
      if (!sequenceStart) throw this.#unknown(id, nowUs);
      sequence = this.#begin(id, nowUs);
    } else if (sequenceStart) {
      sequence.restarts++;
    }
    this.#join(sequence, request, nowUs);
    if (sequenceEnd) this.#unmap(sequence);
    return sequence;
  }

  /** The next request of a sequence leaves for its instance. */
  take(sequence: Sequence): InferRequest {
    this.waiting--;
    return sequence.waiting.shift();
  }

  /** It did not begin: its request is the next one again. */
  giveBack(step: Step): void {
    const { sequenceOf: sequence, request } = step;
    remove(sequence.running, step);
    sequence.waiting.unshift(request);
    this.waiting++;
  }

  /** A request that a sequence had at its instance is over. */
  ran(step: Step, failure: FailureReason | null, nowUs: number): void {
    const { sequenceOf: sequence } = step;
    remove(sequence.running, step);
    sequence.done++;
    sequence.lastUs = nowUs;
    if (!sequence.isQuiet) return;
    if (sequence.isClosed || this.#endsQuiet(sequence, failure)) this.#leave(sequence, nowUs);
    else this.#idle.add(sequence);
  }

  /** A request that a sequence had at its instance runs again, behind what waits. */
  again(step: Step, nowUs: number): void {
    const { sequenceOf: sequence, request } = step;
    remove(sequence.running, step);
    request.runAgain();
    request.queuedUs = nowUs;
    sequence.lastUs = nowUs;
    sequence.waiting.push(request);
    this.waiting++;
  }

  /** Ends a sequence before its time. Its waiting requests are the caller's; those that run keep the slot until they ended. */
  close(sequence: Sequence, reason: EndReason, cause: string, nowUs: number): InferRequest[] {
    const failed: InferRequest[] = [];
    while (sequence.waiting.length > 0) failed.push(this.take(sequence));
    if (this.#byId.get(sequence.id) === sequence) this.#byId.delete(sequence.id);
    sequence.isClosed = true;
    sequence.end = { reason, cause };
    if (sequence.running.length === 0) this.#leave(sequence, nowUs);
    return failed;
  }

  /** Moves sequences of the backlog into slots that are free, and returns them. */
  promote(): Sequence[] {
    const promoted: Sequence[] = [];
    for (const sequence of this.#backlog) {
      if (!this.#place(sequence)) break;
      this.#backlog.delete(sequence);
      promoted.push(sequence);
    }
    return promoted;
  }

  /** Releases the slots of sequences that said nothing for too long. */
  reap(nowUs: number): void {
    const { idleUs } = this.#rules;
    for (let first = this.#idle.first; first !== null; first = this.#idle.first) {
      if (nowUs - first.lastUs < idleUs) return;
      this.close(first, 'idle', `idle longer than ${idleUs} us`, nowUs);
    }
  }

  /** The requests of sequences that did not get a slot in time. */
  expire(nowUs: number): InferRequest[] {
    const expired: InferRequest[] = [];
    if (nowUs < this.#nextDeadlineUs) return expired;
    this.#nextDeadlineUs = Number.POSITIVE_INFINITY;
    for (const sequence of this.#backlog) {
      if (sequence.deadlineUs > nowUs) this.#nextDeadlineUs = Math.min(this.#nextDeadlineUs, sequence.deadlineUs);
      else expired.push(...this.close(sequence, 'timeout', 'it got no slot in time', nowUs));
    }
    return expired;
  }

  /** When `expire` has something to do; may be too early. */
  get nextDeadlineUs(): number {
    return this.#nextDeadlineUs;
  }

  /** When `reap` has something to do. */
  get nextIdleUs(): number {
    const { first } = this.#idle;
    return first === null ? Number.POSITIVE_INFINITY : first.lastUs + this.#rules.idleUs;
  }

  /** A request with this id would go on with a sequence. */
  has(id: SequenceId): boolean {
    return this.#byId.has(id);
  }

  /** The sequence of an accepted request that has not ended; null = there is none. Searches: for the rare. */
  find(request: InferRequest): Sequence | null {
    const has = (sequence: Sequence) => sequence.stepOf(request) !== undefined || waitsIn(sequence, request);
    const likely = this.#byId.get(request.sequence.sequenceId);
    if (likely !== undefined && has(likely)) return likely;
    return this.live().find((sequence) => sequence.id === request.sequence.sequenceId && has(sequence)) ?? null;
  }

  /** In slots, by instance and slot, then the backlog in order. */
  live(): Sequence[] {
    return [...this.#rows.flatMap((row) => row.sequences()), ...this.#backlog];
  }

  #begin(id: SequenceId, nowUs: number): Sequence {
    const sequence = new Sequence(id, nowUs, this.#rules.kinds.isIterative && isOwnId(id));
    if (!this.#place(sequence)) {
      const { model, maxBacklog } = this.#rules;
      if (this.#backlog.size >= maxBacklog) {
        throw new ServerError(
          'UNAVAILABLE',
          `all sequence slots of model '${model}' are taken and ${maxBacklog} sequences wait for one; send fewer sequences at once or raise --sequence-max-backlog`,
        );
      }
      this.#backlog.add(sequence);
    }
    this.#byId.set(id, sequence);
    this.started++;
    return sequence;
  }

  #join(sequence: Sequence, request: InferRequest, nowUs: number): void {
    this.#idle.remove(sequence);
    sequence.waiting.push(request);
    this.waiting++;
    sequence.lastUs = nowUs;
    if (sequence.row !== null || request.timeoutUs === 0) return;
    sequence.deadlineUs = Math.min(sequence.deadlineUs, nowUs + request.timeoutUs);
    this.#nextDeadlineUs = Math.min(this.#nextDeadlineUs, sequence.deadlineUs);
  }

  /** Its END has come: a request with its id begins another one from now on. */
  #unmap(sequence: Sequence): void {
    this.#byId.delete(sequence.id);
    sequence.isClosed = true;
  }

  /** An iterative model has a sequence as long as a request of it is not answered; whoever drops its instance says how it ends otherwise. */
  #endsQuiet(sequence: Sequence, failure: FailureReason | null): boolean {
    if (!this.#rules.kinds.isIterative || !sequence.row!.isUsable) return false;
    const [reason, fate] = failure === null ? (['end', 'was answered'] as const) : (['failed', 'failed'] as const);
    sequence.end = { reason, cause: `its last request ${fate}` };
    this.#unmap(sequence);
    return true;
  }

  /** The free slot with the lowest number over all instances; false = there is none. */
  #place(sequence: Sequence): boolean {
    let best: SlotRow | null = null;
    let slot = -1;
    for (const row of this.#rows) {
      const free = row.lowestFree();
      if (free < 0 || (best !== null && free >= slot)) continue;
      best = row;
      slot = free;
    }
    best?.put(slot, sequence);
    return best !== null;
  }

  #leave(sequence: Sequence, nowUs: number): void {
    sequence.isOver = true;
    sequence.row?.empty(sequence.slot);
    this.#backlog.delete(sequence);
    this.#idle.remove(sequence);
    const { reason, cause } = sequence.end;
    this.ended.add(sequence, reason, cause, nowUs);
  }

  #unknown(id: SequenceId, nowUs: number): ServerError {
    const { model } = this.#rules;
    const text = `inference request for sequence ${id} to model '${model}' must specify the START flag on the first request of the sequence`;
    return invalid(text + this.#fateOf(id, nowUs));
  }

  /** What happened to a sequence of this id, to be appended; '' = nothing is known. */
  #fateOf(id: SequenceId, nowUs: number): string {
    const ending = this.live().find((sequence) => sequence.id === id);
    if (ending !== undefined) return `; sequence ${id} is ending (${ending.end.cause})`;
    const ended = this.ended.find(id);
    if (ended === null) return '';
    return `; sequence ${id} was released ${((nowUs - ended.endedUs) / 1e6).toFixed(1)} s ago (${ended.cause})`;
  }
}

/** Steps of a sequence end in their order, but for those that could not begin. */
function remove(running: Step[], step: Step): void {
  if (running[0] === step) running.shift();
  else running.splice(running.indexOf(step), 1);
}

function waitsIn({ waiting }: Sequence, request: InferRequest): boolean {
  for (let index = 0; index < waiting.length; index++) if (waiting.at(index) === request) return true;
  return false;
}
