import { InvalidArgumentError } from 'commander';
import type { ParameterValue } from '../data/data-set.js';
import { MAX_RATE } from '../load.js';
import type { Range } from '../options.js';

/** Readers of flags' texts. Each throws an `InvalidArgumentError`, to which commander adds the flag and the text. */

export function whole(from: number): (text: string) => number {
  return wholeUpTo(from, Number.POSITIVE_INFINITY);
}

/** Longer timers of Node end at once. */
const MAX_MS = 2 ** 31 - 1;

export function milliseconds(from: number): (text: string) => number {
  return wholeUpTo(from, MAX_MS);
}

export function wholeUpTo(from: number, to: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^[0-9]{1,15}$/.test(text) && value >= from && value <= to) return value;
    throw new InvalidArgumentError(
      `Expected a whole number from ${from} ${to === Number.POSITIVE_INFINITY ? 'on' : `to ${to}`}.`,
    );
  };
}

export function positive(text: string): number {
  const value = Number(text);
  if (/^[0-9]*\.?[0-9]+$/.test(text) && value > 0) return value;
  throw new InvalidArgumentError('Expected a number greater than 0.');
}

export function atLeastZero(text: string): number {
  if (/^[0-9]*\.?[0-9]+$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected a number from 0 on.');
}

/** -1 = the average. */
export function percentile(text: string): number {
  const value = Number(text);
  if (text === '-1') return -1;
  if (/^[0-9]*\.?[0-9]+$/.test(text) && value > 0 && value < 100) return value;
  throw new InvalidArgumentError('Expected a number between 0 and 100, or -1 for the average.');
}

export function oneOf<T extends string>(...values: readonly T[]): (text: string) => T {
  return (text) => {
    const found = values.find((value) => value === text.toLowerCase());
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`Expected ${listed(values)}.`);
  };
}

function listed(values: readonly string[]): string {
  return values.length === 1 ? values[0]! : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
}

export function collect(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}

/** What was written of `start:end:step`; undefined = it was not. */
export interface GivenRange {
  readonly start: number;
  readonly end: number | undefined;
  readonly step: number | undefined;
}

/** `start:end:step`, of whole numbers or of fractions too; `end` 0 = until the latency limit is passed. */
export function rangeOf(kind: 'whole' | 'fraction'): (text: string) => GivenRange {
  const pattern = kind === 'whole' ? /^[0-9]{1,9}$/ : /^[0-9]*\.?[0-9]+$/;
  return (text) => {
    const words = text.split(':');
    if (words.length > 3 || words.some((word) => !pattern.test(word))) {
      const numbers = kind === 'whole' ? 'whole numbers' : 'numbers';
      throw new InvalidArgumentError(`Expected START, START:END or START:END:STEP, of ${numbers} without a sign.`);
    }
    const [start, end, step] = words.map(Number);
    if (start === 0) throw new InvalidArgumentError('The start must be greater than 0.');
    if (step === 0) throw new InvalidArgumentError('The step must be greater than 0.');
    if (kind === 'fraction' && Math.max(start!, end ?? 0) > MAX_RATE) {
      throw new InvalidArgumentError(`Expected at most ${MAX_RATE} requests per second.`);
    }
    return { start: start!, end, step };
  };
}

/** Without an end there is one value, as with perf_analyzer. */
export function filled({ start, end, step }: GivenRange): Range {
  return { start, end: end ?? start, step: step ?? 1 };
}

/** `START[:END]`, the end excluded; both of them in the result. */
export function idRange(text: string): { readonly first: number; readonly last: number } {
  const words = /^([0-9]{1,15})(?::([0-9]{1,15}))?$/.exec(text);
  if (words === null) throw new InvalidArgumentError('Expected START or START:END, of whole numbers.');
  const first = Number(words[1]);
  const last = words[2] === undefined ? Number.MAX_SAFE_INTEGER : Number(words[2]) - 1;
  if (first === 0) throw new InvalidArgumentError('The start must be greater than 0: id 0 means no sequence.');
  if (last < first) throw new InvalidArgumentError('The end must be greater than the start (it is not in the range).');
  return { first, last };
}

export type Shapes = Readonly<Record<string, readonly number[]>>;

/** `NAME:1,2,3`. */
export function shape(text: string, before: Shapes | undefined): Shapes {
  const colon = text.lastIndexOf(':');
  const dimensions = text.slice(colon + 1).split(',');
  if (colon < 1 || dimensions.some((word) => !/^[0-9]{1,9}$/.test(word) || Number(word) === 0)) {
    throw new InvalidArgumentError(
      'Expected INPUT:1,2,3, with dimensions greater than 0 and without that of the batch.',
    );
  }
  const name = text.slice(0, colon);
  if (before !== undefined && Object.hasOwn(before, name)) {
    throw new InvalidArgumentError(`Input '${name}' has a shape already: ${before[name]!.join(',')}.`);
  }
  return { ...before, [name]: dimensions.map(Number) };
}

export type Parameters = Readonly<Record<string, ParameterValue>>;

/** `NAME:VALUE:TYPE`; the value may have colons. */
export function parameter(text: string, before: Parameters | undefined): Parameters {
  const words = /^([^:]+):(.*):(int|uint|bool|string|double|float)$/s.exec(text);
  if (words === null) {
    throw new InvalidArgumentError('Expected NAME:VALUE:TYPE, with one of the types int, uint, bool, string, double.');
  }
  const [, name, value, type] = words as unknown as [string, string, string, string];
  if (before !== undefined && Object.hasOwn(before, name)) {
    throw new InvalidArgumentError(`Parameter '${name}' has a value already: ${before[name]}.`);
  }
  return { ...before, [name]: parameterValue(value, type) };
}

function parameterValue(text: string, type: string): ParameterValue {
  if (type === 'string') return text;
  if (type === 'bool' && /^(true|false)$/i.test(text)) return text.toLowerCase() === 'true';
  if (type === 'int' && /^-?[0-9]{1,19}$/.test(text)) return BigInt(text);
  if (type === 'uint' && /^[0-9]{1,20}$/.test(text)) return BigInt(text);
  if ((type === 'double' || type === 'float') && text !== '' && Number.isFinite(Number(text))) return Number(text);
  throw new InvalidArgumentError(`'${text}' is not of the type ${type}.`);
}

export type Header = readonly [name: string, value: string];

/** `Name:Value`; names in lower case. */
export function header(text: string, before: readonly Header[] | undefined): readonly Header[] {
  const words = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n]*?)[ \t]*$/.exec(text);
  if (words === null) throw new InvalidArgumentError('Expected Name:Value.');
  return [...(before ?? []), [words[1]!.toLowerCase(), words[2]!]];
}

/** A flag that may stand alone. */
export function truth(text: string): boolean {
  if (/^(true|1)$/i.test(text)) return true;
  if (/^(false|0)$/i.test(text)) return false;
  throw new InvalidArgumentError('Expected true or false.');
}
