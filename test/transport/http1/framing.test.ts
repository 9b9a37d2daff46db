import { expect, test } from 'vitest';
import { chunked, get, host, parse, post, refusalOf } from './requests.js';

const bodies = (text: string) => parse(text).requests.map(({ body }) => body);

test('9112 6.3: without a length there is no body', () => {
  expect(parse(`${post('')}${get('/next')}`).requests.map(({ path }) => path)).toEqual(['/', '/next']);
});

test('9112 6.3: a body has as many bytes as announced', () => {
  expect(bodies(`${post('Content-Length: 3\r\n', 'abc')}${post('content-LENGTH:2\r\n', 'de')}${get()}`)).toEqual([
    'abc',
    'de',
    '',
  ]);
  expect(parse(post('Content-Length: 3\r\n', 'ab'))).toMatchObject({ refused: 0, isInside: true });
  expect(parse(post('Content-Length: 3\r\n', 'ab')).requests[0]?.isComplete).toBe(false);
});

test('9112 6.3: a length that is no plain decimal number is refused', () => {
  for (const value of [
    '',
    '+5',
    '-5',
    '5, 5',
    '5,5',
    '5 5',
    '0x5',
    '5.0',
    '5e0',
    '05',
    '00',
    '5;',
    '"5"',
    '５',
    'five',
    '5\t5',
    '1_000',
  ]) {
    expect(refusalOf(post(`Content-Length: ${value}\r\n`, 'abcde')), value).toBe(400);
  }
});

test('9112 6.3: two lengths are refused, also where they agree', () => {
  expect(refusalOf(post('Content-Length: 5\r\nContent-Length: 5\r\n', 'abcde'))).toBe(400);
  expect(refusalOf(post('Content-Length: 5\r\nContent-Length: 6\r\n', 'abcde'))).toBe(400);
});

test('9110 8.6: a length beyond the limit, or beyond any number, gets 413', () => {
  expect(refusalOf(post('Content-Length: 10\r\n'), { maxBodyBytes: 10 })).toBe(0);
  expect(refusalOf(post('Content-Length: 11\r\n'), { maxBodyBytes: 10 })).toBe(413);
  expect(refusalOf(post('Content-Length: 18446744073709551621\r\n'))).toBe(413);
  expect(refusalOf(post(`Content-Length: ${'9'.repeat(400)}\r\n`))).toBe(413);
});

