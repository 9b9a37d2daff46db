import { readFileSync } from 'node:fs';
import { compressionAlgorithms } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type BytesClient, status } from './engine-fixture.js';
import {
  ask,
  firstInts,
  floats,
  infer,
  oneInput,
  openStream,
  RealServer,
  simpleRequest,
  streamResponses,
} from './real-server.js';
import { encodeRequest, type TwinInput } from './twin.js';

const MEGABYTE = 1024 * 1024;

function bytesTensor(...texts: string[]): Buffer {
  return Buffer.concat(
    texts.flatMap((text) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(Buffer.byteLength(text));
      return [length, Buffer.from(text)];
    }),
  );
}

/** Model identity_*: its input comes back. [datatype, raw bytes of two elements, the same as typed contents] */
const identities: readonly [string, Buffer, NonNullable<TwinInput['contents']> | null][] = [
  ['BOOL', Buffer.from([1, 0]), { bool_contents: [true, false] }],
  ['UINT8', Buffer.from([1, 255]), { uint_contents: [1, 255] }],
  ['UINT16', Buffer.from([1, 0, 255, 255]), { uint_contents: [1, 65535] }],
  ['UINT32', Buffer.from('01000000ffffffff', 'hex'), { uint_contents: [1, 4294967295] }],
  [
    'UINT64',
    Buffer.from('0100000000000000ffffffffffffffff', 'hex'),
    { uint64_contents: ['1', '18446744073709551615'] },
  ],
  ['INT8', Buffer.from([1, 255]), { int_contents: [1, -1] }],
  ['INT16', Buffer.from([1, 0, 0, 128]), { int_contents: [1, -32768] }],
  ['INT32', Buffer.from('0100000000000080', 'hex'), { int_contents: [1, -2147483648] }],
  ['INT64', Buffer.from('01000000000000000000000000000080', 'hex'), { int64_contents: ['1', '-9223372036854775808'] }],
  ['FP16', Buffer.from('003c00c0', 'hex'), null],
  ['FP32', floats(1.5, -2), { fp32_contents: [1.5, -2] }],
  ['FP64', Buffer.from(Float64Array.of(1.5, -2).buffer), { fp64_contents: [1.5, -2] }],
  ['BYTES', bytesTensor('a', 'größer'), { bytes_contents: [Buffer.from('a'), Buffer.from('größer')] }],
];

interface FailStatistics {
  readonly model_stats: readonly { readonly inference_stats: { readonly fail?: { readonly count: string } } }[];
}

