import assert from 'node:assert/strict';
import { HpackDecoder } from '../../../src/transport/http2/hpack/decoder.js';
import { encodeFields, encodeInteger } from '../../../src/transport/http2/hpack/encoder.js';
import { FieldList } from '../../../src/transport/http2/request-fields.js';
import { grpcFields } from '../fixtures/grpc-fields.js';
import type { Part, Running } from '../part.js';

const LIST_BYTES_MAX = 16 << 10;
/** RFC 7541, appendix A: the dynamic table follows it. */
const STATIC_FIELDS = 61;
const WITH_INDEXING = 0x40;

function decoding(first: Buffer, block: Buffer): Running {
  const decoder = new HpackDecoder(LIST_BYTES_MAX);
  const fields = new FieldList();
  fields.begin(false);
  decoder.decode(first, 0, first.length, fields);
  const step = (): number => {
    fields.begin(false);
    decoder.decode(block, 0, block.length, fields);
    return fields.length;
  };
  assert.equal(step(), grpcFields.length - 4);
  assert.equal(fields.path, '/inference.GRPCInferenceService/ModelInfer');
  assert.equal(fields.requestMalformation(), null);
  return { step };
}

/** Each field as a literal without Huffman that goes into the table of the decoder (6.2.1). */
function literals(): Buffer {
  const text = (value: string): Buffer => Buffer.concat([encodeInteger(0, 0x7f, value.length), Buffer.from(value)]);
  return Buffer.concat(grpcFields.flatMap(([name, value]) => [Buffer.of(WITH_INDEXING), text(name), text(value)]));
}

/** What a client sends from its second call on: each field as its place in the table, the newest first (2.3.3). */
function places(): Buffer {
  return Buffer.concat(grpcFields.map((_, nth) => encodeInteger(0x80, 0x7f, STATIC_FIELDS + grpcFields.length - nth)));
}

const huffman = encodeFields(grpcFields).bytes;

function encoding(): Running {
  const step = (): number => encodeFields(grpcFields).bytes.length;
  assert.equal(step(), huffman.length);
  return { step };
}

export const parts: readonly Part[] = [
  {
    name: 'hpack/decode-indexed',
    about: `${grpcFields.length} fields of a gRPC call, all of them in the table`,
    setUp: () => decoding(literals(), places()),
  },
  {
    name: 'hpack/decode-huffman',
    about: 'the same as literals, most of them in Huffman code',
    setUp: () => decoding(Buffer.alloc(0), huffman),
  },
  {
    name: 'hpack/decode-literal',
    about: 'the same as literals without Huffman that go into the table',
    setUp: () => decoding(Buffer.alloc(0), literals()),
  },
  { name: 'hpack/encode', about: 'the same encoded', setUp: encoding },
];
