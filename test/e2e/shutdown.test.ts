import { afterEach, describe, expect, test } from 'vitest';
import { RawClient } from '../protocols/http/raw-client.js';
import { Crowd } from './crowd.js';
import { metric } from './metrics.js';
import { ask, binaryOutputs, bytesOf, get, headOf, infer, manyBytes, oneNumber, outputsOf } from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';
import { until } from './until.js';

const MEGABYTE = 1024 * 1024;
const slow = Array.from({ length: 12 }, (_, index) => infer('slow', oneNumber(index)));
const large = infer('identity_uint8', manyBytes(16 * MEGABYTE), { head: binaryOutputs });

onEachEngine((engine) => {
  let server: ServerProcess;
  const clients: RawClient[] = [];

  afterEach(() => {
    for (const client of clients.splice(0)) client.destroy();
  });

  async function start(...flags: string[]): Promise<void> {
    server = await ServerProcess.start({ engine, models: ['slow', 'identity_uint8'], flags });
  }

  /** A connection in the middle of a request: idle ones are closed when the server stops. */
  async function connectAndSend(bytes: Buffer): Promise<RawClient> {
    const client = await RawClient.open(server.httpPort);
    clients.push(client);
    await client.write(bytes);
    return client;
  }

  async function beginStop(): Promise<void> {
    server.signal('SIGTERM');
    await server.main.printed(/stopping/);
  }

  const running = async () => (await metric(server, 'nv_inference_pending_request_count', { model: 'slow' })) > 0;

  describe('when it is told to stop', () => {
    test('the server is not ready at once, takes nobody new, finishes what it has and ends with 0', async () => {
      await start();
      const ready = bytesOf(get('/v2/health/ready'));
      const modelReady = bytesOf(get('/v2/models/slow/ready'));
      const live = bytesOf(get('/v2/health/live'));
      const late = bytesOf(infer('slow', oneNumber(1)));
      const halves = [ready, modelReady, live, late];
      const asking = await Promise.all(halves.map((bytes) => connectAndSend(bytes.subarray(0, -1))));
      const crowd = await Crowd.ask(server, slow);
      await until('requests are in flight', running);
      await beginStop();

      const answers = await Promise.all(asking.map((client, index) => client.ask(halves[index]!.subarray(-1))));
      expect(answers.map((answer) => answer?.status)).toEqual([400, 400, 200, 503]);
      expect(JSON.parse(answers[0]!.body.toString())).toEqual({ ready: false });
      expect(answers[0]!.headers.get('connection')).toBe('close');
      expect(answers[3]!.body.toString()).toMatch(/Server is stopping/);
      await expect(RawClient.open(server.httpPort)).rejects.toThrow('ECONNREFUSED');

      const done = await crowd.answers;
      expect(done.map(outputsOf)).toEqual(done.map((_, index) => ({ OUTPUT0: [index] })));
      expect(await server.main.exit).toBe(0);
    });

    test('a body that is on its way is awaited and answered', async () => {
      await start();
      const bytes = bytesOf(large);
      const client = await connectAndSend(bytes.subarray(0, MEGABYTE));
      await beginStop();
      const answer = await client.ask(bytes.subarray(MEGABYTE));
      // The model was drained before the request was complete: a named refusal, or an answer.
      expect([200, 503]).toContain(answer?.status);
      expect(await server.main.exit).toBe(0);
    });

    test('an answer that is on its way is sent to its end', async () => {
      await start();
      const client = await RawClient.open(server.httpPort);
      clients.push(client);
      client.socket.pause();
      await client.write(bytesOf(large));
      const executed = () => metric(server, 'nv_inference_exec_count', { model: 'identity_uint8' });
      await until('the answer is there', async () => (await executed()) === 1);
      await beginStop();
      client.socket.resume();
      const answer = await client.answer();
      const sent = manyBytes(16 * MEGABYTE)[0]!.data as Buffer;
      expect(answer!.body.subarray(-sent.length).equals(sent)).toBe(true);
      expect(await server.main.exit).toBe(0);
    });

    test('a second signal changes nothing', async () => {
      await start();
      const crowd = await Crowd.ask(server, slow);
      await until('requests are in flight', running);
      await beginStop();
      server.signal('SIGTERM');
      server.main.child.kill('SIGINT');
      expect((await crowd.answers).map(({ status }) => status)).toEqual(slow.map(() => 200));
      expect(await server.main.exit).toBe(0);
    });

    test('idle connections do not keep it', async () => {
      await start();
      const idle = await RawClient.open(server.httpPort);
      clients.push(idle);
      expect((await idle.ask(bytesOf(get('/v2'))))!.status).toBe(200);
      await beginStop();
      expect(await server.main.exit).toBe(0);
      await idle.closed;
    });
  });

  describe('when its time is up', () => {
    const message = 'Exit timeout expired. Exiting immediately.';

    test('a client that never finishes is left, and the server ends with 1 and says so', async () => {
      await start('--exit-timeout-secs=1');
      const client = await connectAndSend(Buffer.from(headOf(infer('slow', oneNumber(1)))));
      await until('the server has the head', async () => (await metric(server, 'conch_http_connections')) === 1);
      await beginStop();
      expect(await server.main.exit).toBe(1);
      expect(server.main.output).toContain(message);
      await client.closed;
    });

    test('requests that run are left, and the server ends with 1 and says so', async () => {
      await start('--exit-timeout-secs=0');
      const crowd = await Crowd.ask(server, slow);
      const left = crowd.answers.catch((error: Error) => error.message);
      await until('requests are in flight', running);
      await beginStop();
      const code = await server.main.exit;
      expect(await left).toMatch(/closed without an answer/);
      expect(server.main.output).toContain(message);
      expect(code).toBe(1);
    });

    test('an idle server ends with 0 all the same', async () => {
      await start('--exit-timeout-secs=0');
      expect((await ask(server.httpPort, get('/v2'))).status).toBe(200);
      await beginStop();
      expect(await server.main.exit).toBe(0);
    });
  });
});