/** What the inference service does over an engine, in the real server. */
export function runServiceContract(engine: string): void {
  let server: RealServer;
  let client: BytesClient;

  beforeAll(async () => {
    server = await RealServer.start(`--grpc-engine=${engine}`, '--tensor-memory-byte-size=268435456');
    client = server.client();
  });

  afterAll(async () => {
    expect(await server?.stop()).toBe(0);
  });

  describe('ModelInfer', () => {
    test.each(identities)('%s goes in raw and typed, and comes back raw', async (datatype, raw, contents) => {
      const model = `identity_${datatype.toLowerCase()}`;
      const request = { ...oneInput(model, datatype, [1, 2], raw), id: 'i' };
      const typed = { ...request, inputs: [{ ...request.inputs![0]!, contents: contents! }], raw_input_contents: [] };
      for (const form of [request, request, ...(contents === null ? [] : [typed])]) {
        const { code, response } = await infer(client, form);
        expect(code).toBe(status.OK);
        expect(response).toMatchObject({ model_name: model, model_version: '1', id: 'i', parameters: {} });
        expect(JSON.parse(JSON.stringify(response!.outputs))).toEqual([
          { name: 'OUTPUT0', datatype, shape: ['1', '2'] },
        ]);
        expect(response!.raw_output_contents).toEqual([raw]);
      }
    });

    test('many at once, with and without ids, each get their own answer', async () => {
      const clients = [client, server.client({ 'grpc.primary_user_agent': 'another' })];
      const asked = Array.from({ length: 600 }, (_, nth) => {
        const id = nth % 3 === 0 ? '' : `${'x'.repeat(nth % 7)}${nth}`;
        return infer(clients[nth % 2]!, simpleRequest(nth, 1, id)).then(({ response }) => ({ id, response }));
      });
      for (const [nth, { id, response }] of (await Promise.all(asked)).entries()) {
        expect(response!.id).toBe(id);
        expect(firstInts(response!)).toEqual([nth + 1, nth - 1]);
      }
    });

    test('an id of any length and script comes back', async () => {
      for (const id of ['x'.repeat(127), 'x'.repeat(128), 'x'.repeat(129), 'y'.repeat(5000), 'größer \u{1f600}', 'a']) {
        for (const _ of [1, 2]) expect((await infer(client, simpleRequest(1, 2, id))).response!.id).toBe(id);
      }
    });

    test('tensors of every size come back', async () => {
      for (const elements of [0, 1, 3000, 4096, 16_384, 16_385, 200_000, 2 * MEGABYTE]) {
        const raw = Buffer.from(Float32Array.from({ length: elements }, (_, index) => index).buffer);
        const { response } = await infer(client, oneInput('identity_fp32', 'FP32', [1, elements], raw));
        expect(response!.raw_output_contents[0]!.equals(raw)).toBe(true);
      }
    });

    test('only the outputs asked for come, in that order', async () => {
      const outputs = [{ name: 'OUTPUT1' }, { name: 'OUTPUT0' }];
      const { response } = await infer(client, { ...simpleRequest(5, 3), outputs });
      expect(response!.outputs.map(({ name }) => name)).toEqual(['OUTPUT1', 'OUTPUT0']);
      expect(firstInts(response!)).toEqual([2, 8]);
    });

    test('classes come instead of an output', async () => {
      const outputs = [{ name: 'OUTPUT0', parameters: { classification: { int64_param: 2 } } }];
      const request = oneInput('labels', 'FP32', [1, 4], floats(0, 3, 1, 2));
      const { response } = await infer(client, { ...request, outputs });
      expect(response!.outputs[0]!.datatype).toBe('BYTES');
      const text = response!.raw_output_contents[0]!.toString();
      expect(text).toContain('3.000000:1');
      expect(text).toContain('2.000000:3');
    });

    test.each([
      [
        'unknown model',
        { ...simpleRequest(1, 1), model_name: 'none' },
        status.NOT_FOUND,
        "Request for unknown model: 'none' is not found",
      ],
      [
        'unknown version',
        { ...simpleRequest(1, 1), model_version: '7' },
        status.NOT_FOUND,
        "Request for unknown model: 'simple_b64' version 7 is not found",
      ],
      [
        'no version',
        { ...simpleRequest(1, 1), model_version: 'x' },
        status.INVALID_ARGUMENT,
        "failed to get model version from specified version string 'x' (details: stol), version should be an integral value > 0",
      ],
      [
        'wrong size',
        { ...oneInput('identity_fp32', 'FP32', [1, 2], floats(1)), id: 'a' },
        status.INVALID_ARGUMENT,
        "[request id: a] input byte size mismatch for input 'INPUT0' for model 'identity_fp32'. Expected 8, got 4",
      ],
      [
        'wrong datatype',
        oneInput('identity_fp32', 'x', [1, 1], floats(1)),
        status.INVALID_ARGUMENT,
        "[request id: <id_unknown>] inference input 'INPUT0' data-type is '<invalid>', but model 'identity_fp32' expects 'FP32'",
      ],
      [
        'no data',
        { ...simpleRequest(1, 1), raw_input_contents: [] },
        status.INVALID_ARGUMENT,
        "unable to find data for input tensor 'INPUT0' for model 'simple_b64' in request.",
      ],
      [
        'unknown output',
        { ...simpleRequest(1, 1), outputs: [{ name: 'x' }] },
        status.INVALID_ARGUMENT,
        "unexpected inference output 'x' for model 'simple_b64'",
      ],
      [
        'bad strings',
        { ...oneInput('identity_bytes', 'BYTES', [1, 1], bytesTensor('a', 'b')), id: 'q' },
        status.INVALID_ARGUMENT,
        "[request id: q] unexpected number of string elements 2 for inference input 'INPUT0' for model 'identity_bytes', expecting 1",
      ],
    ] as const)('%s is refused by name, again and again', async (_, request, code, details) => {
      for (const _ of [1, 2]) expect(await infer(client, request)).toMatchObject({ code, details, response: null });
    });

    test('a failure of the model is INTERNAL', async () => {
      const index = Buffer.alloc(8);
      index.writeBigInt64LE(99n);
      const { code, details } = await infer(client, oneInput('fails_at_run', 'INT64', [1, 1], index));
      expect(code).toBe(status.INTERNAL);
      expect(details).toMatch(/^onnx runtime error/);
    });

    test('bytes that are no message are INVALID_ARGUMENT', async () => {
      const { code, details } = await client.unary(
        '/inference.GRPCInferenceService/ModelInfer',
        Buffer.from([0x0a, 9]),
      );
      expect([code, details]).toEqual([
        status.INVALID_ARGUMENT,
        'the message cannot be read: a field of 9 bytes ends behind the message, of which 0 bytes are left',
      ]);
    });

    test.each(['gzip', 'deflate'] as const)('requests compressed with %s are understood', async (name) => {
      const compressed = server.client({ 'grpc.default_compression_algorithm': compressionAlgorithms[name] });
      const { response } = await infer(compressed, simpleRequest(40, 2));
      expect(firstInts(response!)).toEqual([42, 38]);
      const raw = Buffer.alloc(400_000, 7);
      const large = await infer(compressed, oneInput('identity_uint8', 'UINT8', [1, 400_000], raw));
      expect(large.response!.raw_output_contents[0]!.equals(raw)).toBe(true);
    });
  });

  describe('deadlines and cancellation', () => {
    const slow = () => oneInput('slow', 'FP32', [1, 1], floats(1));
    const cancelled = async () => {
      const { model_stats } = await ask<FailStatistics>(client, 'ModelStatistics', { name: 'slow' });
      return Number(model_stats[0]!.inference_stats.fail?.count ?? 0);
    };

    test('what waits when its deadline passes is dropped', async () => {
      const before = await cancelled();
      // One batch of four runs, one waits at the instance; the others wait in the queue.
      const asked = Array.from({ length: 16 }, () => infer(client, slow(), { timeoutMs: 60 }));
      const outcomes = await Promise.all(asked);
      expect(outcomes.filter(({ code }) => code === status.DEADLINE_EXCEEDED).length).toBeGreaterThan(8);
      await vi.waitFor(async () => expect(await cancelled()).toBeGreaterThan(before + 7));
      expect((await infer(client, slow())).code).toBe(status.OK);
    });

    test('what waits when its client is gone is dropped', async () => {
      const before = await cancelled();
      const other = server.client({ 'grpc.primary_user_agent': 'to be gone' });
      const streams = Array.from({ length: 16 }, () => {
        const stream = other.open('/inference.GRPCInferenceService/ModelInfer');
        stream.send(encodeRequest(slow()));
        stream.halfClose();
        return stream;
      });
      await new Promise((resolve) => setTimeout(resolve, 50));
      for (const stream of streams) stream.cancel();
      await vi.waitFor(async () => expect(await cancelled()).toBeGreaterThan(before + 7));
      expect((await infer(client, slow())).code).toBe(status.OK);
    });
  });

  describe('ModelStreamInfer', () => {
    test('many requests in flight are answered in order, each with its id and the mark of the last response', async () => {
      const stream = openStream(client);
      for (let nth = 0; nth < 500; nth++) stream.send(encodeRequest(simpleRequest(nth, 1, `r${nth}`)));
      stream.halfClose();
      const { code, messages } = await stream.outcome;
      expect(code).toBe(status.OK);
      for (const [nth, { error_message, infer_response }] of streamResponses(messages).entries()) {
        expect([error_message, infer_response.id, firstInts(infer_response)]).toEqual([
          '',
          `r${nth}`,
          [nth + 1, nth - 1],
        ]);
        expect(infer_response.parameters.triton_final_response).toMatchObject({ bool_param: true });
      }
      expect(messages).toHaveLength(500);
    });

    test('a stream mixes models, and a fast one waits for a slow one before it', async () => {
      const stream = openStream(client);
      stream.send(encodeRequest({ ...oneInput('slow', 'FP32', [1, 1], floats(7)), id: 'slow' }));
      stream.send(encodeRequest(simpleRequest(1, 1, 'fast')));
      stream.send(encodeRequest({ ...oneInput('identity_bytes', 'BYTES', [1, 1], bytesTensor('x')), id: 'bytes' }));
      stream.halfClose();
      const responses = streamResponses((await stream.outcome).messages);
      expect(responses.map(({ infer_response }) => infer_response.id)).toEqual(['slow', 'fast', 'bytes']);
      expect(responses[2]!.infer_response.raw_output_contents).toEqual([bytesTensor('x')]);
    });

    test('large and small messages mix', async () => {
      const stream = openStream(client);
      const sizes = [10, 300_000, 20, 100_000, 30];
      const raws = sizes.map((size, nth) => Buffer.alloc(size * 4, nth + 1));
      for (const [nth, raw] of raws.entries()) {
        stream.send(encodeRequest(oneInput('identity_fp32', 'FP32', [1, sizes[nth]!], raw)));
      }
      stream.halfClose();
      const responses = streamResponses((await stream.outcome).messages);
      expect(
        responses.map(({ infer_response }, nth) => infer_response.raw_output_contents[0]!.equals(raws[nth]!)),
      ).toEqual(raws.map(() => true));
    });

    test('what is refused before its model has it is answered in its turn with its id alone', async () => {
      const stream = openStream(client);
      stream.send(encodeRequest(simpleRequest(1, 1, 'good')));
      stream.send(encodeRequest({ ...simpleRequest(1, 1, 'bad'), model_name: 'none' }));
      stream.send(Buffer.from([0xff]));
      stream.send(encodeRequest(simpleRequest(2, 1, 'better')));
      stream.halfClose();
      const { code, messages } = await stream.outcome;
      expect(code).toBe(status.OK);
      const responses = streamResponses(messages);
      expect(responses.map(({ error_message }) => error_message)).toEqual([
        '',
        "Request for unknown model: 'none' is not found",
        'the message cannot be read: it ends within a field',
        '',
      ]);
      expect(responses.map(({ infer_response }) => infer_response.id)).toEqual(['good', 'bad', '', 'better']);
      expect(responses[1]!.infer_response).toMatchObject({ model_name: '', parameters: {}, outputs: [] });
    });

    const failing = (id: string) => {
      const index = Buffer.alloc(8);
      index.writeBigInt64LE(99n);
      return { ...oneInput('fails_at_run', 'INT64', [1, 1], index), model_version: '1', id };
    };

    test('what its model refused is answered with model, version and the mark of the last response', async () => {
      const stream = openStream(client);
      stream.send(encodeRequest(failing('f')));
      stream.send(encodeRequest(simpleRequest(1, 1, 'good')));
      stream.halfClose();
      const { code, messages } = await stream.outcome;
      expect(code).toBe(status.OK);
      const [failed, good] = streamResponses(messages);
      expect(failed!.error_message).toMatch(/^onnx runtime error/);
      expect(failed!.infer_response).toMatchObject({ id: 'f', model_name: 'fails_at_run', model_version: '1' });
      expect(failed!.infer_response.parameters.triton_final_response).toMatchObject({ bool_param: true });
      expect(good!.infer_response.id).toBe('good');
    });

    test('with triton_grpc_error its first error ends the stream with its status; what was refused before does not', async () => {
      const stream = openStream(client, { metadata: { triton_grpc_error: 'true' } });
      stream.send(encodeRequest({ ...simpleRequest(1, 1, 'bad'), model_name: 'none' }));
      stream.send(encodeRequest(failing('f')));
      stream.send(encodeRequest(simpleRequest(1, 1, 'good')));
      const { code, details, messages } = await stream.outcome;
      expect(code).toBe(status.INTERNAL);
      expect(details).toMatch(/^onnx runtime error/);
      expect(streamResponses(messages).map(({ infer_response }) => infer_response.id)).toEqual(['bad']);
    });

    test('half-close before all answers finishes what is in flight', async () => {
      const stream = openStream(client);
      for (let nth = 0; nth < 6; nth++) stream.send(encodeRequest(oneInput('slow', 'FP32', [1, 1], floats(nth))));
      stream.halfClose();
      const { code, messages } = await stream.outcome;
      expect(code).toBe(status.OK);
      const values = streamResponses(messages).map(({ infer_response }) =>
        infer_response.raw_output_contents[0]!.readFloatLE(),
      );
      expect(values).toEqual([0, 1, 2, 3, 4, 5]);
    });

    test('a client that does not read is slowed down: memory does not grow, and everything comes in the end', async () => {
      const elements = 25_000;
      const message = encodeRequest(oneInput('identity_fp32', 'FP32', [1, elements], Buffer.alloc(elements * 4, 1)));
      // What the server does not take stays in this process.
      const stream = openStream(client);
      stream.pause();
      const before = residentBytes(server.pid);
      const count = 2000;
      for (let nth = 0; nth < count; nth++) stream.send(message);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      expect(residentBytes(server.pid) - before).toBeLessThan(120 * MEGABYTE);
      expect(firstInts((await infer(client, simpleRequest(2, 1))).response!)).toEqual([3, 1]);
      stream.halfClose();
      stream.resume();
      const { code, messages } = await stream.outcome;
      expect([code, messages.length]).toEqual([status.OK, count]);
    });

    test('small answers that wait for the one before them hold no more memory than they need, after large ones too', async () => {
      const large = oneInput('identity_fp32', 'FP32', [1, 4 * MEGABYTE], Buffer.alloc(16 * MEGABYTE));
      // Each of two instances has seen one.
      for (let round = 0; round < 3; round++) {
        const outcomes = await Promise.all([infer(client, large), infer(client, large)]);
        expect(outcomes.map(({ code }) => code)).toEqual([status.OK, status.OK]);
      }
      const stream = openStream(client);
      stream.send(encodeRequest(oneInput('slow', 'FP32', [1, 1], floats(1))));
      for (let length = 1; length <= 100; length++) {
        const tensor = floats(...new Array<number>(length).fill(length));
        stream.send(encodeRequest(oneInput('identity_fp32', 'FP32', [1, length], tensor)));
      }
      stream.halfClose();
      const { messages } = await stream.outcome;
      expect(streamResponses(messages).map(({ error_message }) => error_message)).toEqual(new Array(101).fill(''));
    });

    test('clients that vanish in the middle leave no memory behind, and others their answers', async () => {
      for (let round = 0; round < 20; round++) {
        const other = server.client({ 'grpc.primary_user_agent': `round ${round}` });
        const stream = openStream(other);
        for (let nth = 0; nth < 30; nth++) {
          stream.send(
            encodeRequest(nth % 5 === 0 ? oneInput('slow', 'FP32', [1, 1], floats(1)) : simpleRequest(nth, 1)),
          );
        }
        await new Promise((resolve) => setTimeout(resolve, round));
        if (round % 2 === 0) stream.cancel();
        else other.close();
        expect(firstInts((await infer(client, simpleRequest(round, 1))).response!)).toEqual([round + 1, round - 1]);
        stream.cancel();
      }
      await vi.waitFor(
        async () =>
          expect((await infer(client, oneInput('slow', 'FP32', [1, 1], floats(1)), { timeoutMs: 3000 })).code).toBe(0),
        { timeout: 10_000 },
      );
    });
  });

  describe('the end of the server', () => {
    test('finishes what is in flight, ends streams by UNAVAILABLE, and refuses what is new', async () => {
      const ending = await RealServer.start(`--grpc-engine=${engine}`);
      const one = ending.client();
      const stream = openStream(one);
      stream.send(encodeRequest(simpleRequest(1, 1, 'before')));
      await vi.waitFor(() => expect(stream.messages).toHaveLength(1));
      stream.send(encodeRequest({ ...oneInput('slow', 'FP32', [1, 1], floats(5)), id: 'in flight' }));
      const unary = infer(one, oneInput('slow', 'FP32', [1, 1], floats(6)));
      await new Promise((resolve) => setTimeout(resolve, 40));
      ending.signal();
      expect((await unary).response!.raw_output_contents).toEqual([floats(6)]);
      const { code, details, messages } = await stream.outcome;
      expect(streamResponses(messages).map(({ infer_response }) => infer_response.id)).toEqual(['before', 'in flight']);
      expect([code, details]).toEqual([
        status.UNAVAILABLE,
        'GRPC server is shutting down and has stopped accepting new requests.',
      ]);
      expect(await ending.stop()).toBe(0);
    });
  });
}

function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024;
}
