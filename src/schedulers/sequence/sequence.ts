import type { InferRequest } from '../../backends/request.js';
import { Fifo } from '../../base/fifo.js';
import type { SequenceId } from '../../types/infer.js';
import type { SlotRow } from './slot-row.js';
import type { Step } from './step.js';

/** Why a sequence is over: its END flag, or before its time. */
export type EndReason = 'end' | 'idle' | 'cancelled' | 'timeout' | 'died' | 'failed';

/**
 * One live sequence: first in the backlog (no row), then in a slot of an instance. Closed, no request can join it any more, but those
 * that it has still run; it keeps its slot until then.
 */
export class Sequence {
  readonly id: SequenceId;
  /** The server gave it, and clients were not told. */
  readonly hasOwnId: boolean;
  readonly startedUs: number;
  /** Accepted, and not given to the instance. */
  readonly waiting = new Fifo<InferRequest>();
  /** Null = it waits for a slot. */
  row: SlotRow | null = null;
  slot = -1;
  /** Given to the instance and not over, in their order: at most one in each of its batches. */
  readonly running: Step[] = [];
  /** Of its last request or its last answer. */
  lastUs: number;
  /** Requests that ended. */
  done = 0;
  isClosed = false;
  /** For `IdleList` alone, like the two below. */
  isIdle = false;
  idleBefore: Sequence | null = null;
  idleAfter: Sequence | null = null;
  /** Requests with START that came while it was live. */
  restarts = 0;
  /** It has left its slot, or never had one. */
  isOver = false;
  /** Why it will be over, and the same in words. */
  end: { readonly reason: EndReason; readonly cause: string } = { reason: 'end', cause: 'END flag' };
  /** By when it must have a slot. */
  deadlineUs = Number.POSITIVE_INFINITY;
  /** Its next step begins with a new state, whether or not it has START: the one that had it never reached the instance. */
  mustBegin = true;
  /** The shapes of its state, where they can change; '' = as in the beginning. */
  stateKey = '';

  constructor(id: SequenceId, nowUs: number, hasOwnId = false) {
    this.id = id;
    this.hasOwnId = hasOwnId;
    this.startedUs = nowUs;
    this.lastUs = nowUs;
  }

  /** As operators see it; 0 = its request came without one. */
  get shownId(): SequenceId {
    return this.hasOwnId ? 0 : this.id;
  }

  get isQuiet(): boolean {
    return this.running.length === 0 && this.waiting.length === 0;
  }

  /** A request at the instance; undefined = it is not there. */
  stepOf(request: InferRequest): Step | undefined {
    return this.running.find((step) => step.request === request);
  }
}
