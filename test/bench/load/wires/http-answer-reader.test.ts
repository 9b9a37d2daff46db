import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HttpAnswerReader } from '../../../../bench/load/wires/http-answer-reader.js';

interface Seen {
  readonly status: number;
  readonly body: string;
  readonly jsonBytes: number;
  readonly keeps: boolean;
}

/** What is read from bytes that come in these pieces. */
function read(pieces: readonly Buffer[], ends = false): Seen[] {
  const seen: Seen[] = [];
  const reader: HttpAnswerReader = new HttpAnswerReader((bytes, start, end) => {
    const { status, jsonBytes, keepsConnection: keeps } = reader.head;
    seen.push({ status, body: bytes.toString('latin1', start, end), jsonBytes, keeps });
  });
  for (const piece of pieces) reader.feed(piece, 0, piece.length);
  if (ends) reader.finish();
  return seen;
}

function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  const pieces = places.slice(1).map((end, index) => bytes.subarray(places[index]!, end));
  return pieces.filter((piece) => piece.length > 0).map((piece) => Buffer.from(piece));
}

const good = { jsonBytes: -1, keeps: true };
const answers: readonly [name: string, text: string, seen: Seen, ends?: boolean][] = [
  [
    'a length',
    'HTTP/1.1 200 OK\r\nCONTENT-Length:  5 \r\nInference-Header-Content-Length: 3\r\n\r\nhello',
    { ...good, status: 200, body: 'hello', jsonBytes: 3 },
  ],
  ['no bytes', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', { ...good, status: 200, body: '' }],
  ['a status without a body', 'HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n', { ...good, status: 204, body: '' }],
  [
    'chunks',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0B;name="x"\r\n, all\r\n of \r\n0\r\nTrailer: x\r\n\r\n',
    { ...good, status: 200, body: 'hello, all\r\n of ' },
  ],
  [
    'an interim answer before it',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}',
    { ...good, status: 503, body: '{}', keeps: false },
  ],
  [
    'the end of the connection',
    'HTTP/1.1 200 OK\r\n\r\nhello',
    { ...good, status: 200, body: 'hello', keeps: false },
    true,
  ],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx', { ...good, status: 200, body: 'x', keeps: false }],
  [
    'HTTP/1.0 that goes on',
    'HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx',
    { ...good, status: 200, body: 'x' },
  ],
];

describe.each(answers)('an answer with %s', (_name, text, seen, ends = false) => {
  const bytes = Buffer.from(text, 'latin1');

  test('is read wherever it is cut', () => {
    for (let at = 0; at <= bytes.length; at++) expect(read(cutAt(bytes, [at]), ends)).toEqual([seen]);
    expect(
      read(
        [...bytes].map((byte) => Buffer.of(byte)),
        ends,
      ),
    ).toEqual([seen]);
  });

  test('is read twice on one connection, where there can be a second', () => {
    if (!ends) expect(read([bytes, bytes])).toEqual([seen, seen]);
  });
});

test('bodies of any size in pieces of any size come out as they went in', () => {
  const body = fc.uint8Array({ maxLength: 2000 }).map((values) => Buffer.from(values));
  const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 8 });
  const cuts = fc.array(fc.nat(3000), { maxLength: 12 });
  fc.assert(
    fc.property(fc.array(fc.tuple(body, fc.option(sizes), cuts), { minLength: 1, maxLength: 4 }), (list) => {
      const pieces = list.flatMap(([bytes, chunks, places]) => {
        const whole = chunks === null ? withLength(bytes) : inChunks(bytes, chunks);
        return cutAt(
          whole,
          places.map((at) => Math.min(at, whole.length)),
        );
      });
      expect(read(pieces).map((seen) => seen.body)).toEqual(list.map(([bytes]) => bytes.toString('latin1')));
    }),
  );
});

function withLength(body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`), body]);
}

function inChunks(body: Buffer, sizes: readonly number[]): Buffer {
  const parts: Buffer[] = [Buffer.from('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')];
  let at = 0;
  for (const size of [...sizes, body.length]) {
    const chunk = body.subarray(at, at + size);
    if (chunk.length > 0) parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'));
    at += chunk.length;
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

test.each([
  ['another protocol', 'SSH-2.0-OpenSSH\r\n\r\n', /found 'SSH-2.0-Open'/],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', /Content-Length 1 and 2/],
  ['a length that is none', 'HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n', /expected a length, found '1x'/],
  ['a header without a colon', 'HTTP/1.1 200 OK\r\nContent-Length\r\nA: b\r\n\r\n', /found 'Content-Length'/],
  ['another coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n', /found 'gzip'/],
  ['a chunk without a size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n', /size of a chunk/],
  ['a chunk that is too long', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc', /longer than its size/],
  ['more than the answer', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc', /2 bytes behind/],
  ['a head without an end', `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(70_000)}`, /more than 65536 bytes/],
])('%s is refused', (_name, text, message) => {
  expect(() => read([Buffer.from(text)])).toThrow(message);
});
