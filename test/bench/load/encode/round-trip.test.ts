import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TensorData } from '../../../../bench/load/data/data-set.js';
import { prepareStreams } from '../../../../bench/load/encode/prepare-streams.js';
import {
  ID_DIGITS,
  type PreparedRequest,
  SEQUENCE_ID_DIGITS,
  SEQUENCE_ID_VARINT_BYTES,
  type StepPlace,
} from '../../../../bench/load/encode/prepared-request.js';
import type { WireProtocol } from '../../../../bench/load/wires/wire.js';
import { inferHead } from '../../../../src/protocols/grpc/infer-head.js';
import { parseInferRequest } from '../../../../src/protocols/grpc/infer-message.js';
import { MessageType } from '../../../../src/protocols/grpc/proto.js';
import { jsonTensorBytes, readJsonTensor } from '../../../../src/protocols/json-tensor.js';
import { parseInferHead } from '../../../../src/protocols/v2-json.js';
import type { DataType } from '../../../../src/types/datatype.js';
import { fromHalf } from '../../../../src/types/half.js';
import type { InferHead, InputHead } from '../../../../src/types/infer.js';
import { elementCount } from '../../../../src/types/tensor.js';
import { type AnyForm, anyForm } from './random-forms.js';

const protocols: readonly [WireProtocol, 'binary' | 'json', 'binary' | 'json'][] = [
  ['http', 'binary', 'binary'],
  ['http', 'json', 'binary'],
  ['http', 'json', 'json'],
  ['ws', 'binary', 'json'],
  ['ws', 'json', 'binary'],
  ['ws', 'json', 'json'],
  ['grpc', 'binary', 'binary'],
  ['grpc-stream', 'binary', 'binary'],
];

const ID = 9_876_543_210;
/** More than 2^52: all the digits and bytes of its place are used. */
const SEQUENCE_ID = 9_007_199_254_740_991;

describe.each(protocols)('%s, %s inputs, %s outputs', (protocol, inputFormat, outputFormat) => {
  test("Conch's own decoders read what was meant", () => {
    fc.assert(
      fc.property(anyForm(inputFormat, outputFormat), (form) => {
        const { model, step, settings } = form;
        const [[prepared]] = prepareStreams(protocol, model, { streams: [[step]] }, settings) as never as [
          [{ requests: Record<StepPlace, PreparedRequest> }],
        ];
        const places = Object.keys(prepared.requests) as StepPlace[];
        expect(places).toEqual(model.scheduler === 'sequence' ? ['first', 'middle', 'last', 'only'] : ['middle']);
        for (const place of places) checkRequest(protocol, form, place, prepared.requests[place]);
      }),
      { numRuns: 150 },
    );
  });
});

function checkRequest(protocol: WireProtocol, form: AnyForm, place: StepPlace, request: PreparedRequest): void {
  const { model, step, settings } = form;
  const isSequence = model.scheduler === 'sequence';
  const hasId = protocol === 'ws' || protocol === 'grpc-stream';
  expect(request.idAt >= 0).toBe(hasId);
  expect(request.sequenceId !== null).toBe(isSequence);
  const bytes = fill(request);
  const { head, tensors } = decode(protocol, bytes, form);
  expect(head.id).toBe(hasId ? String(ID) : '');
  expect(head.sequenceId).toBe(isSequence ? SEQUENCE_ID : 0);
  expect(head.sequenceStart).toBe(isSequence && (place === 'first' || place === 'only'));
  expect(head.sequenceEnd).toBe(isSequence && (place === 'last' || place === 'only'));
  expect(Object.fromEntries(head.parameters)).toEqual({ ...settings.parameters, ...step.parameters });
  expect(head.inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape }))).toEqual(
    step.inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
  );
  step.inputs.forEach((input, nth) => {
    if ('place' in input) {
      const { region, offset, bytes: byteSize } = input.place;
      expect(head.inputs[nth]!.source).toEqual({ kind: 'shared', region, offset, byteSize });
    } else expectSame(input, tensors[nth]!);
  });
  const isBinary = protocol.startsWith('grpc') || settings.outputFormat === 'binary';
  const outputs = model.outputs.map(({ name }) => {
    const found = settings.outputPlaces.get(name);
    const shared = found === undefined ? null : { region: found.region, offset: found.offset, byteSize: found.bytes };
    return { name, binary: isBinary && (protocol.startsWith('grpc') || shared === null), classCount: 0, shared };
  });
  expect(head.outputs).toEqual(outputs);
  const sent = step.inputs.map((input) => ('bytes' in input ? input.bytes.length : 0));
  expect(request.tensorBytes).toBe(sent.reduce((sum, length) => sum + length, 0));
}

/** A copy with ids in their places, as the wires write them. */
function fill({ bytes, idAt, sequenceId }: PreparedRequest): Buffer {
  const filled = Buffer.from(bytes);
  if (idAt >= 0) expect(filled.write(String(ID).padStart(ID_DIGITS, '0'), idAt)).toBe(ID_DIGITS);
  if (sequenceId?.form === 'digits') filled.write(String(SEQUENCE_ID).padEnd(SEQUENCE_ID_DIGITS), sequenceId.at);
  if (sequenceId?.form === 'varint') {
    for (let nth = 0; nth < SEQUENCE_ID_VARINT_BYTES; nth++) {
      const more = nth < SEQUENCE_ID_VARINT_BYTES - 1 ? 0x80 : 0;
      filled[sequenceId.at + nth] = Number((BigInt(SEQUENCE_ID) >> BigInt(7 * nth)) & 0x7fn) | more;
    }
  }
  return filled;
}

