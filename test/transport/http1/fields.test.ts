import { expect, test } from 'vitest';
import { RequestParser } from '../../../src/transport/http1/request-parser.js';
import { get, host, parse, post, refusalOf, usualLimits } from './requests.js';

const fieldsOf = (text: string) => parse(text).requests[0]?.fields;

test('9112 5: names come in lower case, values without the blanks around them', () => {
  expect(fieldsOf(get('/', 'X-A:b\r\nx-B: \t two  words\t \r\nX-C:\r\nX-D:   \r\nX-E: :\r\n'))).toEqual([
    'host=a',
    'x-a=b',
    'x-b=two  words',
    'x-c=',
    'x-d=',
    'x-e=:',
  ]);
});

test('9112 5.1: no blank stands before the colon, and a name is a token', () => {
  for (const field of [
    'X-A : b',
    'X-A\t: b',
    'X A: b',
    ': b',
    'X-A',
    'X-Ä: b',
    'X-A\0: b',
    'X(A): b',
    'X"A: b',
    '@: b',
  ]) {
    expect(refusalOf(get('/', `${field}\r\n`)), field).toBe(400);
  }
});

test('9112 5.2: a continued line (obs-fold) is refused', () => {
  expect(refusalOf(get('/', 'X-A: b\r\n c\r\n'))).toBe(400);
  expect(refusalOf(get('/', 'X-A: b\r\n\tc\r\n'))).toBe(400);
  expect(refusalOf(get('/', 'X-A: b\r\n \r\n'))).toBe(400);
});

test('9110 5.5: a value has no control byte but tab; bytes over 127 are kept as they are', () => {
  for (let code = 0; code < 256; code++) {
    const byte = String.fromCharCode(code);
    const isControl = (code < 32 && code !== 9) || code === 127;
    const { refused, requests } = parse(get('/', `X-A: b${byte}c\r\n`));
    expect(refused, `byte ${code}`).toBe(isControl ? 400 : 0);
    if (!isControl) expect(requests[0]!.fields[1]).toBe(`x-a=b${byte}c`);
  }
});

test('9110 5.4: header lines over the limit get 431, before their end has come', () => {
  const limits = { maxHeaderBytes: host.length + 'X: yy\r\n'.length };
  expect(refusalOf(get('/', 'X: yy\r\n'), limits)).toBe(0);
  expect(refusalOf(get('/', 'X: yyy\r\n'), limits)).toBe(431);
  expect(refusalOf(get('/', 'X:  yy\r\n'), limits)).toBe(431);
  expect(refusalOf(`GET / HTTP/1.1\r\nX: ${'y'.repeat(30)}`, limits)).toBe(431);
  const dribble = ['GET / HTTP/1.1\r\n', ...Array.from({ length: 100 }, () => 'X')];
  expect(parse(dribble, limits).refused).toBe(431);
});

test('9110 5.4: header lines over the limit get 431 in whatever pieces they come', () => {
  const text = get('/', `X: ${'y'.repeat(3000)}\r\nY: ${'z'.repeat(3000)}\r\n`);
  for (let size = 1; size < 1200; size += 97) {
    const pieces = text.match(new RegExp(`[^]{1,${size}}`, 'g'))!;
    expect(parse(pieces, { maxHeaderBytes: 4000 }).refused).toBe(431);
    expect(parse(pieces, { maxHeaderBytes: 7000 }).requests[0]?.fields.length).toBe(3);
  }
});

test('9110 5.4: more headers than the limit get 431', () => {
  const lines = (count: number) => Array.from({ length: count }, (_, index) => `X-${index}: y\r\n`).join('');
  expect(parse(get('/', lines(49))).requests[0]?.fields.length).toBe(50);
  expect(refusalOf(get('/', lines(50)))).toBe(431);
});

