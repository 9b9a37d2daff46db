import type { ConfigSource, FieldPath } from '../config/config-source.js';
import { fieldText } from '../config/config-source.js';
import type { ModelConfig } from '../config/model-config.js';
import type { ModelEntry } from '../repository/scan.js';
import type { ModelSignature } from '../types/model.js';
import type { Edit, Finding, Severity } from './finding.js';
import type { Neighbours } from './neighbourhood.js';
import type { CheckSettings } from './settings.js';

/** A folder in a model's folder. */
export interface Folder {
  readonly name: string;
  readonly entries: readonly string[];
}

/** What lies in a model's folder. Paths are relative to it. */
export interface ModelFiles {
  readonly folders: readonly Folder[];
  /** Directly in it. */
  readonly files: readonly string[];
  /** The label files that outputs name, by path; null = it cannot be read. */
  readonly labels: ReadonlyMap<string, string | null>;
  /** Bytes of the other files that the configuration names; null = there is none. */
  readonly sizes: ReadonlyMap<string, number | null>;
}

/** A version that is wanted, and what its file says. */
export interface CheckedVersion {
  readonly version: number;
  readonly signature: ModelSignature;
}

/** One model, as rules see it. */
export interface Subject {
  readonly entry: ModelEntry;
  readonly written: ModelConfig;
  readonly source: ConfigSource;
  /** Complete and normalised, as far as that can be done. */
  readonly config: ModelConfig;
  readonly wanted: readonly number[];
  readonly versions: readonly CheckedVersion[];
  readonly files: ModelFiles;
  /** Of an ensemble: the models that its steps name, where they are there; null = nobody looked for them. */
  readonly neighbours: Neighbours | null;
  readonly settings: CheckSettings;
}

/** A rule looks at a model and says what it thinks. */
export type Rule = (subject: Subject) => readonly Finding[];

export interface Remark {
  readonly severity: Severity;
  readonly rule: string;
  readonly message: string;
  readonly expected: string;
  readonly fix: string;
  /** Absent = what is written there. */
  readonly found?: string;
  readonly edits?: readonly Edit[];
}

const LONGEST_FOUND = 100;

/** A remark on a field, or on what it would stand in. */
export function remarkAt(
  { entry, source }: Pick<Subject, 'entry' | 'source'>,
  path: FieldPath,
  remark: Remark,
): Finding {
  const place = source.nearest(path);
  const isThere = place !== null && source.place(path) === place;
  const found = isThere ? oneLine(source.text.slice(place.at, place.end)) : '';
  return {
    model: entry.name,
    file: entry.configFile || entry.directory,
    ...source.position(place?.at ?? 0),
    field: fieldText(path),
    found,
    edits: [],
    ...remark,
  };
}

/** A remark on a file or folder of the model; `line` counts from 1. */
export function remarkOn({ entry }: Pick<Subject, 'entry'>, file: string, line: number, remark: Remark): Finding {
  return { model: entry.name, file, line, column: 1, field: '', found: '', edits: [], ...remark };
}

export function oneLine(text: string): string {
  const line = text
    .replaceAll(/#[^\n]*/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return line.length > LONGEST_FOUND ? `${line.slice(0, LONGEST_FOUND)}...` : line;
}

/** `[ 1, 8, 8 ]`, as a configuration writes it. */
export function listText(values: readonly (number | bigint)[]): string {
  return values.length === 0 ? '[ ]' : `[ ${values.join(', ')} ]`;
}

/** A dimension that is neither open nor nonsense; integers beyond 2^53 are bigints. */
export function isSize(dim: number): boolean {
  return Number.isSafeInteger(dim) && dim >= 1;
}
