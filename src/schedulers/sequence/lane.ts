import type { Instance } from '../../backends/instance.js';
import type { InferRequest } from '../../backends/request.js';
import { NO_STATE, stateWord } from '../../memory/layout.js';
import type { FailureReason } from '../../telemetry/statistics.js';
import type { ServerError } from '../../types/errors.js';
import { IterativeStep } from './iterative-step.js';
import type { Sequence } from './sequence.js';
import type { SlotRow } from './slot-row.js';
import { Step, type StepOwner } from './step.js';

/** One instance with its slots: decides when the requests of the sequences in them run. */
export interface Lane {
  readonly instance: Instance;
  readonly slots: SlotRow;
  /** Given to the instance, and not begun. */
  readonly pending: number;
  /** A request of this sequence, which has a slot here, waits. */
  offer(sequence: Sequence, nowUs: number): void;
  /** Begins what can begin; when to call it again where nothing happens before. To be called whenever the instance has room. */
  run(nowUs: number): number;
  /** What it gave to the instance of this sequence and has not begun waits again; `run` must follow. */
  takeBack(sequence: Sequence): void;
  /** The instance is gone. */
  close(): void;
}

/** What a lane asks of its scheduler. */
export interface LaneHost {
  readonly kinds: StepKinds;
  /** When lanes last ran, which they do whenever a batch ends: one reading of the clock for all its steps. */
  readonly ranUs: number;
  /** Takes the next request of a sequence out of its queue. */
  take(sequence: Sequence): InferRequest;
  /** The step did not begin. */
  giveBack(step: Step): void;
  /** A step is over: its slot may be another sequence's when this returns. @param failure null = it ended well */
  ran(step: Step, failure: FailureReason | null): void;
  /** A step is over and its request waits again: null. Else it cannot, and nothing has changed: what the request fails with. */
  again(step: Step): ServerError | null;
  /** A step failed so that its sequence cannot go on. */
  lost(sequence: Sequence): void;
  /** Calls `run` of all lanes when this turn of the event loop is over. */
  runSoon(): void;
  noMemory(): ServerError;
  /** Something runs, at any instance, whose end brings memory back. */
  isBusy(): boolean;
}

/** What a model's configuration makes of its steps. */
export interface StepKinds {
  /** It has implicit state. */
  readonly hasState: boolean;
  /** The shapes of its state can change. */
  readonly hasVariableState: boolean;
  /** State is written over where it was read: a failed execution leaves none. */
  readonly overwritesState: boolean;
  /** Its requests may ask to run again (`iterative_sequence`). */
  readonly isIterative: boolean;
}

/** The next request of a sequence as its instance sees it; it is one of the sequence's running steps from now on. */
export function nextStep(host: LaneHost, sequence: Sequence, owner: StepOwner): Step {
  const key = stepKey(host.kinds, sequence);
  const request = host.take(sequence);
  const isFresh = begins(sequence, request);
  if (isFresh) sequence.stateKey = '';
  sequence.mustBegin = false;
  const state = host.kinds.hasState ? stateWord(sequence.slot, isFresh) : NO_STATE;
  const Kind = host.kinds.isIterative ? IterativeStep : Step;
  const step = new Kind(sequence, request, key, { state, isFresh }, owner);
  sequence.running.push(step);
  return step;
}

/** The batch key of a sequence's next request: shapes of its inputs, and of its state where that can change. */
export function stepKey({ hasVariableState }: StepKinds, sequence: Sequence): string {
  const request = sequence.waiting.at(0);
  if (!hasVariableState) return request.batchKey;
  return `${request.batchKey}|${begins(sequence, request) ? '' : sequence.stateKey}`;
}

/** A step failed. One that the worker never saw leaves it to the next to begin; one that has spoiled its state ends the sequence. */
export function noteFailure(host: LaneHost, { state }: Instance, step: Step, reason: FailureReason): void {
  if (reason !== 'BACKEND') step.sequenceOf.mustBegin ||= step.isFresh;
  else if (host.kinds.overwritesState && state === 'serving') host.lost(step.sequenceOf);
}

function begins({ mustBegin }: Sequence, { sequence }: InferRequest): boolean {
  return mustBegin || sequence.sequenceStart;
}
