import type { InferenceServer } from '../core/server.js';
import type { TraceLevel, TracePatch, TraceSettings } from '../telemetry/trace/settings.js';
import { invalid, ServerError } from '../types/errors.js';

/** What a client wants of one setting: values, or null = it is cleared. */
export type WantedSettings = ReadonlyMap<string, readonly string[] | null>;

const MAX_COUNT = 2_147_483_647;
const levels = ['TIMESTAMPS', 'TENSORS'] as const;

/** The settings of the server ('') or of a model, changed first where something is wanted (fact sheet 1.13, 3.5). Throws with Triton's texts. */
export function traceSettings(server: InferenceServer, model: string, wanted: WantedSettings): TraceReply {
  if (model !== '') checkModel(server, model);
  const scope = model === '' ? null : model;
  if (wanted.size > 0) server.tracing.change(scope, patchOf(wanted));
  return replyOf(server.tracing.settingsOf(scope), server.tracing.exportSettings);
}

function checkModel(server: InferenceServer, model: string): void {
  try {
    server.find(model, '');
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    throw invalid(`Request for unknown model : ${model}`);
  }
}

/** Unknown settings and unknown levels are ignored. */
function patchOf(wanted: WantedSettings): TracePatch {
  if (wanted.has('trace_file')) {
    throw new ServerError('UNSUPPORTED', 'trace file location can not be updated through network protocol');
  }
  const fields = [
    ['levels', 'trace_level', readLevels],
    ['rate', 'trace_rate', readCount],
    ['count', 'trace_count', readCount],
    ['logFrequency', 'log_frequency', readCount],
  ] as const;
  const present = fields.filter(([, name]) => wanted.has(name));
  return Object.fromEntries(
    present.map(([field, name, read]) => {
      const values = wanted.get(name)!;
      return [field, values === null ? null : read(values, name)];
    }),
  );
}

function readLevels(values: readonly string[]): readonly TraceLevel[] {
  if (values.includes('OFF') && values.length > 1) throw invalid("Expect only one trace level 'OFF' is specified");
  return levels.filter((level) => values.includes(level));
}

function readCount(values: readonly string[], name: string): number {
  if (values.length !== 1) throw invalid(`expect only 1 value for '${name}'`);
  const text = values[0]!;
  if (!/^[+-]?\d+$/.test(text)) throw invalid(`Unable to parse '${name}', got: ${text}`);
  const value = Number(text);
  if (name === 'trace_count' && value < -1) {
    throw invalid(`Unable to parse 'trace_count'. Expecting value >= -1, got:${text}`);
  }
  const least = name === 'trace_count' ? -1 : 0;
  if (value >= least && value <= MAX_COUNT) return value;
  throw invalid(`Unable to parse '${name}', value is out of range [ ${least}, ${MAX_COUNT} ], got: ${text}`);
}

/** By Triton's names, in its order. */
export type TraceReply = Readonly<Record<string, string | readonly string[]>>;

function replyOf(settings: TraceSettings, exported: Readonly<Record<string, string>>): TraceReply {
  const reply = {
    trace_level: settings.levels.length === 0 ? ['OFF'] : settings.levels,
    trace_rate: String(settings.rate),
    trace_count: String(settings.count),
  };
  if (settings.mode === 'opentelemetry') return { ...reply, trace_mode: settings.mode, ...exported };
  const { logFrequency, file, mode } = settings;
  return { ...reply, log_frequency: String(logFrequency), trace_file: file, trace_mode: mode };
}

/** The body of a POST. Throws INTERNAL, as Triton, for what is no JSON and for values of other types (fact sheet 13.20). */
export function wantedFromJson(body: Buffer): WantedSettings {
  const json = parseObject(body);
  const members = Object.entries(json).filter(([name]) => known.has(name));
  return new Map(members.map(([name, value]) => [name, value === null ? null : textsOf(name, value)]));
}

const known = new Set(['trace_file', 'trace_level', 'trace_rate', 'trace_count', 'log_frequency']);

function parseObject(body: Buffer): object {
  let json: unknown;
  try {
    json = JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new ServerError('INTERNAL', `failed to parse the request JSON buffer: ${(error as Error).message}`);
  }
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json;
  throw new ServerError('INTERNAL', 'failed to parse the request JSON buffer: expected an object of trace settings');
}

function textsOf(name: string, value: unknown): readonly string[] {
  if (name === 'trace_file') return [];
  if (name === 'trace_level' && !Array.isArray(value)) {
    throw new ServerError('INTERNAL', 'attempt to access JSON non-array as array');
  }
  const values: readonly unknown[] = name === 'trace_level' ? (value as unknown[]) : [value];
  return values.map(textOf);
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new ServerError('INTERNAL', 'attempt to access JSON non-string as string');
}
