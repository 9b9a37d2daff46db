import { describe, expect, test } from 'vitest';
import { DataError } from '../../../../bench/load/data/data-error.js';
import type { TensorData } from '../../../../bench/load/data/data-set.js';
import { packStrings } from '../../../../bench/load/data/elements.js';
import { prepareStreams } from '../../../../bench/load/encode/prepare-streams.js';
import { inferPath, type RequestSettings } from '../../../../bench/load/encode/request-settings.js';
import type { TargetModel } from '../../../../bench/load/target/target.js';
import type { WireProtocol } from '../../../../bench/load/wires/wire.js';
import { targetModel, tensor } from '../target-model.js';

const model = targetModel('m', [tensor('IN', 'BYTES', [1])], [tensor('OUT', 'FP32', [1])]);
const text: TensorData = { name: 'IN', datatype: 'BYTES', shape: [1], bytes: packStrings(['text']) };

const settings: RequestSettings = {
  target: { host: 'localhost', port: 8000, path: inferPath('m', ''), headers: [] },
  modelVersion: '',
  inputFormat: 'binary',
  outputFormat: 'binary',
  parameters: {},
  outputPlaces: new Map(),
};

interface Given {
  readonly protocol?: WireProtocol;
  readonly model?: Partial<TargetModel>;
  readonly input?: Partial<TensorData>;
  readonly parameters?: Readonly<Record<string, number>>;
  readonly expected?: readonly TensorData[];
  readonly settings?: Partial<RequestSettings>;
}

function prepare({ protocol = 'http', input, parameters = {}, expected, ...given }: Given) {
  const step = { inputs: [{ ...text, ...input }], expected: expected ?? null, parameters };
  const all = { ...settings, ...given.settings };
  return prepareStreams(protocol, { ...model, ...given.model }, { streams: [[step]] }, all)[0]![0]!.requests;
}

function refusal(given: Given): string {
  try {
    prepare(given);
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    return (error as DataError).message;
  }
  throw new Error('it was accepted');
}

const withHeader = (name: string, value: string) => ({
  settings: { target: { ...settings.target, headers: [[name, value] as const] } },
});
const broken = { bytes: packStrings([Buffer.from([0xc3, 0x28])]) };
const output: TensorData = { name: 'OUT', datatype: 'FP32', shape: [1], bytes: Buffer.alloc(4) };

const refusals: readonly [string, Given, string][] = [
  [
    'BF16 in JSON',
    { input: { datatype: 'BF16', bytes: Buffer.alloc(2) }, settings: { inputFormat: 'json' } },
    "input 'IN': BF16 has no JSON; send it with --input-tensor-format=binary",
  ],
  [
    'a string that is not UTF-8, in JSON',
    { input: { shape: [2], bytes: packStrings(['a', Buffer.from([0xff])]) }, settings: { inputFormat: 'json' } },
    "input 'IN', element 1: it is not UTF-8, which JSON needs; send it with --input-tensor-format=binary",
  ],
  [
    'JSON inputs over gRPC',
    { protocol: 'grpc', settings: { inputFormat: 'json' } },
    '--input-tensor-format=json: over grpc tensors are bytes; use http or ws, or leave the flag out',
  ],
  [
    'JSON outputs over a gRPC stream',
    { protocol: 'grpc-stream', settings: { outputFormat: 'json' } },
    '--output-tensor-format=json: over grpc-stream tensors are bytes; use http or ws, or leave the flag out',
  ],
  [
    'a decoupled model over HTTP',
    { model: { isDecoupled: true } },
    "model 'm' is decoupled, which http cannot carry: use gRPC with --streaming, or ws",
  ],
  [
    'a decoupled model over unary gRPC',
    { protocol: 'grpc', model: { isDecoupled: true } },
    "model 'm' is decoupled, which grpc cannot carry: use gRPC with --streaming, or ws",
  ],
  [
    'a sequence id of the user',
    { settings: { parameters: { sequence_id: 7 } } },
    '--request-parameter sequence_id: the load test itself sets it for models with sequences; leave it out',
  ],
  [
    'the same in a step',
    { parameters: { sequence_end: 1 } },
    "data, 'parameters': sequence_end: the load test itself sets it for models with sequences; leave it out",
  ],
  [
    'a length of the user',
    withHeader('Content-Length', '7'),
    '-H Content-Length: the load test itself sets this header; leave it out',
  ],
  [
    'a header with a line break',
    withHeader('X-A', 'b\r\nX-C: d'),
    '-H "X-A: b\\r\\nX-C: d": a header is NAME:VALUE, without line breaks and other control characters',
  ],
  [
    'a header without a name',
    withHeader('', 'b'),
    '-H ": b": a header is NAME:VALUE, without line breaks and other control characters',
  ],
  [
    'expected outputs in shared memory',
    { expected: [output], settings: { outputPlaces: new Map([['OUT', { region: 'r', offset: 0, bytes: 4 }]]) } },
    "validation_data, output 'OUT': it is in shared memory, where it is not looked at; use --shared-memory=none, or leave out validation_data",
  ],
];

