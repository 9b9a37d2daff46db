import { invalid } from '../../types/errors.js';

export type TraceMode = 'triton' | 'opentelemetry';
export type TraceLevel = 'TIMESTAMPS' | 'TENSORS';

/** What is traced in one scope, which is the server or a model (fact sheet 8.1). */
export interface TraceSettings {
  /** In this order: TIMESTAMPS, TENSORS; none = OFF. */
  readonly levels: readonly TraceLevel[];
  /** Every Nth request; 0 = only those that come with a sampled parent, in mode opentelemetry. */
  readonly rate: number;
  /** Traces that are left; -1 = no end. */
  readonly count: number;
  /** Traces that go into one file; 0 = all into one. Of mode triton. */
  readonly logFrequency: number;
  /** '' = none. Of mode triton, and fixed at the start. */
  readonly file: string;
  /** Fixed at the start. */
  readonly mode: TraceMode;
}

/** The fields that requests can change. */
export type TraceField = 'levels' | 'rate' | 'count' | 'logFrequency';

/** What a scope says itself; what is not there follows the scope above it: a model the server, the server its command line. */
export type TraceOverrides = Readonly<Partial<Pick<TraceSettings, TraceField>>>;

/** A change of a scope: null takes its own value of a field away, and what is not there stays. */
export type TracePatch = { readonly [Field in TraceField]?: TraceSettings[Field] | null };

export const defaultTraceSettings: TraceSettings = {
  levels: [],
  rate: 1000,
  count: -1,
  logFrequency: 0,
  file: '',
  mode: 'triton',
};

export function patched(own: TraceOverrides, patch: TracePatch): TraceOverrides {
  const entries = Object.entries({ ...own, ...patch });
  return Object.fromEntries(entries.filter(([, value]) => value !== null && value !== undefined));
}

/** A field at a time: what the scope says itself, else what the one above it says. */
export function settingsWith(above: TraceSettings, own: TraceOverrides): TraceSettings {
  return { ...above, ...own };
}

/** Throws INVALID_ARGUMENT, in Triton's words, where something would be traced and cannot. What is OFF may say anything. */
export function checkTraceSettings(settings: TraceSettings): void {
  if (settings.levels.length === 0) return;
  const reason = reasonAgainst(settings);
  if (reason !== null) throw invalid(`Attempting to set invalid trace setting :${reason}`);
}

function reasonAgainst({ mode, rate, file }: TraceSettings): string | null {
  if (mode === 'opentelemetry') return null;
  if (rate === 0) return 'sample rate must be non-zero';
  return file === '' ? 'trace file name is not given' : null;
}

/** False = no request at all can be traced. */
export function maySample({ levels, count, rate, mode }: TraceSettings): boolean {
  return levels.length > 0 && count !== 0 && (rate > 0 || mode === 'opentelemetry');
}

/** Where spans go in mode opentelemetry (fact sheet 8.3), fixed at the start. */
export interface OpenTelemetrySettings {
  /** OTLP over HTTP, protobuf. */
  readonly url: string;
  /** Attributes of this server, `service.name` among them. */
  readonly resource: ReadonlyMap<string, string>;
  /** Spans that wait to be sent; more are dropped. */
  readonly maxQueueSize: number;
  readonly scheduleDelayMs: number;
  /** Spans of one request to the receiver; at most `maxQueueSize`. */
  readonly maxExportBatchSize: number;
}
