import { once } from 'node:events';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { memoryUsed, metric } from './metrics.js';
import {
  ask,
  askJson,
  binaryOutputs,
  get,
  type HttpRequest,
  infer,
  manyBytes,
  oneNumber,
  outputsOf,
  simpleInputs,
  simpleOutputs,
} from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';
import { binaryMessage, messageOf, SocketClient } from './socket-client.js';
import { until } from './until.js';

const models = [
  'simple_b64',
  'slow',
  'identity_uint8',
  'identity_bytes',
  'identity_fp32',
  'multi_version',
  'digits',
  'simple_string',
];
const MEGABYTE = 1024 * 1024;
const path = (model: string) => `/v2/models/${model}/infer`;
const simple = (id: string, first: number, binary = true, more: object = {}): HttpRequest =>
  infer('simple_b64', simpleInputs(first, binary), {
    head: { id, ...more, ...(binary ? binaryOutputs : {}) },
  });
const slow = (id: string, value = 1) => messageOf(infer('slow', oneNumber(value), { head: { id } }));
const strings = (id: string, ...data: string[]) =>
  infer('identity_bytes', [{ name: 'INPUT0', datatype: 'BYTES', shape: [1, data.length], data, binary: true }], {
    head: { id },
  });

/** What the server says to somebody who asks for a WebSocket and gets none. */
async function refusalOf(port: number, target: string, protocols: string[] = [], headers = {}) {
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}${target}`, protocols, { headers });
  const [, response] = await once(webSocket, 'unexpected-response');
  let body = '';
  for await (const chunk of response) body += chunk;
  return { status: response.statusCode, error: JSON.parse(body).error as string, headers: response.headers };
}

onEachEngine((engine) => {
  let server: ServerProcess;
  const clients: SocketClient[] = [];

  beforeAll(async () => {
    server = await ServerProcess.start({ engine, models, flags: ['--ws-allow-origin=https://app.example'] });
  });

  afterEach(async () => {
    for (const { webSocket } of clients.splice(0)) webSocket.terminate();
    await until('no connection is left', async () => (await metric(server, 'conch_ws_connections')) === 0);
    expect(await metric(server, 'conch_ws_in_flight_requests')).toBe(0);
  });

  afterAll(() => server.stop());

  async function open(target: string, from = server): Promise<SocketClient> {
    const client = await SocketClient.open(from.httpPort, target);
    clients.push(client);
    return client;
  }

  describe('a request', () => {
    test('of JSON is answered as over HTTP, as text', async () => {
      const client = await open(path('simple_b64'));
      expect(client.webSocket.protocol).toBe('conch.v1');
      const request = simple('seven', 7, false);
      const answer = await client.ask(messageOf(request));
      expect(answer).toMatchObject({ id: 'seven', model_name: 'simple_b64', model_version: '1', isText: true });
      expect(answer.values).toEqual(simpleOutputs(7));
      expect(client.messages[0]!.bytes.toString()).toBe((await ask(server.httpPort, request)).body.toString());
    });

    test('with binary tensors is answered as over HTTP, as binary', async () => {
      const client = await open(path('simple_b64'));
      const request = simple('seven', 7);
      const answer = await client.ask(messageOf(request));
      expect(answer).toMatchObject({ id: 'seven', isText: false, values: simpleOutputs(7) });
      expect(client.messages[0]!.bytes.subarray(4)).toEqual((await ask(server.httpPort, request)).body);
    });

    test('may mix both, and have its outputs in either form', async () => {
      const client = await open(path('simple_b64'));
      const [first, second] = simpleInputs(3);
      const outputs = [{ name: 'OUTPUT1', parameters: { binary_data: true } }, { name: 'OUTPUT0' }];
      const request = infer('simple_b64', [{ ...first!, binary: false }, second!], { head: { outputs } });
      expect(await client.ask(messageOf(request))).toMatchObject({ isText: false, values: simpleOutputs(3) });
      expect(client.messages[0]!.bytes.includes('"id"')).toBe(false);
      const json = infer('simple_b64', simpleInputs(3));
      expect(await client.ask(messageOf(json))).toMatchObject({ isText: true, values: simpleOutputs(3) });
    });

    test('has the id that it came with, whatever it is', async () => {
      const client = await open(path('simple_b64'));
      const ids = ['1', '2', 'é', '"\\', 'x'.repeat(127), 'x'.repeat(1000), ' ', '\n', '1', '\u0000', '😀'];
      for (const [index, id] of ids.entries()) {
        for (const binary of [true, false]) {
          const answer = await client.ask(messageOf(simple(id, index, binary)));
          expect(answer).toMatchObject({ id, values: simpleOutputs(index) });
        }
      }
      expect(await client.ask(messageOf(simple('', 1)))).not.toHaveProperty('id');
    });

    test('of strings, of many bytes, and of JSON that is worth a thread', async () => {
      const client = await open('/v2/ws');
      const named = (model: string, request: HttpRequest) => {
        const length = Number(request.headers['Inference-Header-Content-Length'] ?? request.body.length);
        const json = Buffer.from(`{"model_name":"${model}",${request.body.toString('utf8', 1, length)}`);
        const body = Buffer.concat([json, request.body.subarray(length)]);
        return json.length === body.length ? json.toString() : binaryMessage(json.length, body);
      };
      const texts = ['', 'a\u0000b', 'é'.repeat(100)];
      expect((await client.ask(named('identity_bytes', strings('a', ...texts)))).values).toEqual({ OUTPUT0: texts });

      const large = manyBytes(20 * MEGABYTE);
      const echoed = await client.ask(
        named('identity_uint8', infer('identity_uint8', large, { head: { ...binaryOutputs, id: 'b' } })),
      );
      expect(echoed.id).toBe('b');
      expect(Buffer.from(echoed.values.OUTPUT0 as number[]).equals(Buffer.from(large[0]!.data as Uint8Array))).toBe(
        true,
      );

      const numbers = Array.from({ length: 300_000 }, (_, index) => index);
      const floats = infer(
        'identity_fp32',
        [{ name: 'INPUT0', datatype: 'FP32', shape: [1, numbers.length], data: numbers }],
        { head: { id: 'c' } },
      );
      expect(floats.body.length).toBeGreaterThan(MEGABYTE);
      const answer = await client.ask(named('identity_fp32', floats));
      expect(answer).toMatchObject({ id: 'c', isText: true });
      expect(answer.values.OUTPUT0).toEqual(numbers);
    });

    test('may be raw on the path of a model', async () => {
      const client = await open(path('digits'));
      const answer = await client.ask(binaryMessage(0, Buffer.alloc(256)));
      expect(answer).toMatchObject({ model_name: 'digits', isText: false });
      expect((answer.values.scores as number[]).length).toBe(10);
    });

    test('goes to the version of the path, or the one that it names', async () => {
      const numbers = infer('multi_version', oneNumber(1));
      const answers: unknown[] = [];
      for (const version of ['1', '3']) {
        const client = await open(`/v2/models/multi_version/versions/${version}/infer`);
        const { model_version, values } = await client.ask(messageOf(numbers));
        answers.push(values);
        const any = await open('/v2/ws');
        const message = JSON.stringify({
          ...JSON.parse(numbers.body.toString()),
          model_name: 'multi_version',
          model_version: version,
        });
        for (let nth = 0; nth < 2; nth++) expect(await any.ask(message)).toMatchObject({ model_version, values });
      }
      expect(answers[0]).not.toEqual(answers[1]);
    });

    test('is for the model that it names, also where models take turns', async () => {
      const client = await open('/v2/ws');
      const message = (model: string, index: number, data: number[]) =>
        JSON.stringify({
          inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, data.length], data }],
          model_name: model,
          id: `${index}`,
        });
      for (let index = 0; index < 20; index++) {
        const name = index % 3 === 0 ? 'slow' : 'identity_fp32';
        const answer = await client.ask(message(name, index, [index]));
        expect(answer).toMatchObject({ id: `${index}`, model_name: name, values: { OUTPUT0: [index] } });
      }
    });
  });

  describe('many requests', () => {
    test('are answered each with its own, over several connections', async () => {
      const targets = [path('simple_b64'), path('simple_b64'), `${path('simple_b64')}?ordered=1`];
      const each = 500;
      await Promise.all(
        targets.map(async (target) => {
          const client = await open(target);
          for (let nth = 0; nth < each; nth++) client.send(messageOf(simple(`${nth}`, nth, nth % 3 !== 0)));
          const answers = await client.answers(each);
          expect(new Set(answers.map(({ id }) => id)).size).toBe(each);
          for (const { id, values } of answers) expect(values).toEqual(simpleOutputs(Number(id)));
        }),
      );
    });

    test('are answered in completion order, or in the order of the requests', async () => {
      const idsOf = async (query: string) => {
        const client = await open(`/v2/ws${query}`);
        const fast = JSON.parse(simple('fast', 1, false).body.toString());
        client.send(JSON.stringify({ ...JSON.parse(slow('slow').toString()), model_name: 'slow' }));
        client.send(JSON.stringify({ ...fast, model_name: 'simple_b64' }));
        client.send(JSON.stringify({ ...fast, id: 'wrong', model_name: 'nope' }));
        return (await client.answers(3)).map(({ id }) => id);
      };
      const ids = await idsOf('');
      expect(ids.indexOf('wrong')).toBeLessThan(ids.indexOf('slow'));
      expect(await idsOf('?ordered=1')).toEqual(['slow', 'fast', 'wrong']);
    });
  });

  describe('what is wrong', () => {
    test('is told in band, with the status and the text of HTTP, and the connection goes on', async () => {
      const client = await open(path('simple_b64'));
      const head = JSON.parse(simple('bad', 1, false).body.toString());
      const wrong = [
        { ...head, inputs: [head.inputs[0]] },
        { ...head, inputs: [{ ...head.inputs[0], shape: [1, 15] }, head.inputs[1]] },
        { ...head, inputs: [{ ...head.inputs[0], data: [1] }, head.inputs[1]] },
        { ...head, outputs: [{ name: 'nope' }] },
        { id: 'bad' },
      ];
      for (const body of wrong) {
        const expected = await ask(server.httpPort, {
          ...simple('bad', 1, false),
          body: Buffer.from(JSON.stringify(body)),
        });
        const { error } = JSON.parse(expected.body.toString());
        expect(await client.ask(JSON.stringify(body))).toMatchObject({ id: 'bad', error, status: expected.status });
      }
      expect((await client.ask(messageOf(simple('good', 1)))).values).toEqual(simpleOutputs(1));
    });

    test('has no id where that cannot be made out', async () => {
      const client = await open(path('simple_b64'));
      const texts = ['', '{', 'nothing', '[]', '{"id":7,"inputs":[]}', '{"cancel":7}', '{"inputs":[{"x'];
      for (const text of texts) {
        const answer = await client.ask(text);
        expect([answer.id, answer.status, typeof answer.error], text).toEqual([null, 400, 'string']);
      }
    });

    test('of a binary message is its length, or what follows its JSON', async () => {
      const client = await open(path('simple_b64'));
      const request = simple('bad', 1);
      const length = Number(request.headers['Inference-Header-Content-Length']);
      const { body } = request;
      const expected: [Buffer, string | null, RegExp][] = [
        [Buffer.alloc(0), null, /4 bytes, but it has 0/],
        [Buffer.alloc(3), null, /4 bytes, but it has 3/],
        [binaryMessage(0xffffffff, body), 'bad', /4294967295 bytes by its first 4, but \d+ bytes follow/],
        [binaryMessage(length, body.subarray(0, -1)), 'bad', /expecting 1 additional bytes/],
        [binaryMessage(length, Buffer.concat([body, Buffer.alloc(1)])), 'bad', /unexpected additional input data/],
        [binaryMessage(length - 1, body), 'bad', /failed to parse the request JSON buffer/],
        [binaryMessage(0, body), null, /Raw request must only have 1 input/],
      ];
      for (const [message, id, error] of expected) {
        const answer = await client.ask(message);
        expect([answer.id, answer.status]).toEqual([id, 400]);
        expect(answer.error).toMatch(error);
      }
      const text = await client.ask(body.toString('latin1', 0, length));
      expect(text).toMatchObject({ id: 'bad', status: 400, error: expect.stringMatching(/need a binary message/) });
      expect((await client.ask(messageOf(request))).values).toEqual(simpleOutputs(1));
    });

    test('may be any byte: each message has its one answer, and other connections go on', async () => {
      const client = await open(`${path('simple_b64')}?ordered=1`);
      const other = await open(path('simple_b64'));
      const whole = messageOf(simple('any', 1)) as Buffer;
      const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
      await fc.assert(
        fc.asyncProperty(damage, fc.nat(whole.length), fc.boolean(), async (changes, length, isCut) => {
          const damaged = Buffer.from(whole);
          for (const [at, byte] of changes) damaged[at] = byte;
          const before = client.messages.length;
          client.send(isCut ? damaged.subarray(0, length) : damaged);
          client.send(messageOf(simple('next', 2)));
          const [answer, next] = (await client.answers(before + 2)).slice(before);
          expect(answer!.status ?? 200).toSatisfy((status: number) => status === 200 || status === 400);
          expect(next).toMatchObject({ id: 'next', values: simpleOutputs(2) });
          expect((await other.ask(messageOf(simple('other', 3)))).values).toEqual(simpleOutputs(3));
        }),
        { numRuns: 150 },
      );
    });

    test('with a string is told with the id of its own request', async () => {
      const client = await open(path('identity_bytes'));
      const message = messageOf(strings('first', 'abcd')) as Buffer;
      await client.ask(message);
      // Two strings, of 0 bytes each, in the place of one.
      const two = Buffer.from(message.toString('latin1').replace('first', 'other'), 'latin1').fill(
        0,
        message.length - 8,
      );
      const error = expect.stringMatching(/request id: other. unexpected number of string elements 2/);
      expect(await client.ask(two)).toMatchObject({ id: 'other', status: 400, error });
    });

    test('may be that no model is named, or one that is not there', async () => {
      const client = await open('/v2/ws');
      const { body } = simple('a', 1, false);
      expect(await client.ask(body.toString())).toMatchObject({
        id: 'a',
        status: 400,
        error: expect.stringMatching(/model_name/),
      });
      const nope = JSON.stringify({ ...JSON.parse(body.toString()), model_name: 'nope' });
      expect(await client.ask(nope)).toMatchObject({ id: 'a', status: 404 });
    });
  });

  describe('a cancel', () => {
    test('answers what is in flight with 499, once, and leaves nothing behind', async () => {
      const client = await open(path('slow'));
      const ids = Array.from({ length: 12 }, (_, nth) => `${nth}`);
      for (const id of ids) client.send(slow(id));
      for (const id of ids.slice(4)) client.send(JSON.stringify({ cancel: id }));
      for (const id of [...ids, 'unknown', '']) client.send(JSON.stringify({ cancel: id }));
      client.send(slow('last', 5));
      const answers = await client.answers(13);
      expect(answers.map(({ id }) => id).sort()).toEqual([...ids, 'last'].sort());
      const { values } = answers.find(({ id }) => id === 'last')!;
      expect(values).toEqual({ OUTPUT0: [5] });
      const cancelled = answers.filter(({ status }) => status === 499);
      expect(cancelled.length).toBeGreaterThanOrEqual(8);
      await until('nothing is in flight', async () => (await metric(server, 'conch_ws_in_flight_requests')) === 0);
    });
  });

  describe('a client that goes away', () => {
    test('has cancelled everything, and its memory comes back', async () => {
      const before = await memoryUsed(server);
      const failures = () => metric(server, 'nv_inference_request_failure', { model: 'slow', reason: 'CANCELED' });
      const cancelledBefore = await failures();
      const client = await open(path('slow'));
      for (let nth = 0; nth < 40; nth++) client.send(slow(`${nth}`));
      await client.received(1);
      client.webSocket.terminate();
      await until('requests were cancelled', async () => (await failures()) > cancelledBefore);
      await until('the memory is back', async () => (await memoryUsed(server)) <= before + MEGABYTE);
    });

    test('in the middle of a large answer gives it back', async () => {
      const before = await memoryUsed(server);
      const client = await open(path('identity_uint8'));
      client.webSocket.pause();
      for (let nth = 0; nth < 4; nth++)
        client.send(messageOf(infer('identity_uint8', manyBytes(8 * MEGABYTE), { head: binaryOutputs })));
      await until('answers wait', async () => (await memoryUsed(server)) > before + 8 * MEGABYTE);
      client.webSocket.terminate();
      await until('the memory is back', async () => (await memoryUsed(server)) <= before + MEGABYTE);
    });
  });

  describe('a client that does not read', () => {
    test('is answered in full when it does', async () => {
      const client = await open(path('identity_uint8'));
      const other = await open(path('simple_b64'));
      client.webSocket.pause();
      const count = 24;
      for (let nth = 0; nth < count; nth++)
        client.send(
          messageOf(infer('identity_uint8', manyBytes(MEGABYTE + nth), { head: { ...binaryOutputs, id: `${nth}` } })),
        );
      for (let nth = 0; nth < 50; nth++) await other.ask(messageOf(simple('x', nth)));
      client.webSocket.resume();
      const messages = await client.received(count);
      const lengths = messages.map(({ bytes }) => bytes.length - 4 - bytes.readUInt32LE());
      expect(lengths.sort()).toEqual(Array.from({ length: count }, (_, nth) => MEGABYTE + nth));
    });
  });

  describe('an upgrade', () => {
    test('is refused with the status and JSON of HTTP', async () => {
      const { httpPort } = server;
      expect(await refusalOf(httpPort, path('nope'))).toMatchObject({
        status: 404,
        error: expect.stringMatching(/unknown model: 'nope'/),
      });
      expect(await refusalOf(httpPort, '/v2/models/simple_b64/versions/9/infer')).toMatchObject({ status: 404 });
      expect(await refusalOf(httpPort, '/v2/ws', ['other'])).toMatchObject({
        status: 400,
        error: expect.stringMatching(/conch\.v1/),
      });
    });

    test('is not there for other paths and methods', async () => {
      const { httpPort } = server;
      expect(await askJson(httpPort, get('/v2/ws'))).toEqual({
        error: expect.stringMatching(/WebSocket of version 13/),
      });
      const plain = await ask(httpPort, get('/v2/ws'));
      expect([plain.status, plain.headers.get('upgrade')]).toEqual([426, 'websocket']);
      expect((await ask(httpPort, get(path('simple_b64')))).status).toBe(405);
      expect(outputsOf(await ask(httpPort, infer('simple_b64', simpleInputs(1))))).toEqual(simpleOutputs(1));
    });

    test('is for pages of this host, and of those that a flag allows', async () => {
      const { httpPort } = server;
      const headers = (Origin: string) => ({ headers: { Origin } });
      for (const origin of [`http://127.0.0.1:${httpPort}`, 'https://app.example'])
        clients.push(await SocketClient.open(httpPort, '/v2/ws', headers(origin)));
      for (const origin of ['http://evil.example', 'null', 'http://app.example'])
        expect(await refusalOf(httpPort, '/v2/ws', [], { Origin: origin })).toMatchObject({
          status: 403,
          error: expect.stringMatching(/--ws-allow-origin/),
        });
    });
  });

  test('messages and connections are counted', async () => {
    const counts = async () =>
      Promise.all(['received', 'sent'].map((direction) => metric(server, 'conch_ws_messages_total', { direction })));
    const [received, sent] = await counts();
    const client = await open(path('simple_b64'));
    expect(await metric(server, 'conch_ws_connections')).toBe(1);
    for (let nth = 0; nth < 5; nth++) await client.ask(messageOf(simple(`${nth}`, nth)));
    await client.ask('wrong');
    client.send('{"cancel":"x"}');
    await client.ask('wrong');
    expect(await counts()).toEqual([received! + 8, sent! + 7]);
  });

  describe('with small bounds', () => {
    let small: ServerProcess;

    beforeAll(async () => {
      const flags = [
        'max-connections=2',
        'max-message-size=100000',
        'max-in-flight=4',
        'ping-interval-secs=1',
        'idle-timeout-secs=2',
      ];
      small = await ServerProcess.start({ engine, models, flags: flags.map((flag) => `--ws-${flag}`) });
    });

    afterAll(() => small.stop());

    test('a connection too many is 429', async () => {
      await open('/v2/ws', small);
      await open('/v2/ws', small);
      const { status, error, headers } = await refusalOf(small.httpPort, '/v2/ws');
      expect([status, headers['retry-after']]).toEqual([429, '1']);
      expect(error).toMatch(/--ws-max-connections/);
      for (const { webSocket } of clients) webSocket.terminate();
      await until('they are gone', async () => (await metric(small, 'conch_ws_connections')) === 0);
    });

    test('more requests than may be in flight are slowed down, or refused where that cannot be', async () => {
      const client = await open(path('slow'), small);
      for (let nth = 0; nth < 8; nth++) client.send(slow(`${nth}`, nth));
      const answers = await client.answers(8);
      const refused = answers.filter(({ status }) => status === 429);
      expect(refused.length).toBe(engine === 'net' ? 0 : 4);
      for (const { error } of refused) expect(error).toMatch(/--ws-max-in-flight/);
      for (const { id, values, status } of answers)
        if (status === undefined) expect(values).toEqual({ OUTPUT0: [Number(id)] });
    });

    test('a message that is too large ends its connection, and no other', async () => {
      const other = await open(path('simple_b64'), small);
      const client = await open('/v2/ws', small);
      client.send(Buffer.alloc(100_001));
      expect((await client.ended()).code).toBe(engine === 'net' ? 1009 : 1006);
      expect((await other.ask(messageOf(simple('a', 1)))).values).toEqual(simpleOutputs(1));
    });

    test('a silent client is pinged, and an idle connection closed', async () => {
      const client = await open('/v2/ws', small);
      expect(await client.ended()).toEqual({ code: 1001, reason: 'idle for too long' });
      expect(client.pings).toBeGreaterThanOrEqual(1);
    });
  });

  describe('when the server stops', () => {
    test('what is in flight is answered, what comes is 503, and connections close with 1001', async () => {
      const stopping = await ServerProcess.start({ engine, models: ['slow', 'simple_b64', 'identity_uint8'] });
      const idle = await open('/v2/ws', stopping);
      const busy = await open(path('slow'), stopping);
      const large = await open(path('identity_uint8'), stopping);
      large.webSocket.pause();
      large.send(messageOf(infer('identity_uint8', manyBytes(16 * MEGABYTE), { head: binaryOutputs })));
      await until(
        'it is answered',
        async () => (await metric(stopping, 'nv_inference_request_success', { model: 'identity_uint8' })) === 1,
      );
      for (let nth = 0; nth < 12; nth++) busy.send(slow(`${nth}`, nth));
      await busy.received(1);
      stopping.signal('SIGTERM');
      expect(await idle.ended()).toEqual({ code: 1001, reason: 'the server is stopping' });
      busy.send(slow('late'));
      large.webSocket.resume();
      expect(await busy.ended()).toEqual({ code: 1001, reason: 'the server is stopping' });
      const answers = await busy.answers(13);
      expect(answers.filter(({ status }) => status !== undefined)).toMatchObject([{ id: 'late', status: 503 }]);
      expect((await large.ended()).code).toBe(1001);
      expect(large.messages.length).toBe(1);
      expect(await stopping.main.exit).toBe(0);
    });
  });
});
