import { invalid, type ServerError } from '../types/errors.js';

export type FlagValue = boolean | number | string;

/** One flag of the command line, as data: the parser, the help text and `docs/flags.md` are made from it. */
export interface Flag {
  /** Without the dashes. */
  readonly name: string;
  readonly aliases: readonly string[];
  /** bare: a boolean that takes no value. level: a number, or true for 1 and false for 0. */
  readonly type: 'boolean' | 'bare' | 'integer' | 'level' | 'number' | 'text' | 'choice';
  /** Where it is not given; '' = nothing. */
  readonly defaultValue: FlagValue;
  /** How help names the value: `DIR`; '' for a bare flag. */
  readonly placeholder: string;
  /** Of integers and numbers; null = any text. */
  readonly range: Range | null;
  /** Of choices. */
  readonly choices: readonly string[];
  /** Every occurrence counts; of other flags only the last one does. */
  readonly repeatable: boolean;
  readonly deprecated: boolean;
  readonly help: string;
  readonly group: string;
  readonly effect: Effect;
}

/** Bounds are inclusive; unit '' = a plain number. */
export interface Range {
  readonly min: number;
  readonly max: number;
  readonly unit: '' | 'bytes' | 's' | 'ms';
}

/** later: not written yet. none: there is nothing in a Node process it could change. `reason` is shown to whoever gives the flag. */
export type Effect = { readonly kind: 'works' } | { readonly kind: 'later' | 'none'; readonly reason: string };

type Row = Omit<Flag, 'group' | 'effect'>;

const plain = {
  aliases: [],
  placeholder: '',
  range: null,
  choices: [],
  repeatable: false,
  deprecated: false,
} as const;

export function boolean(name: string, defaultValue: boolean, help: string): Row {
  return { ...plain, name, type: 'boolean', defaultValue, placeholder: 'true|false', help };
}

export function bare(name: string, help: string): Row {
  return { ...plain, name, type: 'bare', defaultValue: false, help };
}

export function integer(name: string, defaultValue: number, range: Range, help: string): Row {
  return { ...plain, name, type: 'integer', defaultValue, placeholder: range.unit || 'n', range, help };
}

export function text(name: string, defaultValue: string, placeholder: string, help: string): Row {
  return { ...plain, name, type: 'text', defaultValue, placeholder, help };
}

/** The first choice is the default. */
export function choice(name: string, choices: readonly [string, ...string[]], help: string): Row {
  return { ...plain, name, type: 'choice', defaultValue: choices[0], placeholder: choices.join('|'), choices, help };
}

/** Every occurrence counts, and there is no default. */
export function list(name: string, placeholder: string, help: string): Row {
  return { ...plain, name, type: 'text', defaultValue: '', placeholder, repeatable: true, help };
}

/** It works, and another flag is the one to use. */
export function deprecated(row: Row): Row {
  return { ...row, deprecated: true };
}

/** Rows of one group of the help text that share an effect. */
export function section(group: string, effect: Effect, rows: readonly Row[]): Flag[] {
  return rows.map((row) => ({ ...row, group, effect }));
}

/** The value of a flag from the text behind it; '' for a bare flag. Throws INVALID_ARGUMENT in Triton's two lines. */
export function readValue(flag: Flag, given: string): FlagValue {
  switch (flag.type) {
    case 'bare':
      return true;
    case 'boolean':
      return readBoolean(flag, given);
    case 'level':
      return readNumber(flag, boundLevel(given));
    case 'integer':
    case 'number':
      return readNumber(flag, given);
    case 'choice':
      return readChoice(flag, given);
    case 'text':
      return given;
  }
}

/** `Bad option: "--http-port".` and below it why. */
export function badOption(name: string, reason: string): ServerError {
  return invalid(`Bad option: "--${name}".\n${reason}`);
}

const booleans: Readonly<Record<string, boolean>> = {
  true: true,
  on: true,
  1: true,
  false: false,
  off: false,
  0: false,
};

function readBoolean(flag: Flag, given: string): boolean {
  const word = given.toLowerCase();
  if (!Object.hasOwn(booleans, word)) throw badOption(flag.name, `invalid value for bool option: ${given}`);
  return booleans[word]!;
}

function boundLevel(given: string): string {
  const word = given.toLowerCase();
  if (word === 'true') return '1';
  return word === 'false' ? '0' : given;
}

function readNumber(flag: Flag, given: string): number {
  const pattern = flag.type === 'number' ? /^[+-]?\d+(\.\d*)?$/ : /^[+-]?\d+$/;
  const value = pattern.test(given) ? Number(given) : Number.NaN;
  const { min, max } = flag.range!;
  if (value >= min && value <= max) return value;
  throw badOption(flag.name, `expected ${numberText(flag)}, got '${given}'`);
}

/** `a whole number from 1 to 10 (ms)`. */
function numberText(flag: Flag): string {
  const { min, max, unit } = flag.range!;
  const noun = flag.type === 'number' ? 'a number' : 'a whole number';
  return `${noun} from ${min} to ${max}${unit === '' ? '' : ` (${unit})`}`;
}

function readChoice(flag: Flag, given: string): string {
  const found = flag.choices.find((word) => word.toLowerCase() === given.toLowerCase());
  if (found !== undefined) return found;
  throw badOption(
    flag.name,
    `invalid argument for --${flag.name}: expected one of ${flag.choices.join(', ')}, got '${given}'`,
  );
}
