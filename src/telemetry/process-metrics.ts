import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { monotonicUs } from '../base/clock.js';
import { Histogram, LATENCY_BUCKETS_US } from './histogram.js';
import type { MetricFamily } from './metrics.js';

const GC_KINDS: ReadonlyMap<number, string> = new Map([
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weak_callback'],
]);

/** What entries of type `gc` carry; Node's types leave it out. */
type GcEntry = PerformanceEntry & { readonly detail: { readonly kind: number } };

/** Time in garbage collection by its kind, in milliseconds. */
export class GcTimes {
  readonly #ms = new Map<string, number>(Array.from(GC_KINDS.values(), (kind) => [kind, 0]));

  /** `kind` is one of NODE_PERFORMANCE_GC_*; one that is not known here does not count. */
  add(kind: number, ms: number): void {
    const name = GC_KINDS.get(kind);
    if (name !== undefined) this.#ms.set(name, this.#ms.get(name)! + ms);
  }

  get family(): MetricFamily {
    return {
      name: 'conch_process_gc_seconds_total',
      help: 'Time the main thread spent in garbage collection',
      type: 'counter',
      collect: (emit) => {
        for (const [kind, ms] of this.#ms) emit.value({ kind }, ms / 1000);
      },
    };
  }
}

/** How late a regular timer ran: the last time, and all times. Its runs are spread evenly, so that they meet a busy loop as requests do. */
export class TimerLag {
  readonly #intervalUs: number;
  #dueUs: number;
  #lagUs = 0;
  readonly #delays = new Histogram(LATENCY_BUCKETS_US, 1e6);

  constructor(intervalUs: number, nowUs: number) {
    this.#intervalUs = intervalUs;
    this.#dueUs = nowUs + intervalUs;
  }

  /** The timer runs; its next time is one interval later. */
  ran(nowUs: number): void {
    this.#lagUs = Math.max(0, nowUs - this.#dueUs);
    this.#delays.observe(this.#lagUs);
    this.#dueUs = nowUs + this.#intervalUs;
  }

  get families(): MetricFamily[] {
    return [
      {
        name: 'conch_event_loop_lag_seconds',
        help: 'How late the main thread ran its last regular timer, one in half --metrics-interval-ms',
        type: 'gauge',
        collect: (emit) => emit.value({}, this.#lagUs / 1e6),
      },
      {
        name: 'conch_event_loop_delay_seconds',
        help: 'How late the main thread ran its regular timers, one in half --metrics-interval-ms',
        type: 'histogram',
        collect: (emit) => emit.histogram({}, this.#delays),
      },
    ];
  }
}

/**
 * The main thread: how late it is and its garbage collection. Not `monitorEventLoopDelay`, which wakes an idle process 100 times a second.
 */
export class ProcessMetrics {
  readonly #timer: NodeJS.Timeout;
  readonly #observer: PerformanceObserver;
  readonly #lag: TimerLag;
  readonly #gc = new GcTimes();

  constructor(intervalMs: number) {
    const periodMs = Math.max(1, Math.floor(intervalMs / 2));
    this.#lag = new TimerLag(periodMs * 1000, monotonicUs());
    this.#timer = setInterval(() => this.#lag.ran(monotonicUs()), periodMs);
    this.#timer.unref();
    this.#observer = new PerformanceObserver((list) => this.#count(list.getEntries()));
    this.#observer.observe({ entryTypes: ['gc'] });
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#observer.disconnect();
  }

  families(): MetricFamily[] {
    return [...this.#lag.families, this.#gc.family];
  }

  #count(entries: readonly PerformanceEntry[]): void {
    for (const entry of entries as readonly GcEntry[]) this.#gc.add(entry.detail.kind, entry.duration);
  }
}
