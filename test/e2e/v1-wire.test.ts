import { beforeAll, describe, expect, test } from 'vitest';
import { RawClient } from '../protocols/http/raw-client.js';
import { ask, bytesOf, get, post } from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';
import { askV1, floats, readV1, SIMPLE, simpleBody, simpleSums, v1Infer } from './v1.js';

const models = ['simple', 'reshape_model', 'reshape_empty', 'zero_size', 'identity_nobatch'];

/** What the sheet of 19.11 says of the wire beyond single requests that go well (1.1, 1.2, 1.3, 1.6, 1.8, 1.9). */
onEachEngine((engine) => {
  let server: ServerProcess;

  beforeAll(async () => {
    server = await ServerProcess.start({ engine, models, flags: ['--allow-client-shm=true'] });
    return () => server.stop();
  });

  const run = (path: string, header: string, body: Uint8Array) =>
    askV1(server.httpPort, v1Infer({ path, header, body }));

  async function typesOf(...requests: Parameters<typeof ask>[1][]): Promise<(string | undefined)[]> {
    const answers = await Promise.all(requests.map((request) => ask(server.httpPort, request)));
    return answers.map(({ headers }) => headers.get('content-type'));
  }

  describe('content types', () => {
    test('of what is binary, and of all inference, failed or not', async () => {
      const good = v1Infer({ path: 'simple', header: SIMPLE, body: simpleBody(0) });
      const bad = v1Infer({ path: 'none', header: SIMPLE, body: simpleBody(0) });
      const status = ['/api/status?format=binary', '/api/sharedmemorycontrol/status?format=binary'].map(get);
      const types = await typesOf(good, bad, ...status);
      expect(types).toEqual(Array(4).fill('application/octet-stream'));
    });

    test('of all the rest', async () => {
      const texts = ['/api/status', '/api/status?format=other', '/api/status/simple', '/api/health/ready'].map(get);
      const types = await typesOf(...texts, post('/api/sharedmemorycontrol/unregisterall', ''));
      expect(types).toEqual(Array(5).fill('text/plain'));
    });
  });

  describe('paths', () => {
    test('are taken as they are: nothing in them is decoded', async () => {
      expect((await askV1(server.httpPort, get('/api/status/sim%70le'))).status).toContain(
        "unknown model \\'sim%70le\\'",
      );
      expect((await run('sim%70le', SIMPLE, simpleBody(0))).status).toMatch(/^code: UNAVAILABLE/);
    });

    test('have an end that is a version in digits alone', async () => {
      expect((await run('simple/01', SIMPLE, simpleBody(2))).code).toBe(200);
      for (const version of ['-1', '+1', '1.0', '0x1', '%31'])
        expect(await run(`simple/${version}`, SIMPLE, simpleBody(0))).toMatchObject({ code: 400, status: 'none' });
    });

    test('a query that means nothing is none', async () => {
      for (const path of ['/api/health/live?x=1', '/api/status/simple?', '/api/status?format'])
        expect((await askV1(server.httpPort, get(path))).code).toBe(200);
      expect((await run('simple?x', SIMPLE, simpleBody(0))).code).toBe(200);
    });
  });

  describe('headers', () => {
    test('without NV-InferRequest there is no inference', async () => {
      const request = post('/api/infer/simple', simpleBody(0));
      const answer = await askV1(server.httpPort, request);
      expect(answer).toMatchObject({ code: 400, body: Buffer.alloc(0) });
      expect(answer.status).toMatch(/^code: INVALID_ARG msg: "the request has no header NV-InferRequest: expected /);
    });

    test('have names in any case, no blank behind the colon, and others beside them', async () => {
      const client = await RawClient.open(server.httpPort);
      const head = `POST /api/infer/simple HTTP/1.1\r\nHost: x\r\nnv-INFERREQUEST:${SIMPLE}\r\nMine: 1\r\nContent-Length: 128\r\n\r\n`;
      await client.write(Buffer.concat([Buffer.from(head), simpleBody(7)]));
      expect((await client.answer())!.body.subarray(0, 128)).toEqual(simpleSums(7));
      client.destroy();
    });

    // uWebSockets closes (docs/endpoints.md).
    test.skipIf(engine === 'uws')(
      'requests one behind the other on a connection are answered in their order',
      async () => {
        const client = await RawClient.open(server.httpPort);
        const requests = [1, 2, 3].map((first) =>
          bytesOf(v1Infer({ path: 'simple', header: `${SIMPLE} id: ${first}`, body: simpleBody(first) })),
        );
        await client.write(Buffer.concat(requests));
        for (const first of [1, 2, 3]) {
          const { headers, body } = (await client.answer())!;
          expect(headers.get('nv-inferresponse')).toMatch(new RegExp(` id: ${first}$`));
          expect(body.subarray(0, 128)).toEqual(simpleSums(first));
        }
        client.destroy();
      },
    );
  });

  describe('shapes', () => {
    test('of a model that reshapes are those of its configuration, both ways', async () => {
      const body = floats(1, 2, 3, 4, 5, 6, 7, 8);
      const header = 'batch_size: 2 input { name: "INPUT0" } output { name: "OUTPUT0" }';
      const answer = await run('reshape_model', header, body);
      expect(answer.header).toContain('raw { dims: 4 batch_byte_size: 32 }');
      // It adds 1.
      expect(answer.body.subarray(0, 32)).toEqual(floats(2, 3, 4, 5, 6, 7, 8, 9));
    });

    test('reshaped to none, a row is one element', async () => {
      const header = 'batch_size: 3 input { name: "INPUT0" } output { name: "OUTPUT0" }';
      const answer = await run('reshape_empty', header, floats(1, 2, 3));
      expect(answer.header).toContain('raw { dims: 1 batch_byte_size: 12 }');
      expect(answer.body.subarray(0, 12)).toEqual(floats(2, 3, 4));
    });

    test('may have no elements', async () => {
      const header = 'batch_size: 2 input { name: "INPUT0" dims: 0 } output { name: "OUTPUT1" }';
      const answer = await run('zero_size?format=binary', header, Buffer.alloc(0));
      expect(answer.code).toBe(200);
      const [output] = (readV1('InferResponseHeader', answer.body) as { output: object[] }).output;
      expect(output).toEqual({ name: 'OUTPUT1', raw: { dims: [0] } });
    });

    test('without batches a request has a batch size of 1', async () => {
      const header = (batch: number) =>
        `batch_size: ${batch} input { name: "INPUT0" dims: 1 dims: 2 } output { name: "OUTPUT0" }`;
      const answer = await run('identity_nobatch', header(1), floats(5, 6));
      expect(answer.header).toBe(
        'model_name: "identity_nobatch" model_version: 1 batch_size: 1 output { name: "OUTPUT0" raw { dims: 1 dims: 2 batch_byte_size: 8 } }',
      );
      expect((await run('identity_nobatch', header(2), floats(5, 6, 7, 8))).status).toMatch(/^code: INVALID_ARG/);
    });
  });
});
