import {
  checkTraceSettings,
  defaultTraceSettings,
  type OpenTelemetrySettings,
  type TraceLevel,
  type TraceMode,
  type TraceSettings,
} from '../telemetry/trace/settings.js';
import { badOption } from './flag.js';
import type { FlagValues } from './flag-values.js';

/** `--trace-config` and the flags before it (fact sheet 8.1). */
export interface TraceOptions {
  readonly settings: TraceSettings;
  readonly openTelemetry: OpenTelemetrySettings;
}

type Environment = Readonly<Record<string, string | undefined>>;
type Range = readonly [min: number, max: number];

const MAX_INT32 = 2_147_483_647;
const counts: Range = [0, MAX_INT32];
const sizes: Range = [1, MAX_INT32];
const levels: readonly string[] = ['OFF', 'TIMESTAMPS', 'TENSORS'];
const modes: readonly string[] = ['triton', 'opentelemetry'];

const numbers = new Map<string, Range>([
  ['rate', counts],
  ['count', [-1, MAX_INT32]],
  ['triton,log-frequency', counts],
  ['opentelemetry,bsp_max_queue_size', sizes],
  ['opentelemetry,bsp_schedule_delay', counts],
  ['opentelemetry,bsp_max_export_batch_size', sizes],
]);
/** What Triton takes too, in any case, from the times of `MIN` and `MAX`. */
const olderLevels = new Map([
  ['false', 'OFF'],
  ['true', 'TIMESTAMPS'],
  ['on', 'TIMESTAMPS'],
  ['min', 'TIMESTAMPS'],
  ['max', 'TIMESTAMPS'],
]);
const words = new Map<string, readonly string[]>([
  ['mode', modes],
  ['level', levels],
]);
const keys = [...words.keys(), ...numbers.keys(), 'triton,file', 'opentelemetry,url', 'opentelemetry,resource'];

/** The flags that were there before, by the key that took their place and counts before them. */
const older = new Map([
  ['triton,file', 'trace-file'],
  ['level', 'trace-level'],
  ['rate', 'trace-rate'],
  ['count', 'trace-count'],
  ['triton,log-frequency', 'trace-log-frequency'],
]);

/**
 * What the flags say, or, of the batches of spans, the variables `OTEL_BSP_*`. A key given twice has its last value, but `level` and
 * `resource` have all. Throws INVALID_ARGUMENT that names the flag or the variable, or in Triton's words where something would be traced and cannot.
 */
export function readTraceOptions(flags: FlagValues, env: Environment): TraceOptions {
  const given = new GivenSettings(flags);
  const settings: TraceSettings = {
    levels: readLevels(given.all('level')),
    rate: given.number('rate') ?? defaultTraceSettings.rate,
    count: given.number('count') ?? defaultTraceSettings.count,
    logFrequency: given.number('triton,log-frequency') ?? defaultTraceSettings.logFrequency,
    file: given.last('triton,file') ?? defaultTraceSettings.file,
    mode: (given.last('mode') ?? defaultTraceSettings.mode) as TraceMode,
  };
  checkTraceSettings(settings);
  return { settings, openTelemetry: readOpenTelemetry(given, env) };
}

function readLevels(given: readonly string[]): readonly TraceLevel[] {
  if (given.includes('OFF') && given.length > 1)
    throw badOption('trace-config', "'level=OFF' goes with no other level");
  return (['TIMESTAMPS', 'TENSORS'] as const).filter((level) => given.includes(level));
}

function readOpenTelemetry(given: GivenSettings, env: Environment): OpenTelemetrySettings {
  const size = (key: string, variable: string, standard: number): number =>
    given.number(`opentelemetry,${key}`) ?? numberOf(env, variable) ?? standard;
  const maxQueueSize = size('bsp_max_queue_size', 'OTEL_BSP_MAX_QUEUE_SIZE', 2048);
  return {
    url: readUrl(given.last('opentelemetry,url') ?? 'http://localhost:4318/v1/traces'),
    resource: readResource(given.all('opentelemetry,resource')),
    maxQueueSize,
    scheduleDelayMs: size('bsp_schedule_delay', 'OTEL_BSP_SCHEDULE_DELAY', 5000),
    maxExportBatchSize: Math.min(
      maxQueueSize,
      size('bsp_max_export_batch_size', 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 512),
    ),
  };
}

/** What is no number is as if it were not there (OpenTelemetry, Environment Variable Specification). */
function numberOf(env: Environment, variable: string): number | undefined {
  const text = env[variable] ?? '';
  const value = /^\d+$/.test(text) ? Number(text) : 0;
  return value >= 1 && value <= MAX_INT32 ? value : undefined;
}

/** Without a scheme it is HTTP, as in Triton. */
function readUrl(text: string): string {
  const url = text.includes('://') ? text : `http://${text}`;
  if (URL.canParse(url) && /^https?:/i.test(url)) return url;
  throw badOption('trace-config', `expected opentelemetry,url=http://HOST:PORT/PATH, got '${text}'`);
}

function readResource(texts: readonly string[]): ReadonlyMap<string, string> {
  const resource = new Map([['service.name', 'triton-inference-server']]);
  for (const text of texts) {
    const [, key = '', value = ''] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (key === '') throw badOption('trace-config', `expected opentelemetry,resource=KEY=VALUE, got '${text}'`);
    resource.set(key, value);
  }
  return resource;
}

/** The values of each key, as they were given. */
class GivenSettings {
  readonly #values = new Map<string, string[]>();

  constructor(flags: FlagValues) {
    for (const text of flags.list('trace-config')) this.#add(text);
    for (const [key, flag] of older) {
      if (!flags.isGiven(flag) || this.#values.has(key)) continue;
      this.#values.set(
        key,
        flags.list(flag).map((text) => checked(key, text)),
      );
    }
  }

  all(key: string): readonly string[] {
    return this.#values.get(key) ?? [];
  }

  last(key: string): string | undefined {
    return this.all(key).at(-1);
  }

  number(key: string): number | undefined {
    const text = this.last(key);
    return text === undefined ? undefined : Number(text);
  }

  #add(text: string): void {
    const key = text.split('=', 1)[0]!;
    if (!keys.includes(key) || key === text) {
      throw badOption('trace-config', `expected KEY=VALUE with one of ${keys.join('; ')}, got '${text}'`);
    }
    const value = checked(key, text.slice(key.length + 1));
    this.#values.set(key, [...this.all(key), value]);
  }
}

function checked(key: string, value: string): string {
  const range = numbers.get(key);
  if (range !== undefined && !isNumberIn(range, value)) {
    throw badOption('trace-config', `expected ${key}=N with a whole number from ${range.join(' to ')}, got '${value}'`);
  }
  const choices = words.get(key);
  if (choices === undefined) return value;
  const word = value.toLowerCase();
  const found = choices.find((choice) => choice.toLowerCase() === word) ?? levelOf(key, word);
  if (found === undefined) throw badOption('trace-config', `expected ${key}=${choices.join('|')}, got '${value}'`);
  return found;
}

function levelOf(key: string, word: string): string | undefined {
  return key === 'level' ? olderLevels.get(word) : undefined;
}

function isNumberIn([min, max]: Range, text: string): boolean {
  return /^-?\d+$/.test(text) && Number(text) >= min && Number(text) <= max;
}
