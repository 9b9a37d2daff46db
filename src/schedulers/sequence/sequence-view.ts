import type { SequenceId } from '../../types/infer.js';
import type { EndedSequence, EndReasonCounts } from './ended.js';
import type { Sequence } from './sequence.js';
import type { SequenceTable } from './sequence-table.js';

/** A live sequence as operators see it. */
export interface LiveSequence {
  /** 0 = its request came without one. */
  readonly id: SequenceId;
  /** It has a slot (`candidate` with the strategy oldest), or has one until what it has is done, or waits for one. */
  readonly state: 'slot' | 'candidate' | 'ending' | 'backlog';
  /** '' in the backlog. */
  readonly instance: string;
  /** Number of its slot, or its place in the backlog, from 0 on. */
  readonly place: number;
  readonly ageUs: number;
  /** Since its last request or answer; 0 while it has work. */
  readonly idleUs: number;
  readonly requestsDone: number;
  /** Waiting and running. */
  readonly requestsQueued: number;
}

/** For metrics. */
export interface SequenceCounts {
  readonly inSlots: number;
  readonly inBacklog: number;
  readonly started: number;
  readonly ended: EndReasonCounts;
}

export interface SequenceSnapshot {
  readonly strategy: 'direct' | 'oldest';
  /** Of each instance. */
  readonly slots: number;
  readonly live: readonly LiveSequence[];
  /** The last hundred, the newest first. */
  readonly ended: readonly (EndedSequence & { readonly agoUs: number })[];
}

export function snapshotOf(
  table: SequenceTable,
  form: Pick<SequenceSnapshot, 'strategy' | 'slots'>,
  nowUs: number,
): SequenceSnapshot {
  const inSlots = table.rows
    .flatMap((row) => row.sequences())
    .map((sequence) => viewOf(sequence, sequence.slot, form.strategy, nowUs));
  const waiting = [...table.backlog].map((sequence, place) => viewOf(sequence, place, form.strategy, nowUs));
  return {
    ...form,
    live: [...inSlots, ...waiting],
    ended: table.ended.list().map((ended) => ({ ...ended, agoUs: nowUs - ended.endedUs })),
  };
}

function viewOf(
  sequence: Sequence,
  place: number,
  strategy: SequenceSnapshot['strategy'],
  nowUs: number,
): LiveSequence {
  const { shownId: id, row, isClosed, isQuiet, startedUs, lastUs, done, waiting, running } = sequence;
  const placed = strategy === 'direct' ? 'slot' : 'candidate';
  const state = row === null ? 'backlog' : isClosed ? 'ending' : placed;
  return {
    id,
    state,
    instance: row?.name ?? '',
    place,
    ageUs: nowUs - startedUs,
    idleUs: isQuiet ? nowUs - lastUs : 0,
    requestsDone: done,
    requestsQueued: waiting.length + running.length,
  };
}
