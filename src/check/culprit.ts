import { type ConfigSource, type FieldPath, fieldText } from '../config/config-source.js';
import { valueAt } from '../config/marks.js';
import type { ModelConfig } from '../config/model-config.js';
import { defaultValue, type FieldSchema, modelConfigSchema } from '../config/schema.js';
import { asServerError } from '../types/errors.js';

/** What is wrong with a configuration, in the words of whoever refuses it; null = nothing. */
export type Judge = (written: ModelConfig) => string | null;

type Message = Record<string, unknown>;

/** What an act throws, as the server would say it; null = nothing. */
export function complaint(act: () => unknown): string | null {
  try {
    act();
    return null;
  } catch (error) {
    return asServerError(error).message;
  }
}

/** The same of a configuration that has to be made first; null also where that cannot be done. */
export function ifMade(
  make: (config: ModelConfig) => ModelConfig,
  written: ModelConfig,
  judge: (made: ModelConfig) => unknown,
): string | null {
  let made: ModelConfig;
  try {
    made = make(written);
  } catch {
    return null;
  }
  return complaint(() => judge(made));
}

/**
 * The smallest written part without which `judge` would not say what it says. Rules need not know places: the configuration is judged
 * again without this field, then without that. An empty path = it is about no single field, or about what is missing.
 * @param spared what is not there for this question, as items of the same text
 */
export function culprit(
  written: ModelConfig,
  source: ConfigSource,
  judge: Judge,
  spared: readonly FieldPath[] = [],
): FieldPath {
  const judgeWithout = (paths: readonly FieldPath[]) => judge(without(written, [...spared, ...paths]));
  const complaint = judgeWithout([]);
  const isSpared = (path: FieldPath) => spared.some((other) => fieldText(other) === fieldText(path));
  if (complaint === null) return [];
  let path: FieldPath = [];
  for (;;) {
    const parts = source.children(path).filter((part) => !isSpared(part));
    const next = theOneAlone(parts, complaint, judgeWithout) ?? theOneMissed(written, parts, complaint, judgeWithout);
    if (next === null) return mentioned(source, path, complaint);
    path = next;
  }
}

type JudgeWithout = (paths: readonly FieldPath[]) => string | null;

/** Of several items at fault, the first that would be without the others. */
function theOneAlone(parts: readonly FieldPath[], complaint: string, judgeWithout: JudgeWithout): FieldPath | null {
  if (parts.length === 0 || typeof parts[0]!.at(-1) === 'string') return null;
  const alone = (part: FieldPath) => judgeWithout(parts.filter((other) => other !== part)) === complaint;
  return parts.find(alone) ?? null;
}

/**
 * The last part without which all is well. Where there is none, taking a part out may have uncovered the next complaint or made one: then
 * the part that the complaint names, or the only one there is.
 */
function theOneMissed(
  written: ModelConfig,
  parts: readonly FieldPath[],
  complaint: string,
  judgeWithout: JudgeWithout,
): FieldPath | null {
  const judged = parts.map((part) => ({ part, left: judgeWithout([part]) }));
  const cured = judged.findLast(({ left }) => left === null);
  if (cured !== undefined) return cured.part;
  // A complaint that quotes a name is another without the name.
  const isQuoted = (value: unknown) => typeof value === 'string' && complaint.includes(value);
  const changed = judged
    .filter(({ part, left }) => left !== complaint && !isQuoted(valueAt(written, part)))
    .map(({ part }) => part);
  return theOneNamed(changed, complaint) ?? (changed.length === 1 ? changed[0]! : null);
}

/** A field of this message that the complaint names; else the message. */
export function mentioned(source: ConfigSource, path: FieldPath, complaint: string): FieldPath {
  return theOneNamed(source.children(path), complaint) ?? path;
}

/** The longest name first. */
function theOneNamed(parts: readonly FieldPath[], complaint: string): FieldPath | null {
  const plain = (text: unknown) => String(text).toLowerCase().replaceAll(/[_ -]/g, '');
  const words = plain(complaint);
  const named = parts
    .filter((part) => typeof part.at(-1) === 'string' && part.at(-1) !== 'name')
    .filter((part) => words.includes(part.at(-1) === 'dims' ? 'dim' : plain(part.at(-1))))
    .sort((a, b) => String(b.at(-1)).length - String(a.at(-1)).length);
  return named[0] ?? null;
}

/** A copy in which these parts were never written. Indexes are those of the original. */
export function without(written: ModelConfig, paths: readonly FieldPath[]): ModelConfig {
  const copy = structuredClone(written) as unknown as Message;
  // What is inside before what it is in, and from the back: so every path still leads to what it was for.
  const ordered = [...paths].sort((a, b) => b.length - a.length || lastIndex(b) - lastIndex(a));
  for (const path of ordered) take(copy, path);
  return copy as unknown as ModelConfig;
}

function lastIndex(path: FieldPath): number {
  const last = path.at(-1);
  return typeof last === 'number' ? last : -1;
}

function take(root: Message, path: FieldPath): void {
  let holder: unknown = root;
  for (const part of path.slice(0, -1)) holder = member(holder, part);
  if (holder === undefined) return;
  const last = path.at(-1)!;
  if (typeof last === 'number') (holder as unknown[]).splice(last, 1);
  else if (typeof last === 'object') delete (holder as Message)[last.key];
  else reset(holder as Message, fieldSchema(path)!);
}

function member(holder: unknown, part: FieldPath[number]): unknown {
  return (holder as Message | undefined)?.[typeof part === 'object' ? part.key : part];
}

function reset(message: Message, field: FieldSchema): void {
  if (field.mapKey !== '') message[field.name] = Object.create(null);
  else if (field.repeated) message[field.name] = [];
  else if (field.kind === 'message' || field.oneof !== '') delete message[field.name];
  else message[field.name] = defaultValue(field);
}

/** The field that a path ends in; null = there is none. */
export function fieldSchema(path: FieldPath): FieldSchema | null {
  let schema = modelConfigSchema();
  let field: FieldSchema | null = null;
  for (const part of path) {
    if (typeof part !== 'string') continue;
    field = schema.fields.get(part) ?? null;
    if (field === null) return null;
    if (field.message !== null) schema = field.message;
  }
  return field;
}
