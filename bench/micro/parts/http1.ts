import assert from 'node:assert/strict';
import { RequestParser } from '../../../src/transport/http1/request-parser.js';
import type { Part, Running } from '../part.js';

const limits = { maxBodyBytes: 1 << 20, maxHeaderBytes: 16 << 10, maxHeaderCount: 100 };

/** As tritonclient sends it: a request with binary tensors, whose JSON has so many bytes. */
function head(jsonBytes: number): string {
  return `POST /v2/models/simple/infer HTTP/1.1\r
Host: 127.0.0.1:8000\r
Accept-Encoding: gzip, deflate\r
Connection: keep-alive\r
User-Agent: geventhttpclient/2.3.1\r
Content-Type: application/octet-stream\r
Inference-Header-Content-Length: ${jsonBytes}\r
Content-Length: 0\r
\r
`;
}

const known = Buffer.from(head(233));
const others = Array.from({ length: 64 }, (_, nth) => Buffer.from(head(200 + nth)));

/** Heads in the chunks; the result says that they were whole and how many fields they have. */
function parse(parser: RequestParser, chunk: Buffer): number {
  let fields = 0;
  parser.push(chunk);
  for (let event = parser.next(); event !== 'more'; event = parser.next()) {
    if (event === 'refused') return Number.NaN;
    fields += parser.head.count;
  }
  return fields;
}

function parsing(chunkOf: (nth: number) => Buffer): Running {
  const parser = new RequestParser(limits);
  assert.equal(parse(parser, chunkOf(0)), 7);
  return { step: (nth) => parse(parser, chunkOf(nth)) };
}

function parsingPieces(): Running {
  const parser = new RequestParser(limits);
  const pieces = others.map((bytes) => [bytes.subarray(0, 60), bytes.subarray(60, 150), bytes.subarray(150)]);
  const step = (nth: number): number => {
    let fields = 0;
    for (const piece of pieces[nth & 63]!) fields += parse(parser, piece);
    return fields;
  };
  assert.equal(step(0), 7);
  return { step };
}

export const parts: readonly Part[] = [
  { name: 'http1/head-same', about: 'a head that the one before equals', setUp: () => parsing(() => known) },
  {
    name: 'http1/head',
    about: 'a head that differs from the one before',
    setUp: () => parsing((nth) => others[nth & 63]!),
  },
  { name: 'http1/head-pieces', about: 'the same in three chunks', setUp: parsingPieces },
];
