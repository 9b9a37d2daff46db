import { deflateSync, gunzipSync, gzipSync, inflateSync } from 'node:zlib';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { model, node, onnx, tensorValue } from '../backends/onnx-builder.js';
import { type RawAnswer, RawClient } from '../protocols/http/raw-client.js';
import {
  ask,
  binaryOutputs,
  bytesOf,
  headOf,
  infer,
  manyBytes,
  oneNumber,
  outputsOf,
  post,
  simpleInputs,
  simpleOutputs,
  type Tensor,
} from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';

const models = [
  'simple',
  'simple_b64',
  'wide',
  'identity_uint8',
  'identity_bytes',
  'identity_fp32',
  'slow',
  'fails_at_run',
];

/** Inputs that come in all three ways: of fixed size, of variable size, texts. */
const texts: Tensor[] = [{ name: 'INPUT0', datatype: 'BYTES', shape: [2, 1], data: ['zwölf', ''], binary: true }];
const floats: Tensor[] = [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 3], data: [1.5, -2, 0], binary: true }];

const elements = {
  bool: { type: onnx.BOOL, bytes: 1 },
  uint8: { type: onnx.UINT8, bytes: 1 },
  uint16: { type: onnx.UINT16, bytes: 2 },
  uint32: { type: onnx.UINT32, bytes: 4 },
  uint64: { type: onnx.UINT64, bytes: 8 },
  int8: { type: onnx.INT8, bytes: 1 },
  int16: { type: onnx.INT16, bytes: 2 },
  int32: { type: onnx.INT32, bytes: 4 },
  int64: { type: onnx.INT64, bytes: 8 },
  fp16: { type: onnx.FLOAT16, bytes: 2 },
  bf16: { type: onnx.BFLOAT16, bytes: 2 },
  fp32: { type: onnx.FLOAT, bytes: 4 },
  fp64: { type: onnx.DOUBLE, bytes: 8 },
};

/** INPUT0 = OUTPUT0, rows of four elements. */
function fixedIdentity(type: number): Uint8Array {
  const shape = ['batch', 4];
  return model({
    inputs: [tensorValue('INPUT0', type, shape)],
    outputs: [tensorValue('OUTPUT0', type, shape)],
    nodes: [node('Identity', ['INPUT0'], ['OUTPUT0'])],
  });
}

