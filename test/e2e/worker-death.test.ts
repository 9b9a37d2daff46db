import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type RawAnswer, RawClient } from '../protocols/http/raw-client.js';
import { memoryUsed, metric } from './metrics.js';
import {
  ask,
  askJson,
  binaryOutputs,
  bytesOf,
  get,
  infer,
  manyBytes,
  oneNumber,
  outputsOf,
  post,
  simpleInputs,
  simpleOutputs,
} from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';
import { until } from './until.js';

const mortalWorkers = fileURLToPath(new URL('mortal-workers.mjs', import.meta.url));

onEachEngine((engine) => {
  let server: ServerProcess;
  let clients: RawClient[];

  beforeEach(() => {
    clients = [];
  });

  afterEach(async () => {
    for (const client of clients) client.destroy();
    await server.stop();
  });

  async function start(model: string): Promise<void> {
    const nodeFlags = ['--import', mortalWorkers];
    server = await ServerProcess.start({ engine, models: [model], nodeFlags });
  }

  async function connect(count: number): Promise<RawClient[]> {
    clients.push(...(await Promise.all(Array.from({ length: count }, () => RawClient.open(server.httpPort)))));
    return clients.slice(-count);
  }

  /** The next batch kills its worker. */
  async function doomWorker(): Promise<void> {
    const dooms = () => server.main.stdout.match(/^doomed$/gm)?.length ?? 0;
    const before = dooms();
    server.signal('SIGUSR2');
    await until('the worker is doomed', () => dooms() > before);
  }

  async function workerDied(): Promise<void> {
    await server.main.printed(/ died: /);
  }

  const isReady = async (model: string) =>
    (await ask(server.httpPort, get(`/v2/models/${model}/ready`))).status === 200;

  const isServerReady = async () => (await ask(server.httpPort, get('/v2/health/ready'))).status === 200;

  function expectDeathNamed(answer: RawAnswer, model: string): void {
    expect(answer.status).toBe(500);
    const { error } = JSON.parse(answer.body.toString()) as { error: string };
    expect(error).toMatch(new RegExp(`instance '${model}_\\d+(_\\d+)?' of model '${model}' died while it ran`));
  }

  test('a worker that dies under load: each request is answered once, and the instance comes back', async () => {
    await start('simple_b64');
    const idle = await memoryUsed(server);
    let isOver = false;
    let served = 0;
    let failed = 0;
    const load = (await connect(32)).map(async (client, index) => {
      for (let first = index * 10_000; !isOver; first++) {
        const answer = await client.ask(bytesOf(infer('simple_b64', simpleInputs(first), { head: binaryOutputs })));
        if (answer === null) throw new Error('closed without an answer');
        if (answer.status === 200) {
          expect(outputsOf(answer)).toEqual(simpleOutputs(first));
          served++;
        } else {
          expectDeathNamed(answer, 'simple_b64');
          failed++;
        }
      }
    });
    for (let round = 0; round < 3; round++) {
      const before = { served, failed };
      await until('the load flows', () => served > before.served + 200);
      await doomWorker();
      await until('its requests fail', () => failed > before.failed);
      await until('the instance is back', () => isReady('simple_b64'));
    }
    const before = served;
    await until('the load flows again', () => served > before + 200);
    isOver = true;
    await Promise.all(load);

    // What clients saw is what the server counted: nothing was answered twice, nothing was lost.
    const { model_stats } = await askJson(server.httpPort, get('/v2/models/simple_b64/stats'));
    expect(model_stats[0].inference_stats.success.count).toBe(served);
    expect(model_stats[0].inference_stats.fail.count).toBe(failed);
    expect(await metric(server, 'conch_worker_restarts_total', { model: 'simple_b64', version: '1' })).toBe(3);
    const blocks = 5 * 64 * 2 * 64;
    expect(await memoryUsed(server)).toBeLessThanOrEqual(idle + blocks);
  });

  test('only what ran fails: what waited is served by the instance that comes back', async () => {
    await start('slow');
    const count = 16;
    const all = await connect(count);
    const answers = all.map((client, index) => client.ask(bytesOf(infer('slow', oneNumber(index)))));
    const pending = () => metric(server, 'nv_inference_pending_request_count', { model: 'slow' });
    await until('some requests wait', async () => (await pending()) > 0);
    await doomWorker();
    let failed = 0;
    for (const [index, answer] of (await Promise.all(answers)).entries()) {
      if (answer!.status === 200) expect(outputsOf(answer!)).toEqual({ OUTPUT0: [index] });
      else {
        expectDeathNamed(answer!, 'slow');
        failed++;
      }
    }
    // One batch ran, of at most four.
    expect(failed).toBeGreaterThan(0);
    expect(failed).toBeLessThanOrEqual(4);
    expect(await pending()).toBe(0);
  });

  test('slots of variable size are given back by a worker that dies', async () => {
    await start('identity_uint8');
    const idle = await memoryUsed(server);
    const bytes = 1_000_000;
    const request = bytesOf(infer('identity_uint8', manyBytes(bytes), { head: binaryOutputs }));
    await doomWorker();
    const all = await connect(4);
    const answers = await Promise.all(all.map((client) => client.ask(request)));
    const failed = answers.filter((answer) => answer!.status !== 200);
    expect(failed.length).toBeGreaterThan(0);
    for (const answer of failed) expectDeathNamed(answer!, 'identity_uint8');
    for (const client of all) expect((await client.ask(request))!.status).toBe(200);
    await until('all memory is given back', async () => (await memoryUsed(server)) === idle);
  });

  test('of two instances the other goes on while one is dead, and the order of answers is kept', async () => {
    await start('ordered');
    await doomWorker();
    const all = await connect(20);
    const answers = await Promise.all(
      all.map((client, index) => client.ask(bytesOf(infer('ordered', oneNumber(index))))),
    );
    for (const [index, answer] of answers.entries()) {
      if (answer!.status === 200) expect(outputsOf(answer!)).toEqual({ OUTPUT0: [index] });
      else expectDeathNamed(answer!, 'ordered');
    }
    await workerDied();
    expect(answers.some((answer) => answer!.status === 200)).toBe(true);
    await until('both are there again', () => isReady('ordered'));
  });

  test('a server stops well while an instance is dead', async () => {
    await start('slow');
    await doomWorker();
    expectDeathNamed(await ask(server.httpPort, infer('slow', oneNumber(1))), 'slow');
    // `afterEach` expects exit code 0.
  });

  test('an instance that dies again and again is restarted ever later; readiness goes and comes with it', async () => {
    await start('slow');
    for (let deaths = 1; deaths <= 4; deaths++) {
      await until('the model is ready', () => isReady('slow'));
      expect(await isServerReady()).toBe(true);
      await doomWorker();
      expectDeathNamed(await ask(server.httpPort, infer('slow', oneNumber(1))), 'slow');
      await server.main.printed(new RegExp(`restarts in ${50 * 2 ** deaths} ms`));
    }
    expect(await isReady('slow')).toBe(false);
    expect(await isServerReady()).toBe(false);
    expect((await ask(server.httpPort, get('/v2/health/live'))).status).toBe(200);
    const refused = await ask(server.httpPort, infer('slow', oneNumber(1)));
    expect([refused.status, refused.body.toString()]).toEqual([503, expect.stringContaining("of model 'slow'")]);

    await until('the model is ready', () => isReady('slow'));
    expect(await isServerReady()).toBe(true);
    expect(outputsOf(await ask(server.httpPort, infer('slow', oneNumber(1))))).toEqual({ OUTPUT0: [1] });
    const index = await askJson(server.httpPort, post('/v2/repository/index', ''));
    expect(index).toMatchObject([{ name: 'slow', state: 'READY' }]);
  });
});
