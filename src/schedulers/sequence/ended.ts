import { Fifo } from '../../base/fifo.js';
import type { SequenceId } from '../../types/infer.js';
import type { EndReason, Sequence } from './sequence.js';

/** Shown in the live view. */
const LISTED = 100;
/** Remembered by id, for whoever goes on with a sequence that is over. */
const REMEMBERED = 4096;

export const END_REASONS: readonly EndReason[] = ['end', 'idle', 'cancelled', 'timeout', 'died', 'failed'];

export type EndReasonCounts = Readonly<Record<EndReason, number>>;

/** A sequence that is over. */
export interface EndedSequence {
  readonly id: SequenceId;
  readonly reason: EndReason;
  /** The reason in words. */
  readonly cause: string;
  readonly endedUs: number;
  readonly livedUs: number;
  /** '' = it never had a slot. */
  readonly instance: string;
  readonly requests: number;
}

/** What became of sequences: the last hundred in order, some thousands by id, and how many there were. */
export class EndedSequences {
  readonly #list = new Fifo<EndedSequence>();
  readonly #byId = new Map<SequenceId, EndedSequence>();
  readonly counts: Record<EndReason, number> = { end: 0, idle: 0, cancelled: 0, timeout: 0, died: 0, failed: 0 };

  add(sequence: Sequence, reason: EndReason, cause: string, nowUs: number): void {
    const { shownId: id, startedUs, row, done } = sequence;
    const ended: EndedSequence = {
      id,
      reason,
      cause,
      endedUs: nowUs,
      livedUs: nowUs - startedUs,
      instance: row?.name ?? '',
      requests: done,
    };
    this.counts[reason]++;
    if (this.#list.length === LISTED) this.#list.shift();
    this.#list.push(ended);
    // Nobody asks for what nobody was told.
    if (sequence.hasOwnId) return;
    this.#byId.delete(id);
    this.#byId.set(id, ended);
    if (this.#byId.size > REMEMBERED) this.#byId.delete(this.#byId.keys().next().value!);
  }

  /** The last one of this id. */
  find(id: SequenceId): EndedSequence | null {
    return this.#byId.get(id) ?? null;
  }

  /** The newest first. */
  list(): EndedSequence[] {
    return Array.from({ length: this.#list.length }, (_, index) => this.#list.at(this.#list.length - 1 - index));
  }
}
