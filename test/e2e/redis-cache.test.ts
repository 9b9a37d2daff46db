import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@redis/client';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { certificate } from '../transport/http2/echo-server.js';
import { addsOf, load, plus, plusFiles, putFiles } from './control.js';
import { countsOf, type EnsembleText, ensembleFiles, ways } from './ensembles.js';
import { scrape } from './metrics.js';
import { freePort, hasRedis, RedisServer } from './redis.js';
import { ask, askJson, get, infer, outputsOf, simpleInputs, simpleOutputs } from './requests.js';
import { MainProcess, ServerProcess, type ServerSettings } from './server.js';
import { until } from './until.js';

const cached = (config: string) => `${config}\nresponse_cache { enable: true }`;
const [, overHttp] = ways[0]!;

const chain: EnsembleText = {
  maxBatchSize: 8,
  inputs: ['INPUT0 FP32 1'],
  outputs: ['OUTPUT0 FP32 1'],
  steps: ['step INPUT0=INPUT0 -> OUTPUT0=OUTPUT0'],
};

/** As long as a busy machine may take. */
const PATIENCE = 'socket_timeout=5000';

const redisFlags = (port: number, more: readonly string[] = []) =>
  ['host=127.0.0.1', `port=${port}`, PATIENCE, ...more].map((setting) => `--cache-config=redis,${setting}`);

function settingsWith(port: number, more: readonly string[] = []): ServerSettings {
  return {
    models: ['simple'],
    files: { ...plusFiles('step', 1), ...ensembleFiles({ chain }) },
    edits: { simple: cached, step: cached, chain: cached },
    flags: [...redisFlags(port, more), '--model-control-mode=explicit', '--load-model=*'],
  };
}

async function cacheOf(server: ServerProcess, model: string): Promise<{ hits: number; misses: number }> {
  const { model_stats } = await askJson(server.httpPort, get(`/v2/models/${model}/stats`));
  const { cache_hit, cache_miss } = model_stats[0].inference_stats;
  return { hits: cache_hit.count, misses: cache_miss.count };
}

const connected = (server: ServerProcess, port: number) =>
  server.main.printed(new RegExp(`connected to Redis at 127.0.0.1:${port}`));