test.each(refusals)('%s is refused by name', (_, given, message) => {
  expect(refusal(given)).toBe(message);
});

test('bytes that are no strings are refused in JSON, and sent as they are else', () => {
  const input = { bytes: Buffer.from([9, 0, 0, 0, 1]) };
  expect(refusal({ input, settings: { inputFormat: 'json' } })).toBe(
    "input 'IN': its lengths do not lead to the end of its 5 bytes",
  );
  expect(prepare({ input }).middle!.bytes.subarray(-5)).toEqual(input.bytes);
  expect(prepare({ input: broken }).middle!.bytes.subarray(-6)).toEqual(broken.bytes);
});

describe('frames', () => {
  test.each([1, 125, 126, 65_535, 65_536, 1_000_000])('a message of %i bytes and its JSON', (length) => {
    const { bytes } = prepare({ protocol: 'ws', input: { bytes: Buffer.alloc(length, 0x41) } }).middle!;
    const short = bytes[1]! & 0x7f;
    expect(bytes.subarray(-length).every((byte) => byte === 0x41)).toBe(true);
    const payload = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
    expect(bytes.length).toBe(payload + (short === 126 ? 8 : short === 127 ? 14 : 6));
  });

  test('short ones have their length in the second byte', () => {
    const small = { inputs: [], outputs: [] };
    const step = { inputs: [], expected: null, parameters: {} };
    const { bytes } = prepareStreams('ws', { ...model, ...small }, { streams: [[step]] }, settings)[0]![0]!.requests
      .middle!;
    expect(bytes.subarray(0, 6)).toEqual(Buffer.from([0x82, 0x80 | (bytes.length - 6), 0, 0, 0, 0]));
    expect(bytes.subarray(10).toString()).toBe('{"id":"0000000000","inputs":[]}');
  });
});

test('a user may say whom the request is for and what it is', () => {
  const headers = [
    ['host', 'models.example'],
    ['content-type', 'application/x'],
  ] as const;
  const { bytes } = prepare({ settings: { target: { ...settings.target, headers } } }).middle!;
  const head = bytes.toString('latin1', 0, bytes.indexOf('\r\n\r\n'));
  expect(head).toContain('\r\nHost: models.example\r\n');
  expect(head).toContain('\r\nContent-Type: application/x\r\n');
  expect(head).not.toContain('localhost');
});

test('paths carry names as they are, percent-encoded', () => {
  expect(inferPath('simple', '')).toBe('/v2/models/simple/infer');
  expect(inferPath('a/b c', '3')).toBe('/v2/models/a%2Fb%20c/versions/3/infer');
});

test('only the first step of a stream can begin a sequence', () => {
  const step = { inputs: [text], expected: null, parameters: {} };
  const places = (steps: number) =>
    prepareStreams(
      'http',
      { ...model, scheduler: 'sequence' },
      { streams: [Array(steps).fill(step)] },
      settings,
    )[0]!.map(({ requests }) => Object.keys(requests));
  expect(places(2)).toEqual([
    ['first', 'middle', 'last', 'only'],
    ['middle', 'last'],
  ]);
});
