import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type RawAnswer, RawClient } from '../protocols/http/raw-client.js';
import { metric } from './metrics.js';
import { ask, askJson, bytesOf, get, type HttpRequest, post } from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';
import { until } from './until.js';

const models = [
  'simple',
  'identity_bytes',
  'identity_bytes_fixed',
  'identity_fp16',
  'identity_int64',
  'identity_bool',
  'identity_nobatch',
  'scalar_nobatch',
  'optional_input',
  'multi_version',
  'fails_at_run',
  'slow',
  'head',
  'repeat',
];

const LIMIT = 100_000;

type Endpoint = 'generate' | 'generate_stream';
const endpoints: readonly Endpoint[] = ['generate', 'generate_stream'];

function generate(model: string, body: unknown, endpoint: Endpoint = 'generate'): HttpRequest {
  return post(`/v2/models/${model}/${endpoint}`, typeof body === 'string' ? body : JSON.stringify(body));
}

/** The data of each event. */
function eventsOf(answer: RawAnswer): unknown[] {
  const text = answer.body.toString();
  expect(text.endsWith('\n\n')).toBe(true);
  const events = text.slice(0, -2).split('\n\n');
  return events.map((event) => {
    expect(event.startsWith('data: ')).toBe(true);
    return JSON.parse(event.slice('data: '.length));
  });
}

function errorOf(answer: RawAnswer): [number, string] {
  expect(answer.headers.get('content-type')).toBe('application/json');
  return [answer.status, JSON.parse(answer.body.toString()).error];
}

