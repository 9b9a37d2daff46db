import type { Log } from '../../base/log.js';
import type { OpenTelemetrySettings } from './settings.js';
import type { Spans } from './span-exporter.js';
import type { Trace, TraceWriter } from './trace.js';

/** How long a receiver that does not answer may keep the server from ending. */
const LONGEST_CLOSE_MS = 3000;

/** Mode opentelemetry: traces as spans (fact sheet 8.3). Whatever the receiver does, requests do not notice; what it cannot take is dropped. */
export class OpenTelemetryWriter implements TraceWriter {
  readonly #spans: Promise<Spans>;
  readonly #log: Log;

  constructor(settings: OpenTelemetrySettings, log: Log) {
    this.#log = log;
    // The SDK takes a tenth of a second to load: servers without it do not wait for that.
    this.#spans = import('./span-exporter.js').then(({ Spans }) => new Spans(settings, log));
    this.#spans.catch((error: unknown) => log.error(`there will be no spans: ${String(error)}`));
  }

  write(root: Trace): void {
    this.#spans.then((spans) => spans.add(root)).catch((error) => this.#failed(error));
  }

  async flush(): Promise<void> {
    await this.#spans.then((spans) => spans.flush()).catch((error) => this.#failed(error));
  }

  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LONGEST_CLOSE_MS);
    });
    const closed = this.#spans.then((spans) => spans.close()).catch((error) => this.#failed(error));
    await Promise.race([closed, late]);
    clearTimeout(timer);
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
