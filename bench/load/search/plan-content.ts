import { MAX_RATE, type Phase } from '../load.js';

/** What a plan's file says; `none` = the plan has no file. */
export type PlanContent =
  | { readonly kind: 'none' }
  | { readonly kind: 'intervals'; readonly gapsUs: readonly number[] }
  | { readonly kind: 'profile'; readonly phases: readonly Phase[] };

/** A file of a plan that cannot be understood; the message names file and place. */
export class PlanFileError extends Error {
  constructor(file: string, place: string, message: string) {
    super(`${file}${place === '' ? '' : `, ${place}`}: ${message}`);
    this.name = 'PlanFileError';
  }
}

/** `--request-intervals`: a gap in microseconds on each line; empty lines count as nothing. */
export function parseIntervals(file: string, text: string): PlanContent {
  const gapsUs: number[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const word = line.trim();
    if (word === '') continue;
    if (!/^[0-9]+(\.[0-9]+)?$/.test(word)) {
      throw new PlanFileError(file, `line ${index + 1}`, `expected a number of microseconds, found '${line}'`);
    }
    gapsUs.push(Number(word));
  }
  if (gapsUs.length === 0) throw new PlanFileError(file, '', 'expected a gap in microseconds on each line, found none');
  if (gapsUs.every((gap) => gap === 0)) throw new PlanFileError(file, '', 'all gaps are 0: no rate follows from them');
  const rate = (1e6 * gapsUs.length) / gapsUs.reduce((sum, gap) => sum + gap, 0);
  if (rate > MAX_RATE) {
    const mean = `${1e6 / MAX_RATE} µs on average`;
    throw new PlanFileError(
      file,
      '',
      `expected gaps of at least ${mean}, found ${Number((1e6 / rate).toPrecision(3))} µs`,
    );
  }
  return { kind: 'intervals', gapsUs };
}

/**
 * `--load-profile`: `{"phases": [{"seconds": 10, "rate": 100}, {"seconds": 5, "from": 100, "to": 1000}]}`; rates are requests per second, and
 * go evenly from `from` to `to`.
 */
export function parseProfile(file: string, text: string): PlanContent {
  const fail = (place: string, message: string) => new PlanFileError(file, place, message);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw fail('', `is not JSON: ${(error as Error).message}`);
  }
  if (!isObject(document) || !Array.isArray(document.phases)) {
    throw fail('', 'expected {"phases": [{"seconds": 10, "rate": 100}, ...]}');
  }
  if (document.phases.length === 0) throw fail('phases', 'there is none');
  const phases = document.phases.map((phase: unknown, index) => readPhase(phase, (m) => fail(`phases[${index}]`, m)));
  if (phases.every(({ fromPerSecond, toPerSecond }) => fromPerSecond + toPerSecond === 0)) {
    throw fail('phases', 'all rates are 0: nothing would be sent');
  }
  return { kind: 'profile', phases };
}

const phaseMembers = ['seconds', 'rate', 'from', 'to'];

function readPhase(phase: unknown, fail: (message: string) => Error): Phase {
  if (!isObject(phase)) throw fail(`expected an object, found ${JSON.stringify(phase)}`);
  const unknown = Object.keys(phase).find((name) => !phaseMembers.includes(name));
  if (unknown !== undefined) throw fail(`'${unknown}' is not known: expected ${phaseMembers.join(', ')}`);
  const number = (name: string): number => {
    const value = phase[name];
    if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
    throw fail(`expected '${name}' to be a number from 0 on, found ${JSON.stringify(value)}`);
  };
  const rateOf = (name: string): number => {
    const rate = number(name);
    if (rate <= MAX_RATE) return rate;
    throw fail(`expected '${name}' to be at most ${MAX_RATE} requests per second, found ${rate}`);
  };
  const seconds = number('seconds');
  if (seconds === 0) throw fail("'seconds' must be more than 0");
  const hasRate = 'rate' in phase;
  if (hasRate === ('from' in phase || 'to' in phase)) throw fail("expected either 'rate', or 'from' and 'to'");
  if (hasRate) return { seconds, fromPerSecond: rateOf('rate'), toPerSecond: rateOf('rate') };
  return { seconds, fromPerSecond: rateOf('from'), toPerSecond: rateOf('to') };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
