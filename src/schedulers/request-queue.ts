import type { InferRequest } from '../backends/request.js';
import { Fifo } from '../base/fifo.js';
import { ServerError } from '../types/errors.js';
import type { PendingView } from './batch-plan.js';

/** `ModelQueuePolicy` in our units. */
export interface QueuePolicy {
  /** What happens to a request that has waited too long: refused, or served after all others of its level. */
  readonly timeoutAction: 'REJECT' | 'DELAY';
  /** 0 = requests may wait for ever. */
  readonly defaultTimeoutUs: number;
  /** A request's own time-out counts where it is shorter than the default. */
  readonly allowTimeoutOverride: boolean;
  /** Requests of one level that may wait; 0 = any number. */
  readonly maxSize: number;
}

export const OPEN_POLICY: QueuePolicy = {
  timeoutAction: 'REJECT',
  defaultTimeoutUs: 0,
  allowTimeoutOverride: false,
  maxSize: 0,
};

export interface QueueSettings {
  /** 0 and 1 = one level. */
  readonly levels: number;
  /** Where requests without a priority, or with one beyond the levels, go: 1 to `levels`. */
  readonly defaultLevel: number;
  readonly defaultPolicy: QueuePolicy;
  /** By level, 1 to `levels`. */
  readonly levelPolicies: ReadonlyMap<number, QueuePolicy>;
}

/** Empty levels are kept up to this number of all: there may be 2^64 - 1, which a client may go through. */
const LEVELS_KEPT = 64;

interface Waiting {
  readonly request: InferRequest;
  /** Monotonic microseconds; Infinity = never. */
  readonly deadlineUs: number;
}

/** One priority level: first those in time, then those that waited too long and were put off. */
class Level {
  /** 1 = served first. */
  readonly priority: number;
  readonly policy: QueuePolicy;
  readonly waiting = new Fifo<Waiting>();
  readonly delayed = new Fifo<Waiting>();

  constructor(priority: number, policy: QueuePolicy) {
    this.priority = priority;
    this.policy = policy;
  }

  get length(): number {
    return this.waiting.length + this.delayed.length;
  }

  at(index: number): Waiting {
    const ahead = this.waiting.length;
    return index < ahead ? this.waiting.at(index) : this.delayed.at(index - ahead);
  }

  remove(request: InferRequest): boolean {
    return removeFrom(this.waiting, request) || removeFrom(this.delayed, request);
  }
}

/**
 * The requests of one model that wait for an instance, by priority level (fact sheet 5.1). Reads no clock and answers nobody:
 * what has expired is given to the caller.
 */
export class RequestQueue implements PendingView {
  readonly #settings: QueueSettings;
  readonly #levelCount: number;
  readonly #defaultLevel: number;
  /** Those that have been asked for, in serving order. */
  #levels: Level[] = [];
  #length = 0;
  /** No deadline is earlier than this. */
  #nextDeadlineUs = Number.POSITIVE_INFINITY;

  constructor(settings: QueueSettings) {
    this.#settings = settings;
    this.#levelCount = Math.max(1, settings.levels);
    this.#defaultLevel = Math.min(Math.max(1, settings.defaultLevel), this.#levelCount);
    this.#open(this.#defaultLevel);
  }

  get length(): number {
    return this.#length;
  }

  /** When something expires next, monotonic microseconds; may be too early, never too late. Infinity = never. */
  get nextDeadlineUs(): number {
    return this.#nextDeadlineUs;
  }

  /** When the request that would be served first was queued. Only where not empty. */
  get oldestUs(): number {
    return this.at(0).queuedUs;
  }