interface Decoded {
  readonly head: InferHead;
  /** By input; empty of those in shared memory. */
  readonly tensors: readonly Buffer[];
}

function decode(protocol: WireProtocol, bytes: Buffer, form: AnyForm): Decoded {
  if (protocol === 'http') return decodeHttp(bytes, form);
  if (protocol === 'ws') return decodeFrame(bytes, form);
  return decodeMessage(bytes, form);
}

function decodeHttp(bytes: Buffer, { settings }: AnyForm): Decoded {
  const end = bytes.indexOf('\r\n\r\n') + 4;
  const [start, ...lines] = bytes.toString('latin1', 0, end - 4).split('\r\n');
  expect(start).toBe(`POST ${settings.target.path} HTTP/1.1`);
  const headers = new Map(lines.map((line) => line.split(/: (.*)/, 2) as [string, string]));
  const isBinary = settings.inputFormat === 'binary';
  expect([...headers.keys()].sort()).toEqual(
    [
      'Content-Length',
      'Content-Type',
      'Host',
      'X-User',
      ...(isBinary ? ['Inference-Header-Content-Length'] : []),
    ].sort(),
  );
  expect(headers.get('Host')).toBe('[::1]:8000');
  expect(headers.get('X-User')).toBe('me: 0000000000');
  expect(headers.get('Content-Length')).toBe(String(bytes.length - end));
  expect(headers.get('Content-Type')).toBe(isBinary ? 'application/octet-stream' : 'application/json');
  const length = isBinary ? Number(headers.get('Inference-Header-Content-Length')) : bytes.length - end;
  return decodeBody(bytes, end, length);
}

function decodeFrame(bytes: Buffer, { settings }: AnyForm): Decoded {
  const isBinary = settings.inputFormat === 'binary';
  expect(bytes[0]).toBe(isBinary ? 0x82 : 0x81);
  const short = bytes[1]! & 0x7f;
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const begin = 2 + lengthBytes + 4;
  expect(bytes[1]! & 0x80).toBe(0x80);
  expect(bytes.readUInt32LE(begin - 4)).toBe(0);
  const payload =
    lengthBytes === 0 ? short : lengthBytes === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  expect(begin + payload).toBe(bytes.length);
  // RFC 6455, 5.2: in as few bytes as will do.
  expect(lengthBytes).toBe(payload < 126 ? 0 : payload < 65536 ? 2 : 8);
  return isBinary ? decodeBody(bytes, begin + 4, bytes.readUInt32LE(begin)) : decodeBody(bytes, begin, payload);
}

function decodeBody(bytes: Buffer, begin: number, jsonBytes: number): Decoded {
  const head = parseInferHead(bytes, begin, begin + jsonBytes, true);
  let at = begin + jsonBytes;
  const tensors = head.inputs.map((input) => {
    if (input.source.kind === 'json') return jsonTensor(bytes, input, input.source);
    const size = input.source.kind === 'binary' ? input.source.byteSize : 0;
    at += size;
    return bytes.subarray(at - size, at);
  });
  expect(at).toBe(bytes.length);
  return { head, tensors };
}

function jsonTensor(body: Buffer, input: InputHead, range: { readonly start: number; readonly end: number }): Buffer {
  const { name, shape } = input;
  const datatype = input.datatype as DataType;
  const count = elementCount(shape);
  const target = Buffer.alloc(datatype === 'BYTES' ? jsonTensorBytes(body, range, name) : count * 8);
  return target.subarray(0, readJsonTensor(body, range, name, datatype, count, target, 0));
}

function decodeMessage(bytes: Buffer, { model, settings }: AnyForm): Decoded {
  expect(bytes[0]).toBe(0);
  expect(bytes.readUInt32BE(1)).toBe(bytes.length - 5);
  const message = bytes.subarray(5);
  const wire = parseInferRequest(message, 0, message.length);
  expect([wire.modelName, wire.modelVersion]).toEqual([model.name, settings.modelVersion]);
  // So that the server knows them again by their bytes.
  expect(wire.isOrdered).toBe(true);
  let nth = 0;
  const tensors = wire.inputs.map(({ parameters }) => {
    const range = parameters.has('shared_memory_region') ? { begin: 0, end: 0 } : wire.raw[nth++]!;
    return message.subarray(range.begin, range.end);
  });
  expect(wire.raw).toHaveLength(nth);
  const theirs = new MessageType('inference.ModelInferRequest').decode(message) as {
    readonly raw_input_contents: readonly Uint8Array[];
    readonly id: string;
  };
  expect(theirs.id).toBe(wire.id);
  expect(theirs.raw_input_contents.map((raw) => Buffer.from(raw))).toEqual(
    wire.raw.map(({ begin, end }) => message.subarray(begin, end)),
  );
  return { head: inferHead(message, wire, true, true), tensors };
}

/** NaNs have many forms, of which JSON has one. */
function expectSame(sent: TensorData, read: Buffer): void {
  const isFloat = sent.datatype.startsWith('FP');
  if (!isFloat) expect(read).toEqual(sent.bytes);
  else expect(floatsOf(sent.datatype, read)).toEqual(floatsOf(sent.datatype, sent.bytes));
}

function floatsOf(datatype: string, bytes: Buffer): number[] {
  const size = Number(datatype.slice(2)) / 8;
  const read = {
    2: (at: number) => fromHalf(bytes.readUInt16LE(at)),
    4: (at: number) => bytes.readFloatLE(at),
    8: (at: number) => bytes.readDoubleLE(at),
  }[size]!;
  return Array.from({ length: bytes.length / size }, (_, nth) => read(nth * size));
}
