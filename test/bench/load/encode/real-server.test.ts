import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildDataSet } from '../../../../bench/load/data/build-data-set.js';
import type { DataSet, Step } from '../../../../bench/load/data/data-set.js';
import { packElements } from '../../../../bench/load/data/elements.js';
import type { AnswerBytes } from '../../../../bench/load/encode/answer-outputs.js';
import { checkAnswer } from '../../../../bench/load/encode/check-answer.js';
import { prepareStreams } from '../../../../bench/load/encode/prepare-streams.js';
import {
  ID_DIGITS,
  type PreparedRequest,
  SEQUENCE_ID_DIGITS,
  type StepPlace,
} from '../../../../bench/load/encode/prepared-request.js';
import { inferPath, type RequestSettings, type SourceSet } from '../../../../bench/load/encode/request-settings.js';
import type { TargetModel } from '../../../../bench/load/target/target.js';
import type { WireProtocol } from '../../../../bench/load/wires/wire.js';
import { MessageType } from '../../../../src/protocols/grpc/proto.js';
import { RegionFile } from '../../../e2e/region-file.js';
import { ServerProcess } from '../../../e2e/server.js';
import { SocketClient } from '../../../e2e/socket-client.js';
import { BytesClient } from '../../../protocols/grpc/engine-fixture.js';
import { RawClient } from '../../../protocols/http/raw-client.js';
import { dataOptions, simple, targetModel, tensor } from '../target-model.js';

const unaryPath = '/inference.GRPCInferenceService/ModelInfer';
const streamPath = '/inference.GRPCInferenceService/ModelStreamInfer';

const wideTypes = [
  'BOOL',
  'UINT8',
  'UINT16',
  'UINT32',
  'UINT64',
  'INT8',
  'INT16',
  'INT32',
  'INT64',
  'FP32',
  'FP64',
  'BYTES',
];

/** Its outputs are its inputs, of nearly all datatypes. */
const wide = targetModel(
  'wide',
  wideTypes.map((datatype, nth) => tensor(`INPUT${nth}`, datatype, [-1, 2])),
  wideTypes.map((datatype, nth) => tensor(`OUTPUT${nth}`, datatype, [-1, 2])),
  { maxBatchSize: 4 },
);

const half = targetModel('identity_fp16', [tensor('INPUT0', 'FP16', [-1, -1])], [tensor('OUTPUT0', 'FP16', [-1, -1])], {
  maxBatchSize: 8,
});

const accumulator = targetModel(
  'sequence_oldest',
  [tensor('INPUT', 'INT32', [-1, 1])],
  [tensor('FLAGS', 'INT32', [-1, 3]), tensor('ID', 'INT32', [-1, 1])],
  { maxBatchSize: 4, scheduler: 'sequence' },
);

const repeat = targetModel(
  'repeat',
  [tensor('COUNT', 'INT32', [-1, 1]), tensor('HOW', 'BYTES', [-1, 1], true)],
  [tensor('NTH', 'INT32', [-1, 1]), tensor('TEXT', 'BYTES', [-1, -1])],
  { maxBatchSize: 4, isDecoupled: true },
);

let server: ServerProcess;
let grpc: BytesClient;

beforeAll(async () => {
  server = await ServerProcess.start({
    models: ['simple', 'wide', 'identity_fp16', 'sequence_oldest', 'repeat'],
    engine: 'net',
    flags: ['--allow-client-shm=true'],
  });
  grpc = new BytesClient(server.grpcPort);
});

afterAll(async () => {
  grpc?.close();
  await server?.stop();
});

type Formats = Pick<RequestSettings, 'inputFormat' | 'outputFormat'>;

function prepare(protocol: WireProtocol, model: TargetModel, dataSet: SourceSet, more: Partial<RequestSettings> = {}) {
  return prepareStreams(protocol, model, dataSet, {
    target: { host: '127.0.0.1', port: server.httpPort, path: inferPath(model.name, ''), headers: [] },
    modelVersion: '',
    inputFormat: 'binary',
    outputFormat: 'binary',
    parameters: {},
    outputPlaces: new Map(),
    ...more,
  });
}

