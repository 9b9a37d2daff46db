import type { Log } from '../../base/log.js';
import type { OpenTelemetrySettings } from './settings.js';
import type { Spans } from './span-exporter.js';
import type { Trace, TraceWriter } from './trace.js';

/** How long a receiver that does not answer may keep the server from ending. */
const LONGEST_CLOSE_MS = 3000;

/**
 * Traces become spans so many at a time, or so late: code that runs for one of them now and then is cold each time, and would cost
 * several times as much.
 */
const GATHERED = 32;
const GATHER_MS = 500;

/** What is gathered must find room in the queue of spans: a trace of one model has four, one of an ensemble three for each step. */
const SPANS_PER_TRACE = 16;

/** Mode opentelemetry: traces as spans (fact sheet 8.3). Whatever the receiver does, requests do not notice; what it cannot take is dropped. */
export class OpenTelemetryWriter implements TraceWriter {
  readonly #spans: Promise<Spans>;
  readonly #log: Log;
  readonly #gatherMs: number;
  readonly #gatheredMax: number;
  #gathered: Trace[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: OpenTelemetrySettings, log: Log) {
    this.#log = log;
    this.#gatherMs = Math.min(GATHER_MS, settings.scheduleDelayMs);
    this.#gatheredMax = Math.min(GATHERED, Math.ceil(settings.maxQueueSize / SPANS_PER_TRACE));
    // The SDK takes a tenth of a second to load: servers without it do not wait for that.
    this.#spans = import('./span-exporter.js').then(({ Spans }) => new Spans(settings, log));
    this.#spans.catch((error: unknown) => log.error(`there will be no spans: ${String(error)}`));
  }

  write(root: Trace): void {
    if (this.#gathered.push(root) === 1) this.#timer = setTimeout(() => this.#hand(), this.#gatherMs);
    if (this.#gathered.length >= this.#gatheredMax) this.#hand();
  }

  async flush(): Promise<void> {
    this.#hand();
    await this.#spans.then((spans) => spans.flush()).catch((error) => this.#failed(error));
  }

  async close(): Promise<void> {
    this.#hand();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LONGEST_CLOSE_MS);
    });
    const closed = this.#spans.then((spans) => spans.close()).catch((error) => this.#failed(error));
    await Promise.race([closed, late]);
    clearTimeout(timer);
  }

  #hand(): void {
    clearTimeout(this.#timer);
    const roots = this.#gathered;
    this.#gathered = [];
    this.#spans
      .then((spans) => {
        for (const root of roots) spans.add(root);
      })
      .catch((error) => this.#failed(error));
  }

  #failed(error: unknown): void {
    this.#log.verbose(1, `spans were lost: ${String(error)}`);
  }
}

/** As clients see them, by the names of the flags (fact sheet 1.13). */
export function openTelemetryReply(settings: OpenTelemetrySettings): Record<string, string> {
  return {
    url: settings.url,
    resource: [...settings.resource].map(([key, value]) => `${key}=${value}`).join(','),
    bsp_max_queue_size: String(settings.maxQueueSize),
    bsp_schedule_delay: String(settings.scheduleDelayMs),
    bsp_max_export_batch_size: String(settings.maxExportBatchSize),
  };
}
