import { InvalidArgumentError } from 'commander';

/**
 * Reads the values that may be tried: `1,2,8`, or `1:64`, which is the powers of two from 1 on, and 64. Ascending, each once. Throws commander's error where
 * it is neither.
 */
export function parseValues(text: string, least: number): number[] {
  const range = /^([0-9]{1,9}):([0-9]{1,9})$/.exec(text);
  const values = range === null ? listOf(text) : doubled(Number(range[1]), Number(range[2]));
  if (values.length === 0 || !values.every((value) => value >= least)) {
    throw new InvalidArgumentError(
      `expected whole numbers of ${least} and more, such as 1,2,4 or 1:8, found '${text}'.`,
    );
  }
  return [...new Set(values)].sort((a, b) => a - b);
}

function listOf(text: string): number[] {
  return text.split(',').map((word) => (/^[0-9]{1,9}$/.test(word.trim()) ? Number(word) : Number.NaN));
}

function doubled(first: number, last: number): number[] {
  if (first > last) return [];
  const values: number[] = [];
  for (let value = first; value < last; value = Math.max(1, 2 * value)) values.push(value);
  return [...values, last];
}