onEachEngine((engine) => {
  let server: ServerProcess;
  const clients: RawClient[] = [];

  beforeAll(async () => {
    server = await ServerProcess.start({ engine, models });
    return () => server.stop();
  });

  afterEach(() => {
    for (const client of clients.splice(0)) client.destroy();
  });

  async function connect(): Promise<RawClient> {
    const client = await RawClient.open(server.httpPort);
    clients.push(client);
    return client;
  }

  const asked = async (request: ReturnType<typeof infer>) => outputsOf(await ask(server.httpPort, request));

  describe('tensors', () => {
    const ways = [true, false];
    const cases = ways.flatMap((a) => ways.flatMap((b) => ways.map((out) => ({ a, b, out }))));

    test.each(cases)('binary in: $a and $b, binary out: $out', async ({ a, b, out }) => {
      const tensors = [simpleInputs(5, a)[0]!, simpleInputs(5, b)[1]!];
      const answer = await ask(server.httpPort, infer('simple', tensors, { head: out ? binaryOutputs : {} }));
      expect(outputsOf(answer)).toEqual(simpleOutputs(5));
      expect(answer.headers.has('inference-header-content-length')).toBe(out);
      expect(answer.headers.get('content-type')).toBe(out ? 'application/octet-stream' : 'application/json');
    });

    test.each([true, false])(
      'one output in the JSON and one behind it, the first of them binary: %s',
      async (first) => {
        const outputs = ['OUTPUT1', 'OUTPUT0'].map((name, index) => ({
          name,
          parameters: { binary_data: (index === 0) === first },
        }));
        const answer = await ask(server.httpPort, infer('simple', simpleInputs(9), { head: { outputs } }));
        expect(outputsOf(answer)).toEqual(simpleOutputs(9));
      },
    );

    test('JSON data may be nested, and carries id and parameters', async () => {
      const [a, b] = simpleInputs(2, false);
      const nested = [{ ...a, data: [a!.data] }, b];
      const answer = await ask(
        server.httpPort,
        post('/v2/models/simple/infer', JSON.stringify({ inputs: nested, id: 'me' })),
      );
      expect(JSON.parse(answer.body.toString())).toMatchObject({ id: 'me', model_name: 'simple', model_version: '1' });
      expect(outputsOf(answer)).toEqual(simpleOutputs(2));
    });

    test('a request may be the bytes of its only input and nothing else', async () => {
      const body = Buffer.from([3, 1, 2]);
      const raw = post('/v2/models/identity_uint8/infer', body, { 'Inference-Header-Content-Length': '0' });
      expect(await asked(raw)).toEqual({ OUTPUT0: [3, 1, 2] });
      const text = post('/v2/models/identity_bytes/infer', 'zwölf', { 'Inference-Header-Content-Length': '0' });
      expect(await asked(text)).toEqual({ OUTPUT0: ['zwölf'] });
    });

    test.each([1, 65_535, 65_537, 1_000_000, 16_000_000])('%d bytes come back as they were', async (bytes) => {
      const answer = await ask(server.httpPort, infer('identity_uint8', manyBytes(bytes), { head: binaryOutputs }));
      const head = Number(answer.headers.get('inference-header-content-length'));
      expect(answer.body.subarray(head).equals(manyBytes(bytes)[0]!.data as Buffer)).toBe(true);
    });

    test('a model that throws is a named error, and serves the next request', async () => {
      const gather = (index: number) =>
        post(
          '/v2/models/fails_at_run/infer',
          JSON.stringify({ inputs: [{ name: 'INPUT0', datatype: 'INT64', shape: [1, 1], data: [index] }] }),
        );
      const bad = await ask(server.httpPort, gather(1_000_000));
      expect(bad.status).toBe(500);
      expect(bad.body.toString()).toMatch(/onnx runtime error/);
      expect((await ask(server.httpPort, gather(0))).status).toBe(200);
    });
  });

  test('fixed-size tensors of every datatype come back as they were', async () => {
    const files = Object.entries(elements).map(([datatype, { type }]) => [`fixed_${datatype}`, fixedIdentity(type)]);
    const identities = await ServerProcess.start({ engine, models: [], onnx: Object.fromEntries(files) });
    for (const [datatype, { bytes }] of Object.entries(elements)) {
      const length = 4 * bytes;
      const body = Buffer.from(Array.from({ length }, (_, at) => (datatype === 'bool' ? at % 2 : at + 1)));
      const raw = post(`/v2/models/fixed_${datatype}/infer`, body, { 'Inference-Header-Content-Length': '0' });
      for (let time = 0; time < 2; time++) {
        const answer = await ask(identities.httpPort, raw);
        const head = Number(answer.headers.get('inference-header-content-length'));
        expect({ datatype, bytes: answer.body.subarray(head) }).toEqual({ datatype, bytes: body });
      }
    }
    await identities.stop();
  });

  describe('a request in two segments, split at every byte,', () => {
    const requests = {
      'with binary tensors': infer('simple', simpleInputs(3), { head: binaryOutputs }),
      'in JSON': infer(
        'identity_fp32',
        floats.map((tensor) => ({ ...tensor, binary: false })),
      ),
      'with texts': infer('identity_bytes', texts, { head: binaryOutputs }),
      'of raw bytes': post('/v2/models/identity_uint8/infer', 'raw bytes', { 'Inference-Header-Content-Length': '0' }),
      compressed: compressed(infer('simple', simpleInputs(3)), 'gzip'),
    };

    test.each(Object.entries(requests))('%s is answered the same', async (_, request) => {
      const client = await connect();
      const whole = (await client.ask(bytesOf(request)))!;
      expect(whole.status).toBe(200);
      const begin = headOf(request).length;
      const bytes = bytesOf(request);
      for (let at = begin; at < bytes.length; at++) {
        await client.write(bytes.subarray(0, at));
        const answer = await client.ask(bytes.subarray(at));
        expect({ at, body: answer?.body.toString('latin1') }).toEqual({ at, body: whole.body.toString('latin1') });
      }
    });

    test('its head included, is answered the same', async () => {
      const bytes = bytesOf(requests['with binary tensors']);
      const client = await connect();
      for (let at = 1; at < bytes.length - requests['with binary tensors'].body.length; at++) {
        await client.write(bytes.subarray(0, at));
        expect(outputsOf((await client.ask(bytes.subarray(at)))!)).toEqual(simpleOutputs(3));
      }
    });

    test('byte by byte, is answered the same', async () => {
      const client = await connect();
      const bytes = bytesOf(infer('identity_bytes', texts, { head: binaryOutputs }));
      for (let at = 0; at < bytes.length - 1; at++) await client.write(bytes.subarray(at, at + 1));
      expect(outputsOf((await client.ask(bytes.subarray(-1)))!)).toEqual({ OUTPUT0: ['zwölf', ''] });
    });

    test('large enough to be written to its place as it comes, is answered the same', async () => {
      const request = infer('identity_uint8', manyBytes(70_000), { head: binaryOutputs });
      const bytes = bytesOf(request);
      const begin = bytes.indexOf('{"inputs"');
      const headEnd = begin + Number(request.headers['Inference-Header-Content-Length']);
      const client = await connect();
      const whole = (await client.ask(bytes))!;
      for (const at of [begin + 1, headEnd - 1, headEnd, headEnd + 1, headEnd + 65_536, bytes.length - 1]) {
        await client.write(bytes.subarray(0, at));
        const answer = (await client.ask(bytes.subarray(at)))!;
        expect({ at, same: answer.body.equals(whole.body) }).toEqual({ at, same: true });
      }
    });
  });

  describe('bodies', () => {
    test('of unknown length are taken', async () => {
      const { path, headers, body } = infer('simple', simpleInputs(4));
      const lines = Object.entries({ ...headers, 'Transfer-Encoding': 'chunked' }).map(
        ([name, value]) => `${name}: ${value}`,
      );
      const client = await connect();
      await client.write(`POST ${path} HTTP/1.1\r\nHost: a\r\n${lines.join('\r\n')}\r\n\r\n`);
      for (let at = 0; at < body.length; at += 50) {
        const chunk = body.subarray(at, at + 50);
        await client.write(
          Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]),
        );
      }
      expect(outputsOf((await client.ask('0\r\n\r\n'))!)).toEqual(simpleOutputs(4));
    });

    test('are asked for where the client expects 100 Continue', async () => {
      const request = infer('simple', simpleInputs(6), { headers: { Expect: '100-continue' } });
      const client = await connect();
      expect((await client.ask(headOf(request)))!.status).toBe(100);
      expect(outputsOf((await client.ask(request.body))!)).toEqual(simpleOutputs(6));
    });

    test('that are too short or too long for their tensors are refused, and the connection goes on', async () => {
      const client = await connect();
      const { path, headers, body } = infer('simple', simpleInputs(1));
      const ask400 = async (wrong: Buffer) => {
        const answer = await client.ask(bytesOf(post(path, wrong, headers)));
        expect(answer?.status).toBe(400);
        return (JSON.parse(answer!.body.toString()) as { error: string }).error;
      };
      expect(await ask400(body.subarray(0, -1))).toMatch(/INPUT1.*expecting 1 additional bytes/);
      expect(await ask400(Buffer.concat([body, Buffer.alloc(1)]))).toMatch(/unexpected additional input data/);
      expect(outputsOf((await client.ask(bytesOf(infer('simple', simpleInputs(1)))))!)).toEqual(simpleOutputs(1));
    });
  });

  describe('a head that is longer than the body', () => {
    const lengthOf = (bytes: number) => ({ 'Inference-Header-Content-Length': String(bytes) });

    test.each([1000, 200_000])('is refused by its length: %i bytes', async (bytes) => {
      const client = await connect();
      const request = post('/v2/models/simple/infer', Buffer.alloc(bytes), lengthOf(bytes + 1));
      const answer = (await client.ask(bytesOf(request)))!;
      expect(answer.status).toBe(400);
      expect(JSON.parse(answer.body.toString())).toEqual({
        error: `inference header size should be in range (0, ${bytes}), got: ${bytes + 1}`,
      });
      expect(outputsOf((await client.ask(bytesOf(infer('simple', simpleInputs(1)))))!)).toEqual(simpleOutputs(1));
    });

    test('is found at the end of a body of unknown length', async () => {
      const client = await connect();
      const head = { ...lengthOf(10), 'Transfer-Encoding': 'chunked' };
      const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}`);
      await client.write(`POST /v2/models/simple/infer HTTP/1.1\r\nHost: a\r\n${lines.join('\r\n')}\r\n\r\n`);
      const answer = (await client.ask('4\r\n{"a"\r\n0\r\n\r\n'))!;
      expect(answer.status).toBe(400);
      expect(JSON.parse(answer.body.toString())).toEqual({
        error: 'unexpected size for request JSON, expecting 6 more bytes',
      });
    });
  });

  describe('compression', () => {
    const encodings = ['gzip', 'deflate'] as const;

    test.each(encodings)('of a request: %s', async (encoding) => {
      expect(await asked(compressed(infer('simple', simpleInputs(7)), encoding))).toEqual(simpleOutputs(7));
      expect(await asked(compressed(infer('simple', simpleInputs(7, false)), encoding))).toEqual(simpleOutputs(7));
    });

    test.each(encodings)('of an answer: %s', async (encoding) => {
      for (const head of [{}, binaryOutputs]) {
        const request = infer('simple', simpleInputs(8), { head, headers: { 'Accept-Encoding': encoding } });
        const answer = await ask(server.httpPort, request);
        expect(answer.headers.get('content-encoding')).toBe(encoding);
        expect(outputsOf(decompressed(answer))).toEqual(simpleOutputs(8));
      }
    });

    test('both ways at once, of a large tensor', async () => {
      const plain = infer('identity_uint8', manyBytes(1_000_000), {
        head: binaryOutputs,
        headers: { 'Accept-Encoding': 'gzip' },
      });
      const answer = decompressed(await ask(server.httpPort, compressed(plain, 'deflate')));
      expect(answer.body.subarray(-1_000_000).equals(manyBytes(1_000_000)[0]!.data as Buffer)).toBe(true);
    });

    test('of a kind that there is not is refused, and the answer says which there are', async () => {
      const client = await connect();
      const request = infer('simple', simpleInputs(7), { headers: { 'Content-Encoding': 'br' } });
      const answer = (await client.ask(bytesOf(request)))!;
      expect([answer.status, answer.headers.get('accept-encoding')]).toEqual([501, 'gzip, deflate']);
      expect(JSON.parse(answer.body.toString())).toEqual({ error: 'Unsupported compression type' });
      expect(outputsOf((await client.ask(bytesOf(infer('simple', simpleInputs(1)))))!)).toEqual(simpleOutputs(1));
    });

    test('of a kind that there is not is refused before the body has come', async () => {
      const client = await connect();
      const head =
        'POST /v2/models/simple/infer HTTP/1.1\r\nHost: a\r\nContent-Encoding: br\r\nContent-Length: 1000000\r\n\r\n';
      expect((await client.ask(head))!.status).toBe(501);
    });

    test('that is broken is refused', async () => {
      const request = infer('simple', simpleInputs(7), { headers: { 'Content-Encoding': 'gzip' } });
      expect((await ask(server.httpPort, request)).status).toBe(400);
    });

    test('that more follows is refused', async () => {
      const whole = compressed(infer('simple', simpleInputs(7)), 'deflate');
      const answer = await ask(server.httpPort, { ...whole, body: Buffer.concat([whole.body, Buffer.from('junk')]) });
      expect([answer.status, answer.body.toString()]).toEqual([
        400,
        '{"error":"the compressed request body cannot be read: 4 bytes follow the end of the compressed data"}',
      ]);
    });
  });

  describe('connections', () => {
    test('carry one request after another', async () => {
      const client = await connect();
      for (let first = 0; first < 500; first++) {
        const request = infer('simple', simpleInputs(first), { head: first % 2 === 0 ? binaryOutputs : {} });
        expect(outputsOf((await client.ask(bytesOf(request)))!)).toEqual(simpleOutputs(first));
      }
    });

    test('at the same time get each their own answers', async () => {
      const many = await Promise.all(Array.from({ length: 64 }, connect));
      await Promise.all(
        many.map(async (client, index) => {
          for (let first = index * 1000; first < index * 1000 + 20; first++) {
            const request = infer('simple_b64', simpleInputs(first, index % 2 === 0), { head: binaryOutputs });
            expect(outputsOf((await client.ask(bytesOf(request)))!)).toEqual(simpleOutputs(first));
          }
        }),
      );
    });

    const closes = engine === 'uws' ? ' (uWebSockets 20.30 closes the connection without an answer)' : '';
    test.skipIf(engine === 'uws')(`may have requests in flight one behind the other${closes}`, async () => {
      const client = await connect();
      const requests = [
        infer('slow', oneNumber(1)),
        infer('simple', simpleInputs(2)),
        infer('none', oneNumber(3)),
        infer('identity_uint8', manyBytes(200_000), { head: binaryOutputs }),
        infer('simple', simpleInputs(5)),
      ];
      client.socket.write(Buffer.concat(requests.map(bytesOf)));
      const answers: RawAnswer[] = [];
      for (const _ of requests) answers.push((await client.answer())!);
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 404, 200, 200]);
      expect(outputsOf(answers[0]!)).toEqual({ OUTPUT0: [1] });
      expect(outputsOf(answers[1]!)).toEqual(simpleOutputs(2));
      expect(answers[3]!.body.subarray(-200_000).equals(manyBytes(200_000)[0]!.data as Buffer)).toBe(true);
      expect(outputsOf(answers[4]!)).toEqual(simpleOutputs(5));
    });
  });
});

function compressed(request: ReturnType<typeof infer>, encoding: 'gzip' | 'deflate'): ReturnType<typeof infer> {
  const body = encoding === 'gzip' ? gzipSync(request.body) : deflateSync(request.body);
  return { ...request, headers: { ...request.headers, 'Content-Encoding': encoding }, body };
}

function decompressed(answer: RawAnswer): RawAnswer {
  const unpack = answer.headers.get('content-encoding') === 'gzip' ? gunzipSync : inflateSync;
  return { ...answer, body: unpack(answer.body) };
}
