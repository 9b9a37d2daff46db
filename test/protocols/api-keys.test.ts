import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ApiKeys } from '../../src/protocols/api-keys.js';

const keysWith = (value: string) => new ApiKeys(new Map([['inference', { header: 'key', value }]]));
const opens = (keys: ApiKeys, given: string) => keys.missing('inference', () => given) === null;

test('a key opens with its value alone', () => {
  const text = fc.string({ unit: 'binary', maxLength: 600 });
  fc.assert(
    fc.property(text, text, (value, given) => {
      const keys = keysWith(value);
      expect(opens(keys, given)).toBe(given === value);
      expect(opens(keys, value)).toBe(true);
    }),
  );
});

test.each(['', 'a', 'a'.repeat(255), 'a'.repeat(256), 'a'.repeat(257), 'ä'.repeat(128)])(
  'nor with a part of it, nor with more',
  (value) => {
    const keys = keysWith(value);
    for (const given of [
      `${value}a`,
      `${value}\0`,
      `${value}${'\0'.repeat(256)}`,
      value.slice(0, -1),
      `b${value.slice(1)}`,
    ]) {
      expect(opens(keys, given)).toBe(given === value);
    }
    expect(opens(keys, value)).toBe(true);
  },
);

test('what has no key is open', () => {
  expect(keysWith('x').missing('health', () => '')).toBeNull();
});
