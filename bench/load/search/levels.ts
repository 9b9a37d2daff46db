import type { Range } from '../options.js';

/** One value of a range that was measured. */
export interface MeasuredLevel {
  readonly level: number;
  /** Of the latency; true where there is none. */
  readonly isWithinLimit: boolean;
}

/**
 * `start`, `start + step`, ... to `end`; ends early with the first level that is over the limit.
 * @param measured in the order of measuring
 */
export function nextLinear(range: Range, measured: readonly MeasuredLevel[]): number | null {
  if (measured.some(({ isWithinLimit }) => !isWithinLimit)) return null;
  const level = levelAt(range, measured.length);
  return measured.length === 0 || range.end === 0 || isAtMost(level, range.end) ? level : null;
}

/**
 * The highest level of `start`, `start + step`, ..., `end` that is within the limit, where latency grows with the level: first the ends, then
 * always the middle of what is left. `end` is a level also where no step leads to it.
 * @param measured in any order
 */
export function nextBinary(range: Range, measured: readonly MeasuredLevel[]): number | null {
  const last = lastIndex(range);
  const levelOf = (index: number) => (index === last ? range.end : levelAt(range, index));
  const found = new Map(measured.map(({ level, isWithinLimit }) => [level, isWithinLimit]));
  const isGood = (index: number) => found.get(levelOf(index));
  if (isGood(0) === undefined) return levelOf(0);
  if (!isGood(0) || last === 0) return null;
  if (isGood(last) === undefined) return levelOf(last);
  if (isGood(last)) return null;
  let [good, bad] = [0, last];
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    const verdict = isGood(middle);
    if (verdict === undefined) return levelOf(middle);
    if (verdict) good = middle;
    else bad = middle;
  }
  return null;
}

/** How many levels a range has; null = only measuring tells. */
export function countLevels(range: Range, search: 'linear' | 'binary'): number | null {
  if (search === 'binary' || range.end === 0) return null;
  if (range.end <= range.start) return 1;
  return Math.floor((range.end - range.start) / range.step + TOLERANCE) + 1;
}

/** Rates are fractions: 0.1 + 0.2 is not more than 0.3. */
const TOLERANCE = 1e-9;

/** Of a grid whose last level is `end`. */
function lastIndex({ start, end, step }: Range): number {
  return Math.max(Math.ceil((end - start) / step - TOLERANCE), 0);
}

function levelAt({ start, step }: Range, index: number): number {
  return Number((start + index * step).toPrecision(12));
}

function isAtMost(level: number, end: number): boolean {
  return level <= end * (1 + TOLERANCE);
}
