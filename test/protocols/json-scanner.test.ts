import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JsonScanner } from '../../src/protocols/json-scanner.js';
import { ServerError } from '../../src/types/errors.js';

function read(text: string | Uint8Array): unknown {
  const bytes = Buffer.from(text as string);
  const scanner = new JsonScanner(bytes, 0, bytes.length);
  const value = scanner.value();
  if (scanner.peek() !== -1) throw scanner.error('trailing');
  scanner.checkUtf8();
  return value;
}

/** Maps as objects, to be compared with what JSON.parse gives. */
function plain(value: unknown): unknown {
  if (value instanceof Map) {
    const object: Record<string, unknown> = Object.create(null);
    for (const [key, member] of value as Map<string, unknown>) object[key] = plain(member);
    return object;
  }
  if (Array.isArray(value)) return value.map(plain);
  return typeof value === 'bigint' ? Number(value) : value;
}

/** Writes a value as JSON with blanks and escapes wherever they may be. */
function spelled(value: unknown, choose: () => number): string {
  const blank = (): string => [' ', '\n', '\t\r ', '', '', ''][choose() % 6]!;
  const text = (string: string): string => {
    const units = Array.from({ length: string.length }, (_, i) => string.charCodeAt(i));
    const escaped = (unit: number): string => `\\u${unit.toString(16).padStart(4, '0')}`;
    const all = choose() % 2 === 0;
    return all
      ? `"${units.map(escaped).join('')}"`
      : JSON.stringify(string).replaceAll('/', choose() % 2 ? '\\/' : '/');
  };
  if (typeof value === 'string') return blank() + text(value) + blank();
  if (Array.isArray(value))
    return `${blank()}[${value.map((each) => spelled(each, choose)).join(',') || blank()}]${blank()}`;
  if (value === null || typeof value !== 'object') return blank() + JSON.stringify(value) + blank();
  const members = Object.entries(value).map(
    ([key, each]) => `${blank()}${text(key)}${blank()}:${spelled(each, choose)}`,
  );
  return `${blank()}{${members.join(',') || blank()}}${blank()}`;
}

test('reads what JSON.parse reads, however it is spelled', () => {
  const values = fc.jsonValue({ maxDepth: 6, stringUnit: 'binary' });
  fc.assert(
    fc.property(values, fc.infiniteStream(fc.nat()), (value, choices) => {
      const text = spelled(value, () => choices.next().value as number);
      const parsed: unknown = JSON.parse(text);
      expect(plain(read(text))).toEqual(plain(toNullPrototype(parsed)));
    }),
    { numRuns: 500 },
  );
});

function toNullPrototype(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toNullPrototype);
  if (value === null || typeof value !== 'object') return value;
  return Object.assign(
    Object.create(null),
    Object.fromEntries(Object.entries(value).map(([k, v]) => [k, toNullPrototype(v)])),
  );
}

test('accepts of changed texts exactly what JSON.parse accepts', () => {
  const base = '{"a":[1,-0.5e+3,true,null,"\\u00e9\\n"],"b":{"":[[],{}]}, "c":12345678901234567890}';
  fc.assert(
    fc.property(
      fc.nat(base.length - 1),
      fc.constantFrom(...'[]{}",:\\ \n\t0129.-+eEtfnu\u0001\u00e9'),
      fc.boolean(),
      (at, unit, cut) => {
        const text = base.slice(0, at) + unit + base.slice(cut ? at + 1 : at);
        let expected: unknown;
        try {
          expected = JSON.parse(text);
        } catch {
          expect(() => read(text)).toThrow(ServerError);
          return;
        }
        // A doubled member: JSON.parse takes the last one, Triton the first.
        if (new Set(Object.keys(expected as object)).size < 3) return;
        expect(plain(read(text))).toEqual(plain(toNullPrototype(expected)));
      },
    ),
    { numRuns: 3000 },
  );
});

test.each([
  ['9007199254740991', 9007199254740991],
  ['9007199254740993', 9007199254740993n],
  ['-9223372036854775808', -9223372036854775808n],
  ['18446744073709551615', 18446744073709551615n],
  ['18446744073709551616', 2 ** 64],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['1e400', Number.POSITIVE_INFINITY],
  ['-0', -0],
])('the number %s', (text, value) => {
  expect(read(text)).toBe(value);
});

test.each(['01', '-', '1.', '.5', '+1', '1e', '1e+', '-NaN', 'Inf', 'nan', '0x10', '1_0', 'tru', 'nulls', '١'])(
  'the number or word %s is refused',
  (text) => {
    expect(() => read(text)).toThrow(ServerError);
  },
);

describe('strings', () => {
  test.each([
    ['a bare control character', '"a\u0001b"', 'Invalid control character in string. at 2'],
    ['an unknown escape', '"ab\\x"', 'Invalid escape character in string. at 3'],
    ['bad hex', '"\\u12g4"', 'Incorrect hex digit after \\u escape in string. at 1'],
    ['a lone low surrogate', '"\\udc00"', 'The surrogate pair in string is invalid. at 1'],
    ['a lone high surrogate', '"\\ud800x"', 'The surrogate pair in string is invalid. at 1'],
    ['no end', '"abc', 'Missing a closing quotation mark in string. at 0'],
    ['an escape at the end', '"abc\\', 'Invalid escape character in string. at 4'],
  ])('with %s are refused with the offset', (_, text, message) => {
    expect(() => read(text)).toThrow(`failed to parse the request JSON buffer: ${message}`);
  });

  test.each([
    ['overlong', [0xc0, 0xaf], 1],
    ['a surrogate', [0xed, 0xa0, 0x80], 1],
    ['cut', [0x61, 0xe2, 0x82], 2],
    ['a bare continuation', [0xc3, 0xa9, 0xbf], 3],
    ['beyond the last', [0xf4, 0x90, 0x80, 0x80], 1],
  ])('that are no UTF-8 (%s) are refused with the offset', (_, bytes, offset) => {
    const text = Buffer.from([0x22, ...bytes, 0x22]);
    expect(() => read(text)).toThrow(`Invalid encoding in string. at ${offset}`);
  });

  test('beyond ASCII keep their characters', () => {
    expect(read('"ä€😀\\ud83d\\ude00\\u0000"')).toBe('ä€😀😀\u0000');
  });
});

test('of a doubled member the first one counts', () => {
  expect(read('{"a":1,"a":2}')).toEqual(new Map([['a', 1]]));
});

test('a depth of 100 is read, one more is refused', () => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  expect(() => read(nested(100))).not.toThrow();
  expect(() => read(nested(101))).toThrow('JSON nesting depth exceeds maximum allowed limit (100)');
  expect(() => read(nested(1_000_000))).toThrow('JSON nesting depth exceeds maximum allowed limit (100)');
});
