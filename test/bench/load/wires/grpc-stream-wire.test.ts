import type { SecureServerOptions, ServerHttp2Stream } from 'node:http2';
import { afterEach, describe, expect, test } from 'vitest';
import { ID_DIGITS } from '../../../../bench/load/encode/prepared-request.js';
import type { WireTarget } from '../../../../bench/load/wires/wire.js';
import { MessageType } from '../../../../src/protocols/grpc/proto.js';
import { constants, framed, GrpcServer, HEAD } from './http2-server.js';
import { prepared, Recorder } from './recorder.js';

let server: GrpcServer;
let recorder: Recorder;

afterEach(async () => {
  recorder.wire.close();
  await server.stop();
  expect(server.errors).toEqual([]);
});

type OnRequest = (stream: ServerHttp2Stream, id: string, filling: number) => void;

/** A server that takes requests made by `request` and does with each what the test says. */
async function start(
  onRequest: OnRequest,
  options: SecureServerOptions = {},
  target: Partial<WireTarget> = {},
): Promise<void> {
  server = await GrpcServer.start(options, () => {});
  server.onStream = (stream) => {
    stream.respond(HEAD, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '14', 'grpc-message': 'going away' }));
    let bytes: Buffer = Buffer.alloc(0);
    stream.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt32BE(1)) {
        const end = 5 + bytes.readUInt32BE(1);
        onRequest(stream, bytes.toString('latin1', 5, 5 + ID_DIGITS), bytes.subarray(5 + ID_DIGITS, end).length);
        bytes = bytes.subarray(end);
      }
    });
  };
  recorder = await Recorder.open({ protocol: 'grpc-stream', port: server.port, slots: 4, ...target });
}

/** An id, and so many bytes more. */
const request = (filling: number) => prepared(framed(Buffer.alloc(ID_DIGITS + filling, '0')), { idAt: 5 });

const responseType = new MessageType('inference.ModelStreamInferResponse');
const response = (id: string, more: object = {}, error = '') =>
  framed(Buffer.from(responseType.encode({ error_message: error, infer_response: { model_name: 'm', id, ...more } })));

describe('answers', () => {
  test('in another order, and large ones between small ones, find their slots', async () => {
    const waiting: [string, number][] = [];
    await start((stream, id, filling) => {
      waiting.unshift([id, filling]);
      if (waiting.length < 4) return;
      for (const [one, bytes] of waiting.splice(0))
        stream.write(response(one, { raw_output_contents: [Buffer.alloc(bytes)] }));
    });
    const sizes = [3, 300_000, 5, 70_000];
    for (let round = 1; round <= 3; round++) {
      for (const [slot, size] of sizes.entries()) recorder.wire.send(slot, request(size), 0);
      await recorder.until(() => recorder.answers.length === 4 * round);
    }
    expect(recorder.answers.map(({ slot }) => slot)).toEqual([3, 2, 1, 0, 3, 2, 1, 0, 3, 2, 1, 0]);
    for (const { slot, body } of recorder.answers) expect(body.length).toBeGreaterThan(sizes[slot]!);
  });

  test('come also where the window of the server is small', async () => {
    await start((stream, id) => stream.write(response(id)), { settings: { initialWindowSize: 1000 } });
    for (const slot of [0, 1, 2, 3]) recorder.wire.send(slot, request(100_000), 0);
    await recorder.until(() => recorder.answers.length === 4);
    expect(recorder.answers.every(({ failure, isFinal }) => failure === null && isFinal)).toBe(true);
  });

  test('of a decoupled model end where they say so', async () => {
    const parameters = (value: boolean) => ({
      parameters: { nth: { int64_param: 3 }, triton_final_response: { bool_param: value } },
    });
    const outputs = [{ name: 'OUT', datatype: 'INT32', shape: [0] }];
    await start(
      (stream, id) => {
        stream.write(response(id, { ...parameters(false), outputs }));
        stream.write(response(id, { parameters: {}, outputs }));
        stream.write(response(id, parameters(true)));
        stream.write(response(id, { outputs }));
      },
      {},
      { isDecoupled: true },
    );
    recorder.wire.send(0, request(1), 0);
    await recorder.until(() => recorder.answers.some(({ isFinal }) => isFinal));
    expect(recorder.answers.map(({ isFinal, isEmpty }) => [isFinal, isEmpty])).toEqual([
      [false, false],
      [false, false],
      [true, true],
    ]);
    recorder.wire.send(0, request(1), 0);
    await recorder.until(() => recorder.answers.length === 6);
    expect(recorder.closed).toEqual([]);
  });

  test('that are errors fail their request alone', async () => {
    await start((stream, id, filling) => stream.write(response(id, {}, filling === 1 ? 'not today' : '')));
    recorder.wire.send(0, request(1), 0);
    recorder.wire.send(1, request(2), 0);
    await recorder.until(() => recorder.answers.length === 2);
    const failure = { kind: 'gRPC stream error', message: 'not today' };
    expect(recorder.answers).toMatchObject([
      { slot: 0, isFinal: true, failure },
      { slot: 1, failure: null },
    ]);
  });
});

describe('the end of the call', () => {
  test.each<[string, string, RegExp, (stream: ServerHttp2Stream) => void]>([
    ['a status', 'gRPC UNAVAILABLE', /^going away$/, (stream) => stream.end()],
    ['a reset', 'gRPC INTERNAL', /INTERNAL_ERROR/, (stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR)],
    [
      'the end of the connection',
      'connection closed',
      /^the server (closed|ended)/,
      (stream) => stream.session!.destroy(),
    ],
    [
      'an error of no request',
      'bad answer',
      /id of a request: bad stream/,
      (stream) => stream.write(response('', {}, 'bad stream')),
    ],
    [
      'something that is no protobuf',
      'bad answer',
      /protobuf/,
      (stream) => stream.write(framed(Buffer.from([0x12, 0x7f, 0x01]))),
    ],
    ['a compressed message', 'bad answer', /compressed/, (stream) => stream.write(Buffer.of(1, 0, 0, 0, 1, 0))],
  ])('%s fails all that is in flight, and there can be another call', async (_name, kind, message, act) => {
    let isFirst = true;
    await start((stream, id) => {
      if (!isFirst) stream.write(response(id));
      else if (Number(id) % 4 === 1) act(stream);
    });
    recorder.wire.send(0, request(1), 0);
    recorder.wire.send(1, request(1), 0);
    await recorder.until(() => recorder.closed.length > 0);
    const failure = { kind, message: expect.stringMatching(message) };
    expect(recorder.answers).toMatchObject([
      { slot: 0, failure },
      { slot: 1, failure },
    ]);
    isFirst = false;
    await recorder.wire.open();
    expect((await recorder.ask(request(1))).failure).toBe(null);
  });
});
