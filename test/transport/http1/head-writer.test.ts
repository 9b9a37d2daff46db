import { beforeEach, expect, test } from 'vitest';
import { CHUNKED, HeadWriter, type Persistence, UNTIL_CLOSE } from '../../../src/transport/http1/head-writer.js';

let heads: HeadWriter;

beforeEach(() => {
  heads = new HeadWriter();
  heads.date = 'Tue, 25 Nov 2026 02:04:40 GMT';
});

function text(
  status: number,
  headers: readonly string[],
  length: number,
  persistence: Persistence = 'implied',
): string {
  heads.prepare(status, headers, length, persistence);
  const bytes = Buffer.alloc(heads.bytes + 3, '.');
  heads.write(bytes, 2);
  expect([bytes.toString('latin1', 0, 2), bytes.at(-1)]).toEqual(['..', 0x2e]);
  return bytes.toString('utf8', 2, heads.bytes + 2);
}

test('9112 4: a head is a status line, headers and an empty line', () => {
  expect(text(200, ['X-A', 'b'], 12)).toBe(
    'HTTP/1.1 200 OK\r\nX-A: b\r\nDate: Tue, 25 Nov 2026 02:04:40 GMT\r\nContent-Length: 12\r\n\r\n',
  );
  expect(text(599, [], 0)).toContain('HTTP/1.1 599 Unknown\r\n');
});

test('a head that differs in status, header, length, second or connection is another', () => {
  const first = text(200, ['X-A', 'b'], 1);
  expect(text(200, ['X-A', 'b'], 1)).toBe(first);
  expect(text(201, ['X-A', 'b'], 1)).toContain('201 Created');
  expect(text(201, ['X-A', 'c'], 1)).toContain('X-A: c');
  expect(text(201, ['X-A', 'c'], 1234567)).toContain('Content-Length: 1234567\r\n');
  heads.date = 'later';
  expect(text(201, ['X-A', 'c'], 1)).toContain('Date: later\r\n');
  expect(text(201, ['X-A', 'c'], 1, 'close')).toMatch(/\r\nConnection: close\r\n\r\n$/);
  expect(text(201, ['X-A', 'c'], 1, 'keep-alive')).toMatch(/\r\nConnection: keep-alive\r\n\r\n$/);
});

test('9110 8.6: 204 and 304 have no length', () => {
  expect(text(204, [], 0)).not.toContain('Content-Length');
  expect(text(304, [], 5)).not.toContain('Content-Length');
  expect(text(200, [], 5)).toContain('Content-Length: 5');
});

test('9112 6.3: a body without a length is chunked or ends with the connection, and the next head has its length again', () => {
  const known = text(200, [], 5);
  const chunked = text(200, [], CHUNKED);
  expect(chunked).toMatch(/\r\nTransfer-Encoding: chunked\r\n\r\n$/);
  const plain = text(200, [], UNTIL_CLOSE, 'close');
  expect(plain).toMatch(/GMT\r\nConnection: close\r\n\r\n$/);
  for (const head of [chunked, plain]) expect(head).not.toContain('Content-Length');
  expect(text(200, [], 5)).toBe(known);
  expect(text(204, [], CHUNKED)).not.toContain('Transfer-Encoding');
});

test('9110 5.5: a value that would end its line is refused, whatever its encoding makes of it', () => {
  for (const value of ['a\r\nb', 'a\nb', 'a\rb', 'a\0b'])
    expect(() => heads.prepare(200, ['X', value], 0, 'implied')).toThrow('line end');
  expect(text(200, ['X', 'a\u010d\u010ab'], 0).split('\r\n').length).toBe(6);
});