/** The answers to one request, sent as it stands. Throws where it is no good one. */
async function ask(
  protocol: WireProtocol,
  model: TargetModel,
  { bytes }: PreparedRequest,
  count = 1,
): Promise<AnswerBytes[]> {
  if (protocol === 'http') return [await askHttp(bytes)];
  return protocol === 'ws' ? askSocket(model, bytes, count) : askGrpc(protocol, bytes, count);
}

async function askHttp(request: Buffer): Promise<AnswerBytes> {
  const client = await RawClient.open(server.httpPort);
  const { status, headers, body } = (await client.ask(request))!;
  client.destroy();
  expect(status, String(body)).toBe(200);
  const jsonBytes = Number(headers.get('inference-header-content-length') ?? -1);
  return { bytes: body, start: 0, end: body.length, jsonBytes };
}

/** The frame goes over the socket of a client, whose own frames stay out of its way. */
async function askSocket(model: TargetModel, frame: Buffer, count: number): Promise<AnswerBytes[]> {
  const client = await SocketClient.open(server.httpPort, inferPath(model.name, ''));
  (client.webSocket as unknown as { readonly _socket: { write(bytes: Buffer): void } })._socket.write(frame);
  const messages = await client.received(count);
  client.webSocket.terminate();
  return messages.map(({ bytes, isText }) => {
    expect(bytes.toString()).not.toContain('"error"');
    return { bytes, start: isText ? 0 : 4, end: bytes.length, jsonBytes: isText ? -1 : bytes.readUInt32LE() };
  });
}

async function askGrpc(protocol: WireProtocol, prefixed: Buffer, count: number): Promise<AnswerBytes[]> {
  const isStream = protocol === 'grpc-stream';
  const { code, details, messages } = await grpc.unary(isStream ? streamPath : unaryPath, prefixed.subarray(5));
  expect(code, details).toBe(0);
  expect(messages).toHaveLength(count);
  return messages.map((bytes) => {
    const message = isStream ? inferResponse(bytes) : bytes;
    return { bytes: message, start: 0, end: message.length, jsonBytes: -1 };
  });
}

function inferResponse(bytes: Buffer): Buffer {
  const stream = new MessageType('inference.ModelStreamInferResponse').decode(bytes);
  expect(stream.error_message).toBe('');
  return Buffer.from(new MessageType('inference.ModelInferResponse').encode(stream.infer_response as object));
}

/** Outputs that are the inputs: expects each to come back. */
function echoed(dataSet: DataSet): DataSet {
  const echo = (step: Step): Step => ({
    ...step,
    expected: step.inputs.map((input) => ({ ...input, name: input.name.replace('INPUT', 'OUTPUT') })),
  });
  return { streams: dataSet.streams.map((steps) => steps.map(echo)) };
}

const ways: readonly [WireProtocol, Formats][] = [
  ['http', { inputFormat: 'binary', outputFormat: 'binary' }],
  ['http', { inputFormat: 'json', outputFormat: 'json' }],
  ['http', { inputFormat: 'json', outputFormat: 'binary' }],
  ['ws', { inputFormat: 'binary', outputFormat: 'binary' }],
  ['ws', { inputFormat: 'json', outputFormat: 'json' }],
  ['grpc', { inputFormat: 'binary', outputFormat: 'binary' }],
  ['grpc-stream', { inputFormat: 'binary', outputFormat: 'binary' }],
];