onEachEngine((engine) => {
  let server: ServerProcess;
  const clients: RawClient[] = [];

  beforeAll(async () => {
    server = await ServerProcess.start({ engine, models, flags: [`--http-max-input-size=${LIMIT}`] });
    return () => server.stop();
  });

  afterEach(() => {
    for (const client of clients.splice(0)) client.destroy();
  });

  const asked = (request: HttpRequest) => ask(server.httpPort, request);
  const refused = async (request: HttpRequest) => errorOf(await asked(request));

  describe('generate', () => {
    test('answers flat JSON, its names in alphabetical order, scalars unwrapped', async () => {
      const answer = await asked(generate('identity_bytes', { INPUT0: 'zwölf "x"\n', id: 'a1', temperature: 0.7 }));
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toBe('application/json');
      expect(answer.body.toString()).toBe(
        '{"OUTPUT0":"zwölf \\"x\\"\\n","id":"a1","model_name":"identity_bytes","model_version":"1"}',
      );
    });

    const cases: [model: string, input: string, output: string][] = [
      ['identity_bytes', '["a","","b"]', '["a","","b"]'],
      ['identity_bytes_fixed', '["a","b"]', '["a","b"]'],
      ['identity_bytes_fixed', '["a","b","c","d"]', '["a","b","c","d"]'],
      ['identity_int64', '9007199254740993', '9007199254740993'],
      ['identity_int64', '[-9223372036854775808,1]', '[-9223372036854775808,1]'],
      ['identity_bool', '[true,false]', '[true,false]'],
      ['identity_fp16', '[1.5,NaN]', '[1.5,NaN]'],
      ['identity_nobatch', '[1,2.5,3]', '[1.0,2.5,3.0]'],
      ['scalar_nobatch', '4', '8.0'],
    ];
    test.each(cases)('%s of %s', async (model, input, output) => {
      const answer = await asked(generate(model, `{"INPUT0":${input}}`));
      expect(answer.body.toString()).toBe(`{"OUTPUT0":${output},"model_name":"${model}","model_version":"1"}`);
    });

    test('takes tensors from parameters too, and gives all outputs', async () => {
      const INPUT0 = Array.from({ length: 16 }, (_, index) => index);
      const answer = await askJson(
        server.httpPort,
        generate('simple', { INPUT0, parameters: { INPUT1: new Array(16).fill(1), stop: 'x' } }),
      );
      expect(answer.OUTPUT0).toEqual(INPUT0.map((value) => value + 1));
      expect(answer.OUTPUT1).toEqual(INPUT0.map((value) => value - 1));
    });

    test('hands everything else to the model as parameters, and none of it means anything to the server', async () => {
      const given = { mood: 'calm', top_k: 3, half: 0.5, stream: true, priority: 7, sequence_id: 9 };
      const request = { INPUT0: [1], id: 'me', mood: 'calm', top_k: 3, parameters: { ...given, mood: 'other' } };
      const answer = await askJson(server.httpPort, generate('head', request));
      const { id, priority, sequenceId, parameters } = JSON.parse(answer.HEAD);
      expect([answer.id, id, priority, sequenceId]).toEqual(['me', 'me', 0, 0]);
      expect(parameters).toEqual({ ...given, id: 'me' });
    });

    test('needs no optional input', async () => {
      const { y } = await askJson(server.httpPort, generate('optional_input', { x: [1, 2, 3] }));
      expect(y.length).toBe(3);
    });

    test('reaches a version', async () => {
      const metadata = await askJson(server.httpPort, get('/v2/models/multi_version'));
      const version = metadata.versions[0];
      const [{ name, datatype }] = metadata.inputs;
      expect(datatype).toBe('FP32');
      const path = `/v2/models/multi_version/versions/${version}/generate`;
      const answer = await askJson(server.httpPort, post(path, JSON.stringify({ [name]: [1] })));
      expect(answer.model_version ?? answer).toBe(version);
      expect((await refused(post('/v2/models/multi_version/versions/99/generate', '{}')))[0]).toBe(404);
    });

    test('comes again and again on a connection, whole or cut anywhere', async () => {
      const client = await RawClient.open(server.httpPort);
      clients.push(client);
      const request = bytesOf(generate('identity_bytes', { INPUT0: 'abc' }));
      for (let at = 1; at < request.length; at += 3) {
        await client.write(request.subarray(0, at));
        expect((await client.ask(request.subarray(at)))?.status).toBe(200);
      }
    });

    test('of many elements is answered whole', async () => {
      const values = Array.from({ length: 20_000 }, (_, index) => index % 1000);
      const answer = await askJson(server.httpPort, generate('identity_nobatch', { INPUT0: values }));
      expect(answer.OUTPUT0).toEqual(values);
    });
  });

  describe('generate_stream', () => {
    test('answers with events', async () => {
      const answer = await asked(generate('identity_bytes', { INPUT0: 'a', id: 'x' }, 'generate_stream'));
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
      expect(answer.headers.get('transfer-encoding')).toBe('chunked');
      expect(eventsOf(answer)).toEqual([{ OUTPUT0: 'a', id: 'x', model_name: 'identity_bytes', model_version: '1' }]);
    });

    test('comes again and again on a connection', async () => {
      const client = await RawClient.open(server.httpPort);
      clients.push(client);
      for (let nth = 0; nth < 100; nth++) {
        const answer = await client.ask(bytesOf(generate('identity_int64', { INPUT0: nth }, 'generate_stream')));
        expect(eventsOf(answer!)).toMatchObject([{ OUTPUT0: nth }]);
      }
    });

    test('with a long answer is whole', async () => {
      const values = Array.from({ length: 20_000 }, (_, index) => index % 1000);
      const answer = await asked(generate('identity_nobatch', { INPUT0: values }, 'generate_stream'));
      expect(eventsOf(answer)).toMatchObject([{ OUTPUT0: values }]);
    });

    test('has the status of an error that comes first, which is an event', async () => {
      const answer = await asked(generate('fails_at_run', { INPUT0: 99 }, 'generate_stream'));
      expect(answer.status).toBe((await asked(generate('fails_at_run', { INPUT0: 99 }))).status);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
      expect(eventsOf(answer)).toEqual([{ error: expect.any(String) }]);
    });
  });

  describe('a model that answers any number of times', () => {
    const repeat = (COUNT: number, HOW: string, endpoint: Endpoint) => generate('repeat', { COUNT, HOW }, endpoint);
    const notOne =
      'generate expects model to produce exactly 1 response, use generate stream for model that generates various number of responses';

    test.each(['plain', 'final', 'later'])('answers generate where it answers once: %s', async (how) => {
      const answer = await askJson(server.httpPort, repeat(1, how, 'generate'));
      expect(answer).toEqual({ NTH: 0, TEXT: 'answer 0', nth: 0, model_name: 'repeat', model_version: '1' });
    });

    test.each([
      [0, 'plain'],
      [2, 'plain'],
      [2, 'final'],
      [500, 'later'],
    ])('is refused by generate where it answers %i times: %s', async (count, how) => {
      expect(await refused(repeat(count, how, 'generate'))).toEqual([500, notOne]);
    });

    /** Requests without an end whose model was told that nobody wants more. */
    const givenUp = () => server.main.output.split('endless ended, cancelled: true').length - 1;

    test('is given up by generate at its second answer', async () => {
      const before = givenUp();
      expect(await refused(repeat(1, 'endless', 'generate'))).toEqual([500, notOne]);
      await until('the model is told', () => givenUp() > before);
    });

    test('fails generate with its error', async () => {
      expect(await refused(repeat(0, 'fails', 'generate'))).toEqual([503, expect.stringContaining('enough')]);
    });

    test('answers generate_stream with an event each, large ones in their place', async () => {
      const events = eventsOf(await asked(repeat(6, 'growing', 'generate_stream')));
      const sizes = events.map((event) => [(event as { TEXT: unknown }).TEXT].flat().length);
      expect(sizes).toEqual([1, 10, 100, 1000, 10_000, 100_000]);
      expect((await asked(repeat(0, 'plain', 'generate_stream'))).body.length).toBe(0);
    });

    test('waits for a client that does not read, and goes on', async () => {
      const before = givenUp();
      const client = await RawClient.open(server.httpPort);
      clients.push(client);
      let bytes = 0;
      client.socket.removeAllListeners('data');
      client.socket.on('data', (chunk) => {
        bytes += chunk.length;
      });
      client.socket.pause();
      await client.write(bytesOf(repeat(1, 'endless', 'generate_stream')));
      expect(eventsOf(await asked(repeat(300, 'plain', 'generate_stream'))).length).toBe(300);
      client.socket.resume();
      // More than the kernel holds for a client.
      await until('it goes on', () => bytes > 20_000_000);
      client.destroy();
      await until('the model is told', () => givenUp() > before);
    });
  });

  describe.each(endpoints)('%s refuses', (endpoint) => {
    const of = (model: string, body: unknown) => generate(model, body, endpoint);

    test('models and methods that are not there', async () => {
      const unknown = await refused(of('nothing', {}));
      expect(unknown).toEqual([404, expect.stringContaining("Request for unknown model: 'nothing'")]);
      expect((await asked(get(`/v2/models/simple/${endpoint}`))).status).toBe(405);
      expect((await asked(post(`/v2/models/simple/${endpoint}/x`, '{}'))).status).toBe(404);
    });

    test('bodies that are no JSON object, none, or compressed', async () => {
      expect(await refused(of('identity_bytes', ''))).toEqual([400, expect.stringContaining('The document is empty.')]);
      expect(await refused(of('identity_bytes', '[1]'))).toEqual([400, expect.stringContaining('JSON object')]);
      const { path, body } = of('identity_bytes', { INPUT0: 'a' });
      expect(await refused(post(path, body, { 'Content-Encoding': 'gzip' }))).toEqual([
        400,
        "Unsupported content-encoding, only 'identity' is supported.",
      ]);
      expect((await asked(post(path, body, { 'Content-Encoding': 'Identity' }))).status).toBe(200);
    });

    test('values that do not fit, inputs that are missing, batches that are too large', async () => {
      expect(await refused(of('identity_bytes_fixed', { INPUT0: 'a' }))).toEqual([
        400,
        "The schema can not convert input 'INPUT0' to tensor with proper shape",
      ]);
      expect(await refused(of('identity_int64', { INPUT0: 'a' }))).toEqual([
        400,
        expect.stringContaining("for input 'INPUT0'"),
      ]);
      expect(await refused(of('identity_int64', { x: 1, id: 'me' }))).toEqual([
        400,
        expect.stringContaining('[request id: me] expected 1 inputs but got 0 inputs'),
      ]);
      expect(await refused(of('identity_bytes_fixed', { INPUT0: new Array(40).fill('a') }))).toEqual([
        400,
        expect.stringContaining('inference request batch-size must be <= 8'),
      ]);
    });

    test('what is larger than --http-max-input-size', async () => {
      const long = 'x'.repeat(LIMIT);
      expect(await refused(of('identity_bytes', { INPUT0: long }))).toEqual([
        400,
        expect.stringContaining(`exceeds the maximum allowed input size of ${LIMIT} bytes.`),
      ]);
      // Each of two characters is one number of eight bytes.
      expect(await refused(of('identity_int64', { INPUT0: new Array(LIMIT / 4).fill(1) }))).toEqual([
        400,
        `request size of ${LIMIT * 2} bytes with input 'INPUT0' of size ${LIMIT * 2} bytes exceeds the maximum allowed input size of ${LIMIT}. Use --http-max-input-size to increase the limit.`,
      ]);
      const chunk = `${LIMIT.toString(16)}\r\n${long}\r\n`;
      const client = await RawClient.open(server.httpPort);
      clients.push(client);
      const head = `POST /v2/models/identity_bytes/${endpoint} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`;
      expect(errorOf((await client.ask(`${head}${chunk}${chunk}0\r\n\r\n`))!)[1]).toContain('request JSON size of');
      expect((await client.ask(bytesOf(generate('identity_bytes', { INPUT0: 'a' }))))?.status).toBe(200);
    });
  });

  test.each(endpoints)('clients that hang up cancel their %s', async (endpoint) => {
    const count = (reason: string) =>
      metric(server, 'nv_inference_request_failure', { model: 'slow', version: '1', reason });
    const before = await count('CANCELED');
    // Four at most run together: all others wait.
    const some = await Promise.all(Array.from({ length: 12 }, () => RawClient.open(server.httpPort)));
    clients.push(...some);
    for (const client of some) await client.write(bytesOf(generate('slow', { INPUT0: 1 }, endpoint)));
    for (const client of some) client.destroy();
    // That their rows came back is checked by the server when the model is idle, and told to `stop`.
    await until('most are cancelled', async () => (await count('CANCELED')) >= before + 4);
    expect((await asked(generate('slow', { INPUT0: 1 }, endpoint))).status).toBe(200);
  });
});
