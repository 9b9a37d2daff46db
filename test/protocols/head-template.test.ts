import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HeadTemplate } from '../../src/protocols/head-template.js';
import { parseInferHead } from '../../src/protocols/v2-json.js';

const numbers = fc.array(fc.oneof(fc.integer(), fc.double(), fc.array(fc.integer())), { minLength: 4 });

function bodyOf(lists: readonly unknown[], id = 'x'): Buffer {
  const inputs = lists.map((data, nth) => ({ name: `IN${nth}`, datatype: 'FP32', shape: [2], data }));
  inputs.push({ name: 'RAW', datatype: 'FP32', shape: [2], parameters: { binary_data_size: 8 } } as never);
  return Buffer.from(JSON.stringify({ id, inputs, outputs: [{ name: 'o' }] }));
}

function rangesOf(body: Buffer): unknown[] {
  return parseInferHead(body, 0, body.length).inputs.flatMap(({ source }) =>
    source.kind === 'json' ? [{ start: source.start, end: source.end }] : [],
  );
}

function templateOf(body: Buffer): HeadTemplate {
  return new HeadTemplate(body, 0, body.length, parseInferHead(body, 0, body.length));
}

test('bodies that differ in numbers only match, and their ranges are those that a parser finds', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(numbers, numbers)), (pairs) => {
      const template = templateOf(bodyOf(pairs.map(([first]) => first)));
      const other = bodyOf(pairs.map(([, second]) => second));
      expect(template.match(other, 0, other.length)).toBe(true);
      expect(template.ranges).toEqual(rangesOf(other));
    }),
  );
});

test('the body it was made of may change afterwards, and the next one lie elsewhere', () => {
  const body = bodyOf([[1, 2]]);
  const template = templateOf(body);
  const next = Buffer.concat([Buffer.from('head'), body, Buffer.from('tail')]);
  body.fill(0);
  expect(template.match(next, 4, next.length - 4)).toBe(true);
  expect(template.match(next, 4, next.length)).toBe(false);
  expect(template.match(next, 4, next.length - 5)).toBe(false);
  expect(template.match(next, 3, next.length - 4)).toBe(false);
});

test('a damaged body that matches all the same has the same head and the ranges that a parser finds', () => {
  const body = bodyOf([
    [1, 2],
    [[3], [4]],
  ]);
  const template = templateOf(body);
  const head = parseInferHead(body, 0, body.length);
  for (let at = 0; at < body.length; at++) {
    for (let byte = 0; byte < 256; byte++) {
      const damaged = Buffer.from(body);
      damaged[at] = byte;
      if (!template.match(damaged, 0, damaged.length)) continue;
      const parsed = parseInferHead(damaged, 0, damaged.length);
      expect(rangesOf(damaged)).toEqual(template.ranges);
      expect(parsed.inputs.map(({ name }) => name)).toEqual(head.inputs.map(({ name }) => name));
    }
  }
});

describe('never match:', () => {
  const template = templateOf(bodyOf([[1, 2]]));
  test.each([
    ['another id', bodyOf([[1, 2]], 'y')],
    ['strings', bodyOf([['1', '2']])],
    ['objects', bodyOf([[{}, {}]])],
    [
      'one input more',
      bodyOf([
        [1, 2],
        [1, 2],
      ]),
    ],
    ['no body', Buffer.alloc(0)],
    ['a number', bodyOf([7])],
    [
      'a depth beyond 100',
      Buffer.from(
        bodyOf([[1, 2]])
          .toString()
          .replace('[1,2]', `${'['.repeat(101)}1,2${']'.repeat(101)}`),
      ),
    ],
  ])('%s', (_, body) => {
    expect(template.match(body, 0, body.length)).toBe(false);
  });
});

describe('the id', () => {
  const withId = (id: string) => bodyOf([[1, 2]], id);
  const freeOf = (body: Buffer) => {
    const id = { start: 0, end: 0 };
    const head = parseInferHead(body, 0, body.length, false, id);
    return new HeadTemplate(body, 0, body.length, head, id);
  };

  test('may be another one, and is found where a parser finds it', () => {
    const template = freeOf(withId('first'));
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii', maxLength: 140 }), (id) => {
        const body = withId(id);
        const isPlain = JSON.stringify(id) === `"${id}"` && id.length <= 128 && !id.includes('\x7f');
        expect(template.match(body, 0, body.length)).toBe(isPlain);
        if (!isPlain) return;
        expect(body.toString('latin1', template.id!.start, template.id!.end)).toBe(`"${id}"`);
        expect(template.ranges).toEqual(rangesOf(body));
      }),
    );
  });

  test('is never one that is not ASCII, escaped or unfinished', () => {
    const template = freeOf(withId('x'));
    for (const id of ['"é"', '"\\u0041"', '"', '7', 'null', '"a', '"a\u0001"']) {
      const body = Buffer.from(withId('x').toString().replace('"x"', id));
      expect(template.match(body, 0, body.length)).toBe(false);
    }
  });

  test('stays part of the text where it is not asked for', () => {
    expect(templateOf(withId('x')).match(withId('y'), 0, withId('y').length)).toBe(false);
  });
});