test('9112 6.1: a length with a transfer coding is refused, in either order', () => {
  expect(refusalOf(post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'))).toBe(400);
  expect(refusalOf(post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', '0\r\n\r\n'))).toBe(400);
});

test('9112 6.1: the only transfer coding is chunked, once', () => {
  for (const value of [
    'xchunked',
    'chunkedx',
    'chunked, chunked',
    'gzip, chunked',
    'chunked, gzip',
    'gzip',
    'identity',
    '',
    ',',
    ',chunked',
    'chunked,',
    'chunked;q=1',
    '"chunked"',
    'chun ked',
    'x chunked',
  ]) {
    expect(refusalOf(post(`Transfer-Encoding: ${value}\r\n`, '0\r\n\r\n')), value).toBe(400);
  }
  expect(refusalOf(post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'))).toBe(400);
  expect(refusalOf(post('Transfer-Encoding: CHUNKED\r\n', '0\r\n\r\n'))).toBe(0);
});

test('9112 6.1: HTTP/1.0 has no transfer coding', () => {
  expect(refusalOf(`POST / HTTP/1.0\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`)).toBe(400);
});

test('9112 7.1: chunks are joined, sizes are hexadecimal in either case', () => {
  const [request, next] = parse(
    `${chunked('3\r\nabc\r\n0A\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n')}${get('/next')}`,
  ).requests;
  expect([request!.body, request!.contentLength, request!.isComplete]).toEqual(['abc01234567890123456789', -1, true]);
  expect(next!.path).toBe('/next');
  expect(bodies(chunked('0\r\n\r\n'))).toEqual(['']);
});

test('9112 7.1: a chunk without a proper size, or whose data does not end where it says, is refused', () => {
  for (const body of [
    '\r\n',
    'g\r\n',
    '-1\r\nab',
    '+1\r\na',
    '0x1\r\na',
    ' 1\r\na\r\n',
    '1 \r\na\r\n',
    '1\t\r\na\r\n',
    '1\na\r\n',
    '1\r\r\na\r\n',
    '1\rX',
    '1\r\nab\r\n',
    '1\r\na\n',
    '1\r\na\rX',
    '1\r\na0\r\n\r\n',
    '3\r\nab\r\n0\r\n\r\n',
    '0\r\n@',
    '0\n\n',
    '1;\n',
    ';a\r\n',
    '1,1\r\n',
  ]) {
    expect(refusalOf(chunked(body)), JSON.stringify(body)).toBe(400);
  }
});

test('9112 7.1: a size that would overflow is refused', () => {
  for (const size of [
    '10000000000000000',
    '00000000000000001',
    'ffffffffffffffff',
    '1000000000005',
    'FFFFFFFFFFFFFFFF5',
  ]) {
    expect(refusalOf(chunked(`${size}\r\nabcde\r\n0\r\n\r\n`)), size).toBe(400);
  }
  expect(refusalOf(chunked('ffffffffffff\r\n'))).toBe(413);
});

test('9112 7.1: chunks that together are too large get 413', () => {
  const limits = { maxBodyBytes: 10 };
  expect(refusalOf(chunked('5\r\nabcde\r\n5\r\nabcde\r\n0\r\n\r\n'), limits)).toBe(0);
  expect(refusalOf(chunked('5\r\nabcde\r\n6\r\n'), limits)).toBe(413);
  expect(refusalOf(chunked('b\r\n'), limits)).toBe(413);
});

test('9112 7.1.1: extensions are skipped, with blanks before the semicolon and quoted strings', () => {
  for (const extension of [';', ';a', ';a=b', '; a = "b c;\\"d"', ' ;a', '\t; a;b=c']) {
    expect(bodies(chunked(`1${extension}\r\nx\r\n0${extension}\r\n\r\n`)), extension).toEqual(['x']);
  }
});

test('9112 7.1.1: an extension has no bare line end and no control byte', () => {
  for (const extension of [';a="b', ';a="b\\"', ';a\n', ';a\rb', ';a\0', ';"\r\n"\n', ';a\x7f', ';\n\r']) {
    expect(refusalOf(chunked(`1${extension}\r\nx\r\n0\r\n\r\n`)), JSON.stringify(extension)).toBe(400);
  }
});

test('9112 7.1.1: extensions are bounded, in one chunk and over all of them', () => {
  expect(refusalOf(chunked(`1;${'a'.repeat(4000)}\r\nx\r\n0\r\n\r\n`))).toBe(0);
  expect(refusalOf(chunked(`1;${'a'.repeat(4096)}`))).toBe(413);
  expect(refusalOf(chunked('1;aaaaaaa\r\nx\r\n'.repeat(513)))).toBe(413);
  expect(refusalOf(chunked(`1${' '.repeat(5000)}`))).toBe(413);
});

test('9112 7.1.2: trailers are checked, dropped, and no headers', () => {
  const text = `${chunked('1\r\nx\r\n0\r\nX-A: b\r\nContent-Length: 5\r\nX-Empty:\r\n\r\n')}${get('/next')}`;
  const { requests } = parse(text);
  expect(requests.map(({ body, path, fields }) => [body, path, fields.length])).toEqual([
    ['x', '/', 2],
    ['', '/next', 1],
  ]);
});

test('9112 7.1.2: a trailer that is no header line is refused', () => {
  for (const trailer of ['X-A', 'X-A : b', ' X: y', ': b', 'X-A: b\n', 'X-A: b\rc', 'X-A: b\0', 'GET / HTTP/1.1']) {
    expect(refusalOf(chunked(`0\r\n${trailer}\r\n\r\n`)), JSON.stringify(trailer)).toBe(400);
  }
});

test('9110 6.5: trailers are bounded as headers are', () => {
  expect(refusalOf(chunked(`0\r\nX: ${'y'.repeat(9000)}\r\n\r\n`))).toBe(431);
  expect(refusalOf(chunked(`0\r\n${'X: y\r\n'.repeat(50)}\r\n`))).toBe(0);
  expect(refusalOf(chunked(`0\r\n${'X: y\r\n'.repeat(51)}\r\n`))).toBe(431);
});

test('9112 7.1: a later chunked body begins with nothing of the one before', () => {
  const text = chunked('2;a\r\nxy\r\n0\r\nX-A: b\r\n\r\n');
  expect(bodies(text.repeat(200))).toEqual(Array.from({ length: 200 }, () => 'xy'));
});

test('nothing is read behind a request that was refused', () => {
  const { requests, refused } = parse([post('Content-Length: +1\r\n', 'x'), get('/smuggled')]);
  expect([requests.length, refused]).toEqual([0, 400]);
});
