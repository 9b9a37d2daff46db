import { type ConfigSource, type FieldPath, fieldText } from './config-source.js';
import type { ModelConfig } from './model-config.js';
import { type FieldSchema, type MessageSchema, modelConfigSchema } from './schema.js';

export type Origin = 'given' | 'auto-completed' | 'default';

/** Where a value of an effective configuration comes from. */
export interface Mark {
  readonly origin: Origin;
  /** What it was taken from: the model's folder or its file; '' of others. */
  readonly from: '' | 'folder' | 'model file';
  /** What was written and is not what counts, as JSON; '' = nothing. */
  readonly inPlaceOf: string;
}

/** A configuration on its way to what is served. */
export interface ConfigSteps {
  readonly written: ModelConfig;
  /** With what the folder tells. */
  readonly completed: ModelConfig;
  /** And with defaults. */
  readonly normalized: ModelConfig;
  /** And with what the model file tells. */
  readonly effective: ModelConfig;
}

/** The mark of every value of the effective configuration, by `fieldText` of its path; a list of scalars is one value. */
export function markValues(
  { written, completed, normalized, effective }: ConfigSteps,
  source: ConfigSource,
): Map<string, Mark> {
  const marks = new Map<string, Mark>();
  for (const path of valuePaths(effective)) {
    const value = jsonAt(effective, path);
    const isWritten = source.place(path) !== null;
    const before = isWritten ? jsonAt(written, path) : '';
    const inPlaceOf = isWritten && before !== value ? before : '';
    if (isWritten && before === value) marks.set(fieldText(path), { origin: 'given', from: '', inPlaceOf });
    else if (jsonAt(normalized, path) !== value && !(inPlaceOf === '' && isUnsaid(value, path))) {
      marks.set(fieldText(path), { origin: 'auto-completed', from: 'model file', inPlaceOf });
    } else if (path.length === 1 && jsonAt(completed, path) !== jsonAt(written, path)) {
      marks.set(fieldText(path), { origin: 'auto-completed', from: 'folder', inPlaceOf });
    } else marks.set(fieldText(path), { origin: 'default', from: '', inPlaceOf });
  }
  return marks;
}

/** `given`, `default`, `auto-completed from 1/model.onnx, in place of 0`. */
export function markText({ origin, from, inPlaceOf }: Mark, modelFile = 'the model file'): string {
  const what = from === '' ? origin : `${origin} from ${from === 'folder' ? 'the folder' : modelFile}`;
  return inPlaceOf === '' ? what : `${what}, in place of ${inPlaceOf}`;
}

/** A message that was completed has more fields than the model file speaks of. */
function isUnsaid(value: string, path: FieldPath): boolean {
  return path.length > 1 && ['0', '""', 'false', '"FORMAT_NONE"'].includes(value);
}

/** What a configuration has there; undefined = nothing. */
export function valueAt(config: ModelConfig, path: FieldPath): unknown {
  return path.reduce<unknown>(
    (holder, part) => (holder as Record<string, unknown> | undefined)?.[typeof part === 'object' ? part.key : part],
    config,
  );
}

function jsonAt(config: ModelConfig, path: FieldPath): string {
  const plain = (_: string, value: unknown) =>
    typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value)) ? String(value) : value;
  return JSON.stringify(valueAt(config, path) ?? null, plain);
}

/** Paths of scalars, of lists of scalars, and of messages with nothing in them. */
export function valuePaths(config: ModelConfig): FieldPath[] {
  return messagePaths(config as unknown as Record<string, unknown>, modelConfigSchema(), []);
}

function messagePaths(message: Record<string, unknown>, schema: MessageSchema, path: FieldPath): FieldPath[] {
  const paths = [...schema.fields.values()].flatMap((field) => {
    const value = message[field.name];
    return value === undefined ? [] : fieldPaths(value, field, [...path, field.name]);
  });
  return paths.length === 0 ? [path] : paths;
}

function fieldPaths(value: unknown, field: FieldSchema, path: FieldPath): FieldPath[] {
  const inside = (item: unknown, at: FieldPath) =>
    field.message === null ? [at] : messagePaths(item as Record<string, unknown>, field.message, at);
  if (field.mapKey !== '') {
    return Object.entries(value as object).flatMap(([key, item]) => inside(item, [...path, { key }]));
  }
  if (!field.repeated || field.message === null) return inside(value, path);
  return (value as unknown[]).flatMap((item, index) => inside(item, [...path, index]));
}