describe.skipIf(!hasRedis)('with a Redis server', () => {
  const ends: (() => Promise<void>)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  async function startRedis(port: number, more: readonly string[] = []): Promise<RedisServer> {
    const redis = await RedisServer.start(port, more);
    ends.push(() => redis.kill());
    return redis;
  }

  async function startServer(settings: ServerSettings): Promise<ServerProcess> {
    const server = await ServerProcess.start(settings);
    ends.push(() => server.stop());
    return server;
  }

  /** Asks until the answer comes from the cache: keeping it is waited for by nobody. */
  const untilHit = (server: ServerProcess, model: string, askOnce: () => Promise<unknown>) =>
    until('an answer comes from the cache', async () => {
      const { hits } = await cacheOf(server, model);
      await askOnce();
      return (await cacheOf(server, model)).hits > hits;
    });

  test('a second server, over any protocol, has the answers of the first', async () => {
    const port = await freePort();
    await startRedis(port);
    const first = await startServer(settingsWith(port));
    await connected(first, port);
    const askFirst = () => overHttp(first, 'simple', simpleInputs(5));
    expect(await askFirst()).toEqual(simpleOutputs(5));
    await untilHit(first, 'simple', askFirst);
    const second = await startServer(settingsWith(port));
    await connected(second, port);
    for (const [name, way] of ways)
      expect(await way(second, 'simple', simpleInputs(5)), name).toEqual(simpleOutputs(5));
    expect(await cacheOf(second, 'simple')).toEqual({ hits: 3, misses: 0 });
    expect((await countsOf(second, 'simple')).executions).toBe(0);
    // The gauges are those of the cache in memory.
    expect(await scrape(second)).toMatch(/^nv_cache_num_hits_per_model\{.*simple.*\} 3$/m);
    expect(await scrape(second)).not.toMatch(/^nv_cache_util/m);
  });

  test('a model with another file, and an ensemble of it, have answers of their own', async () => {
    const port = await freePort();
    await startRedis(port);
    const server = await startServer(settingsWith(port));
    await connected(server, port);
    for (const model of ['step', 'chain']) await untilHit(server, model, () => addsOf(server, model));
    await putFiles(server, { 'step/1/model.onnx': plus(7) });
    expect((await load(server, 'step')).status).toBe(200);
    await until('the ensemble goes on with the new model', async () => (await addsOf(server, 'chain')) === 7);
    for (const model of ['step', 'chain', 'step', 'chain']) expect(await addsOf(server, model)).toBe(7);
  });

  test('what somebody else wrote there is not believed', async () => {
    const port = await freePort();
    await startRedis(port);
    const server = await startServer(settingsWith(port));
    await connected(server, port);
    const askOnce = () => overHttp(server, 'simple', simpleInputs(6));
    await untilHit(server, 'simple', askOnce);
    const client = createClient({ RESP: 2, socket: { host: '127.0.0.1', port } });
    await client.connect();
    const [key] = await client.keys('conch:*');
    const head = JSON.stringify({ isFixed: true, outputs: [{ shape: [1, 1], bytes: 4 }, null] });
    for (const value of ['nonsense', `\u0001${String.fromCharCode(head.length)}\0\0\0${head}1234`]) {
      await client.set(key!, value);
      const { executions } = await countsOf(server, 'simple');
      expect(await askOnce()).toEqual(simpleOutputs(6));
      expect((await countsOf(server, 'simple')).executions).toBe(executions + 1);
    }
    client.destroy();
  });

  test('a server starts without it, and has it when it comes; its password is in no line of the log', async () => {
    const port = await freePort();
    const server = await startServer(settingsWith(port, ['password=secret', 'db=2']));
    await server.main.printed(/no connection to Redis/);
    expect(await overHttp(server, 'simple', simpleInputs(7))).toEqual(simpleOutputs(7));
    await startRedis(port, ['--requirepass', 'secret']);
    await connected(server, port);
    await untilHit(server, 'simple', () => overHttp(server, 'simple', simpleInputs(7)));
    expect(server.main.output).not.toContain('secret');
  });

  /** Asks one after the other until told to end; resolves with the longest time that one took, ms. */
  function traffic(server: ServerProcess, clients: number) {
    let isOver = false;
    let answered = 0;
    let longestMs = 0;
    const loop = async (first: number) => {
      while (!isOver) {
        const begin = performance.now();
        const answer = await ask(server.httpPort, infer('simple', simpleInputs(first)));
        expect(outputsOf(answer)).toEqual(simpleOutputs(first));
        longestMs = Math.max(longestMs, performance.now() - begin);
        answered++;
      }
    };
    const loops = Promise.all(Array.from({ length: clients }, (_, nth) => loop(nth)));
    return {
      /** So many more have been answered. */
      more: (count: number) => {
        const enough = answered + count;
        longestMs = 0;
        return until(`${count} more are answered`, () => answered >= enough);
      },
      end: async () => {
        isOver = true;
        await loops;
        return longestMs;
      },
    };
  }

  test('it dies in the middle of traffic, and comes back: every request is answered', async () => {
    const port = await freePort();
    const redis = await startRedis(port);
    const server = await startServer(settingsWith(port));
    await connected(server, port);
    const run = traffic(server, 8);
    await run.more(100);
    await redis.kill();
    await run.more(200);
    const { hits } = await cacheOf(server, 'simple');
    await startRedis(port);
    await until('answers come from it again', async () => (await cacheOf(server, 'simple')).hits > hits);
    await run.more(100);
    await run.end();
    expect((await countsOf(server, 'simple')).fail).toBe(0);
    expect(server.main.output.match(/no connection to Redis/g)).toHaveLength(1);
  });

  test('it does not answer any more: requests wait for a moment, then for none, and have it again when it wakes', async () => {
    const port = await freePort();
    const redis = await startRedis(port);
    const server = await startServer(settingsWith(port, ['socket_timeout=20']));
    await connected(server, port);
    const run = traffic(server, 8);
    await run.more(100);
    redis.freeze();
    await run.more(500);
    const { hits } = await cacheOf(server, 'simple');
    redis.thaw();
    await until('answers come from it again', async () => (await cacheOf(server, 'simple')).hits > hits);
    // The machine has other things to do: without a time-out it would be the length of the test.
    expect(await run.end()).toBeLessThan(1000);
    expect((await countsOf(server, 'simple')).fail).toBe(0);
  });

  test('a server ends while requests wait for it', async () => {
    const port = await freePort();
    const redis = await startRedis(port);
    const server = await ServerProcess.start(settingsWith(port, ['socket_timeout=300']));
    await connected(server, port);
    redis.freeze();
    const answers = [1, 2].map((first) => ask(server.httpPort, infer('simple', simpleInputs(first))));
    // Answered behind them.
    expect((await countsOf(server, 'simple')).success).toBe(0);
    await server.stop();
    for (const answer of await Promise.all(answers)) expect(answer.status).toBe(200);
    redis.thaw();
  });

  describe('over TLS', () => {
    const folder = mkdtempSync(join(tmpdir(), 'conch-redis-tls-'));
    const file = (name: string, bytes: Buffer) => {
      writeFileSync(join(folder, name), bytes);
      return join(folder, name);
    };
    // One certificate, signed by itself, for both sides.
    const mine = certificate();
    const [cert, key] = [file('cert.pem', mine.cert), file('key.pem', mine.key)];
    const other = file('other.pem', certificate().cert);

    afterAll(() => rmSync(folder, { recursive: true }));

    const startTlsRedis = (port: number) =>
      startRedis(port, [
        ...['--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'yes'],
        ...['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert],
      ]);

    test('answers are kept', async () => {
      const port = await freePort();
      await startTlsRedis(port);
      const tls = ['tls_enabled=true', `cacert=${cert}`, `cert=${cert}`, `key=${key}`];
      const server = await startServer(settingsWith(port, tls));
      await connected(server, port);
      await untilHit(server, 'simple', () => overHttp(server, 'simple', simpleInputs(5)));
      expect(await overHttp(server, 'simple', simpleInputs(5))).toEqual(simpleOutputs(5));
    });

    test.each([
      [
        'a server that another has signed',
        (port: number) => startTlsRedis(port),
        other,
        /no connection to Redis at .*certificate/,
      ],
      ['a server without TLS', (port: number) => startRedis(port), cert, /no connection to Redis/],
    ])('%s is not talked to, and no request fails', async (_, start, ca, text) => {
      const port = await freePort();
      await start(port);
      const tls = ['tls_enabled=true', `cacert=${ca}`, `cert=${cert}`, `key=${key}`, 'connect_timeout=500'];
      const server = await startServer(settingsWith(port, tls));
      await server.main.printed(text);
      expect(await overHttp(server, 'simple', simpleInputs(5))).toEqual(simpleOutputs(5));
      expect((await cacheOf(server, 'simple')).hits).toBe(0);
    });
  });
});

test.each([
  [['--cache-config=redis,host=somewhere'], /Failed to initialize RedisCache, didn't specify address\./],
  [['--cache-config=redis,host=somewhere', '--cache-config=redis,port=0'], /from 1 to 65535 for 'port', got '0'/],
  [
    [...redisFlags(1), '--cache-config=redis,tls_enabled=true', '--cache-config=redis,cacert=/nowhere.pem'],
    /--cache-config=redis,cacert: \/nowhere\.pem cannot be read: ENOENT/,
  ],
  [['--cache-config=redis,host=a', '--cache-config=local,size=5'], /a server has one cache, got 'redis' and 'local'/],
])('%s is refused', async (flags, text) => {
  const main = new MainProcess(['nowhere', ...flags]);
  expect(await main.exit).toBe(1);
  expect(main.output).toMatch(text);
});