describe.each(ways)('%s, %o', (protocol, formats) => {
  test.each([
    ['nearly all datatypes', wide, {}],
    ['FP16', half, { shapes: { INPUT0: [5] } }],
    ['a body of many bytes', half, { shapes: { INPUT0: [20_000] } }],
  ])('random data comes back: %s', async (_, model, more) => {
    const dataSet = echoed(await buildDataSet(model, dataOptions({ ...more, ...formats }), 3));
    const { requests, expected } = prepare(protocol, model, dataSet, formats)[0]![0]!;
    const [answer] = await ask(protocol, model, requests.middle!);
    expect(checkAnswer(protocol, expected!, answer!)).toBeNull();
    // It would see if it did not.
    const wrong = expected!.map((output) => ({ ...output, bytes: Buffer.from(output.bytes) }));
    wrong[0]!.bytes[wrong[0]!.bytes.length - 1]! ^= 1;
    expect(checkAnswer(protocol, wrong, answer!)).toMatchObject({ kind: 'wrong output' });
  });

  test('the places of a sequence say whether it begins and ends, and the id is the one that is written', async () => {
    const dataSet = await buildDataSet(accumulator, dataOptions({ ...formats }), 1);
    const { requests } = prepare(protocol, accumulator, dataSet, formats)[0]![0]!;
    let id = 7;
    for (const [place, start, end] of [
      ['only', 1, 1],
      ['first', 1, 0],
      ['middle', 0, 0],
      ['last', 0, 1],
    ] as const) {
      const request = requests[place as StepPlace]!;
      if (place === 'first') id = 1234;
      writeSequenceId(request, id);
      const [answer] = await ask(protocol, accumulator, request);
      const expected = [
        // Start, end and ready.
        { name: 'FLAGS', datatype: 'INT32', shape: [1, 3], bytes: packElements('INT32', [start, end, 1]) },
        { name: 'ID', datatype: 'INT32', shape: [1, 1], bytes: packElements('INT32', [id]) },
      ];
      expect(checkAnswer(protocol, expected, answer!)).toBeNull();
    }
  });

  test('tensors in shared memory: named, not sent', async () => {
    const count = 16 * 4;
    const inputs = packElements(
      'INT32',
      Array.from({ length: 32 }, (_, nth) => nth),
    );
    const region = new RegionFile(Buffer.concat([inputs, Buffer.alloc(2 * count)]));
    await register(region, 4 * count);
    const place = (offset: number) => ({ region: region.key, offset, bytes: count });
    const input = (name: string, offset: number) => ({ name, datatype: 'INT32', shape: [1, 16], place: place(offset) });
    const step = { inputs: [input('INPUT0', 0), input('INPUT1', count)], expected: null, parameters: {} };
    const outputPlaces = new Map([
      ['OUTPUT0', place(2 * count)],
      ['OUTPUT1', place(3 * count)],
    ]);
    const request = prepare(protocol, simple, { streams: [[step]] }, { ...formats, outputPlaces })[0]![0]!.requests
      .middle!;
    expect(request.tensorBytes).toBe(0);
    await ask(protocol, simple, request);
    const sums = region.read(2 * count, count);
    region.remove();
    expect(sums).toEqual(
      packElements(
        'INT32',
        Array.from({ length: 16 }, (_, nth) => 16 + 2 * nth),
      ),
    );
  });
});

test.each(['ws', 'grpc-stream'] as const)(
  '%s: the end of the answers of a decoupled model is seen, by its id',
  async (protocol) => {
    const count = { name: 'COUNT', datatype: 'INT32', shape: [1, 1], bytes: packElements('INT32', [2]) };
    const step = { inputs: [count], expected: null, parameters: {} };
    const request = prepare(protocol, repeat, { streams: [[step]] })[0]![0]!.requests.middle!;
    request.bytes.write('42'.padStart(ID_DIGITS, '0'), request.idAt);
    const answers = await ask(protocol, repeat, request, 3);
    const end = answers[2]!.bytes;
    expect(end.toString('latin1')).toContain('triton_final_response');
    expect(end.toString('latin1')).toContain('0000000042');
    expect(end.toString('latin1')).not.toContain('NTH');
  },
);

function writeSequenceId({ bytes, sequenceId }: PreparedRequest, id: number): void {
  const { form, at } = sequenceId!;
  if (form === 'digits') bytes.write(String(id).padEnd(SEQUENCE_ID_DIGITS), at);
  else bytes.set([(id & 0x7f) | 0x80, (id >> 7) | 0x80], at);
}

async function register({ key }: RegionFile, byteSize: number): Promise<void> {
  const url = `http://127.0.0.1:${server.httpPort}/v2/systemsharedmemory/region/${encodeURIComponent(key)}/register`;
  const answer = await fetch(url, { method: 'POST', body: JSON.stringify({ key, offset: 0, byte_size: byteSize }) });
  expect(answer.status, await answer.text()).toBe(200);
}
