import type { Log } from '../../base/log.js';
import { OpenTelemetryWriter, openTelemetryReply } from './open-telemetry.js';
import type { OpenTelemetrySettings, TraceSettings } from './settings.js';
import type { TraceWriter } from './trace.js';
import { TraceFile } from './trace-file.js';
import { Tracing } from './tracing.js';

/** What `--trace-config` asked for. */
interface Asked {
  readonly settings: TraceSettings;
  readonly openTelemetry: OpenTelemetrySettings;
}

/** Tracing with what takes traces in its mode. */
export function buildTracing({ settings, openTelemetry }: Asked, log: Log): Tracing {
  if (settings.mode === 'triton') {
    const writer = settings.file === '' ? nowhere : new TraceFile(settings.file, log);
    return new Tracing({ settings, writer, exportSettings: {} });
  }
  const writer = new OpenTelemetryWriter(openTelemetry, log);
  return new Tracing({ settings, writer, exportSettings: openTelemetryReply(openTelemetry) });
}

const nowhere: TraceWriter = { write() {}, flush() {}, close() {} };
