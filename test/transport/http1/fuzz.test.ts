import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chunked, get, host, parse, post, usualLimits } from './requests.js';
import { Twin } from './twin.js';

const samples: readonly string[] = [
  get('/a'),
  get('/a/b?c=d', 'X-A: b\r\nAccept: */*\r\n'),
  get('/a', 'Connection: close\r\n'),
  `GET http://b:80/c?d HTTP/1.1\r\n${host}\r\n`,
  `OPTIONS * HTTP/1.1\r\n${host}\r\n`,
  `GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`,
  `\r\nHEAD / HTTP/1.1\r\n${host}\r\n`,
  post('Content-Length: 5\r\n', 'abcde'),
  post('Content-Length: 0\r\nExpect: \r\n'),
  post('Content-Length: 3\r\nExpect: 100-continue\r\n', '\r\n\0'),
  chunked('5\r\nabcde\r\n0\r\n\r\n'),
  chunked('3;a=b\r\nabc\r\n00a ; c="d"\r\n0123456789\r\n0\r\nX-A: b\r\n\r\n'),
];

/** Bytes that matter to a reader of HTTP, and any other. */
const piece = fc.oneof(
  fc.constantFrom(
    '\r',
    '\n',
    '\r\n',
    ' ',
    '\t',
    ':',
    ';',
    ',',
    '0',
    '5',
    'f',
    '%',
    '/',
    '*',
    '\0',
    '\v',
    '\xff',
    'Host: b\r\n',
    'HTTP/1.1',
    'Content-Length: 5\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Connection: close\r\n',
    'Expect: x\r\n',
  ),
  fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
);

/** Takes out some bytes at a place, and puts others in. */
const mutation = fc.record({ at: fc.nat(), removed: fc.nat({ max: 3 }), added: fc.oneof(fc.constant(''), piece) });
const pipeline = fc.array(fc.constantFrom(...samples), { minLength: 1, maxLength: 6 });
const cuts = fc.array(fc.nat(), { maxLength: 8 });

function mutate(text: string, mutations: readonly { at: number; removed: number; added: string }[]): string {
  let mutated = text;
  for (const { at, removed, added } of mutations) {
    const place = at % (mutated.length + 1);
    mutated = mutated.slice(0, place) + added + mutated.slice(place + removed);
  }
  return mutated;
}

function cutAt(text: string, places: readonly number[]): string[] {
  const sorted = places.map((place) => place % (text.length + 1)).sort((a, b) => a - b);
  const pieces = [0, ...sorted].map((from, index) => text.slice(from, sorted[index]));
  return pieces.filter((part) => part !== '');
}

/** Where the text ends within a line, the parser may know already that it is refused; the twin waits for its end. */
function expectSame(text: string, pieces: readonly string[]): void {
  const twin = new Twin(text, usualLimits).read();
  const { requests, refused } = parse(pieces);
  expect(requests.map(({ contentLength, ...request }) => request)).toEqual(twin.requests);
  if (twin.refused !== 0) expect(refused).toBe(twin.refused);
}

test('pipelines come out the same wherever they are cut in two, and byte by byte', () => {
  const text = samples.join('') + samples.toReversed().join('');
  expectSame(text, [text]);
  expectSame(text, [...text]);
  expect(parse(text).requests.length).toBe(2 * samples.length);
  for (let at = 1; at < text.length; at++) expectSame(text, [text.slice(0, at), text.slice(at)]);
});

test('random pipelines are read as the dumb twin reads them, however they are cut', () => {
  fc.assert(
    fc.property(pipeline, cuts, (requests, places) => {
      const text = requests.join('');
      expectSame(text, cutAt(text, places));
    }),
    { numRuns: 500 },
  );
});

test('random mutations of pipelines are read or refused as the dumb twin does', () => {
  fc.assert(
    fc.property(pipeline, fc.array(mutation, { minLength: 1, maxLength: 3 }), cuts, (requests, mutations, places) => {
      const text = mutate(requests.join(''), mutations);
      expectSame(text, cutAt(text, places));
    }),
    { numRuns: 5000 },
  );
});

test('random bytes never do harm', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 200 }), cuts, (bytes, places) => {
      const text = bytes.join('');
      expectSame(text, cutAt(text, places));
    }),
    { numRuns: 2000 },
  );
});