  /** Throws UNAVAILABLE when the request's level is full. */
  push(request: InferRequest, nowUs: number): void {
    const level = this.#levelOf(request);
    const { maxSize } = level.policy;
    if (maxSize > 0 && level.length >= maxSize) throw new ServerError('UNAVAILABLE', 'Exceeds maximum queue size');
    request.queuedUs = nowUs;
    const deadlineUs = nowUs + timeoutUs(level.policy, request);
    level.waiting.push({ request, deadlineUs });
    if (deadlineUs < this.#nextDeadlineUs) this.#nextDeadlineUs = deadlineUs;
    this.#length++;
  }

  /** Puts back, before all others of its level, what was taken but not begun. It keeps its age and expires no more. */
  putBack(request: InferRequest): void {
    this.#levelOf(request).waiting.unshift({ request, deadlineUs: Number.POSITIVE_INFINITY });
    this.#length++;
  }

  /** Takes over all that waits in another queue, in its order: none is refused, and each waits as long as its new policy says. */
  adopt(other: RequestQueue): void {
    while (other.length > 0) {
      const request = other.shift();
      const level = this.#levelOf(request);
      const deadlineUs = request.queuedUs + timeoutUs(level.policy, request);
      level.waiting.push({ request, deadlineUs });
      if (deadlineUs < this.#nextDeadlineUs) this.#nextDeadlineUs = deadlineUs;
      this.#length++;
    }
  }

  /** The request at `index` in serving order. */
  at(index: number): InferRequest {
    let left = index;
    for (const level of this.#levels) {
      if (left < level.length) return level.at(left).request;
      left -= level.length;
    }
    throw new RangeError('index beyond the queue');
  }

  rowsAt(index: number): number {
    return this.at(index).rows;
  }

  keyAt(index: number): string {
    return this.at(index).batchKey;
  }

  /** Takes the first request in serving order. Only where not empty. */
  shift(): InferRequest {
    const level = this.#levels.find((candidate) => candidate.length > 0)!;
    this.#length--;
    return (level.waiting.length > 0 ? level.waiting : level.delayed).shift().request;
  }

  /** Takes out a request whose client is gone; false = it is not here. */
  remove(request: InferRequest): boolean {
    const removed = this.#levels.some((level) => level.remove(request));
    if (removed) this.#length--;
    return removed;
  }

  /** Puts off or takes out what has waited too long; the result is what was taken out. */
  expire(nowUs: number): InferRequest[] {
    const rejected: InferRequest[] = [];
    if (nowUs < this.#nextDeadlineUs) return rejected;
    this.#nextDeadlineUs = Number.POSITIVE_INFINITY;
    for (const level of this.#levels) this.#expireLevel(level, nowUs, rejected);
    return rejected;
  }

  #expireLevel(level: Level, nowUs: number, rejected: InferRequest[]): void {
    for (let left = level.waiting.length; left > 0; left--) {
      const entry = level.waiting.shift();
      if (entry.deadlineUs > nowUs) {
        level.waiting.push(entry);
        this.#nextDeadlineUs = Math.min(this.#nextDeadlineUs, entry.deadlineUs);
      } else if (level.policy.timeoutAction === 'DELAY') {
        level.delayed.push(entry);
      } else {
        this.#length--;
        rejected.push(entry.request);
      }
    }
  }

  #levelOf(request: InferRequest): Level {
    const { priority } = request;
    if (this.#levelCount === 1) return this.#levels[0]!;
    const inRange = priority >= 1 && priority <= this.#levelCount;
    const wanted = inRange ? priority : this.#defaultLevel;
    return this.#levels.find((level) => level.priority === wanted) ?? this.#open(wanted);
  }

  #open(priority: number): Level {
    if (this.#levels.length >= LEVELS_KEPT) this.#levels = this.#levels.filter((level) => level.length > 0);
    const { levelPolicies, defaultPolicy } = this.#settings;
    const level = new Level(priority, levelPolicies.get(priority) ?? defaultPolicy);
    const behind = this.#levels.findIndex((other) => other.priority > priority);
    this.#levels.splice(behind === -1 ? this.#levels.length : behind, 0, level);
    return level;
  }
}

/** A request's time-out counts only where the policy allows it and its own is longer (`PolicyQueue::Enqueue`). */
function timeoutUs(policy: QueuePolicy, request: InferRequest): number {
  const { defaultTimeoutUs } = policy;
  if (defaultTimeoutUs === 0) return Number.POSITIVE_INFINITY;
  const own = request.timeoutUs;
  return policy.allowTimeoutOverride && own > 0 && own < defaultTimeoutUs ? own : defaultTimeoutUs;
}

function removeFrom(fifo: Fifo<Waiting>, request: InferRequest): boolean {
  for (let index = 0; index < fifo.length; index++) {
    if (fifo.at(index).request !== request) continue;
    fifo.removeAt(index);
    return true;
  }
  return false;
}
