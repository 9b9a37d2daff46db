import { expect, test } from 'vitest';
import { FlagValues } from '../../src/config/flag-values.js';
import { flags } from '../../src/config/option-table.js';
import { readRateLimit } from '../../src/config/rate-limit-options.js';

const read = (mode: string, ...resources: readonly string[]) =>
  readRateLimit(
    new FlagValues(
      flags,
      new Map([
        ['rate-limit', [mode]],
        ['rate-limit-resource', resources],
      ]),
    ),
  );

test('off is off, whatever there is of resources', () => {
  expect(readRateLimit(new FlagValues(flags, new Map()))).toBe(null);
  expect(read('off', 'R:1')).toBe(null);
});

test('a resource of all devices, and of one', () => {
  expect(read('execution_count')).toEqual([]);
  expect(read('EXECUTION_COUNT', 'R1:10', 'r1:0:3')).toEqual([
    { resource: 'r1', count: 10, gpu: -1 },
    { resource: 'r1', count: 0, gpu: 3 },
  ]);
});

test('of what is given twice the smaller counts', () => {
  expect(read('execution_count', 'R:4', 'r:2', 'R:3', 'R:5:0')).toEqual([
    { resource: 'r', count: 2, gpu: -1 },
    { resource: 'r', count: 5, gpu: 0 },
  ]);
});

test.each(['', 'R', 'R:', ':1', 'R:x', 'R:-1', 'R:1.5', 'R:1:', 'R:1:x', 'R:1:-1', 'R:1:2:3', 'R:2147483648'])(
  "'%s' is refused by name, also where it has no effect",
  (text) => {
    for (const mode of ['off', 'execution_count']) {
      expect(() => read(mode, text)).toThrow(/^Bad option: "--rate-limit-resource"\.\nexpected NAME:COUNT or .*got '/);
    }
  },
);