test('9112 9.3: HTTP/1.1 keeps the connection unless told otherwise, HTTP/1.0 where it is asked to', () => {
  const keeps = (version: string, ...values: string[]) =>
    parse(`GET / HTTP/${version}\r\n${host}${values.map((value) => `Connection: ${value}\r\n`).join('')}\r\n`)
      .requests[0]?.keepAlive;
  expect([keeps('1.1'), keeps('1.1', 'keep-alive'), keeps('1.1', 'x, y'), keeps('1.1', '')]).toEqual([
    true,
    true,
    true,
    true,
  ]);
  expect([
    keeps('1.1', 'close'),
    keeps('1.1', 'CLOSE'),
    keeps('1.1', 'x , Close,y'),
    keeps('1.1', 'x', 'close'),
  ]).toEqual([false, false, false, false]);
  expect([keeps('1.0', 'keep-alive'), keeps('1.0', 'x, Keep-Alive')]).toEqual([true, true]);
  expect([keeps('1.0'), keeps('1.0', 'x'), keeps('1.0', 'keep-alive, close')]).toEqual([false, false, false]);
});

test('9110 10.1.1: an expectation other than 100-continue gets 417; an empty list expects nothing', () => {
  const withExpect = (values: string[], version = '1.1') =>
    refusalOf(
      `POST / HTTP/${version}\r\n${host}${values.map((value) => `Expect: ${value}\r\n`).join('')}Content-Length: 1\r\n\r\nx`,
    );
  for (const values of [[''], [' , '], ['100-continue'], ['100-Continue'], ['100-continue', '100-continue']])
    expect(withExpect(values)).toBe(0);
  for (const values of [['x'], ['100-continue, x'], ['100-continue', 'x'], ['200-ok'], ['100-continue;a=b']])
    expect(withExpect(values)).toBe(417);
  expect(withExpect(['x'], '1.0')).toBe(0);
});

test('9110 10.1.1: nobody waits for 100 without a body, nor with HTTP/1.0', () => {
  const parser = new RequestParser(usualLimits);
  const expects = (text: string) => {
    parser.push(Buffer.from(text));
    parser.next();
    while (parser.next() !== 'more');
    return parser.head.expectsContinue;
  };
  expect(expects(post('Expect: 100-continue\r\nContent-Length: 1\r\n', 'x'))).toBe(true);
  expect(expects(post('Content-Length: 1\r\n', 'x'))).toBe(false);
  expect(expects(post('Expect: 100-continue\r\nContent-Length: 0\r\n'))).toBe(false);
  expect(expects('POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx')).toBe(false);
});

test('a head that repeats is the same request again, one that differs by a byte is another', () => {
  const heads = ['/a', '/a', '/b', '/b', '/a'].map((path) => get(path, `X-A: ${path}\r\n`));
  const { requests } = parse(heads.join(''));
  expect(requests.map(({ path, fields }) => [path, fields.at(-1)])).toEqual(
    ['/a', '/a', '/b', '/b', '/a'].map((path) => [path, `x-a=${path}`]),
  );
  expect(parse(heads).requests).toEqual(requests);
});

test('a header asked for by name is the first of that name, also in a head that repeats', () => {
  const parser = new RequestParser(usualLimits);
  for (const values of [
    ['1', '2'],
    ['1', '2'],
    ['3', '2'],
  ]) {
    parser.push(Buffer.from(get('/', values.map((value) => `X-a: ${value}\r\n`).join(''))));
    expect(parser.next()).toBe('head');
    expect([parser.head.header('x-a'), parser.head.header('x-a'), parser.head.header('x-b')]).toEqual([
      values[0],
      values[0],
      '',
    ]);
  }
});

test('a long head is taken as a short one is, and let go of when its request was handed on', () => {
  const long = get('/', `X-A: ${'b'.repeat(5000)}\r\n`);
  const parser = new RequestParser(usualLimits);
  for (const text of [long, long, get('/'), long]) {
    parser.push(Buffer.from(text));
    expect(parser.next()).toBe('head');
    expect(parser.head.header('x-a').length).toBe(text === long ? 5000 : 0);
    expect(parser.next()).toBe('more');
  }
});
