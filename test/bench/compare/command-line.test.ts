import { expect, test } from 'vitest';
import { parseCompareArgs } from '../../../bench/compare/command-line.js';

test('one revision is compared with the working tree, two with one another', () => {
  expect(parseCompareArgs(['HEAD~3'])).toMatchObject({ a: 'HEAD~3', b: null, bench: 'micro', rounds: 10, only: [''] });
  expect(parseCompareArgs(['v1..main', '--bench', 'load', '--rounds=4'])).toMatchObject({
    a: 'v1',
    b: 'main',
    bench: 'load',
    rounds: 4,
  });
  expect(parseCompareArgs(['HEAD', '--only', 'json', '--only', 'grpc']).only).toEqual(['json', 'grpc']);
});

test.each([
  { args: [], text: 'expected one revision, found 0' },
  { args: ['a', 'b'], text: 'expected one revision, found 2' },
  { args: ['..b'], text: "expected REV or REV..REV2, found '..b'" },
  { args: ['a..'], text: "expected REV or REV..REV2, found 'a..'" },
  { args: ['a...b'], text: "expected REV or REV..REV2, found 'a...b'" },
  { args: ['a', '--bench', 'x'], text: "--bench: expected micro or load, found 'x'" },
  { args: ['a', '--rounds', '1'], text: "--rounds: expected a whole number from 2 on, found '1'" },
  { args: ['a', '--samples', '0.5'], text: "--samples: expected a whole number from 1 on, found '0.5'" },
])('$args: $text', ({ args, text }) => {
  expect(() => parseCompareArgs(args)).toThrow(text);
});
