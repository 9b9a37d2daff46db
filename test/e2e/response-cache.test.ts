import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addsOf, load, plus, plusConfig, plusFiles, putFiles } from './control.js';
import { countsOf, type EnsembleText, ensembleFiles, ways } from './ensembles.js';
import { memoryUsed, metric, scrape } from './metrics.js';
import { ask, askJson, get, infer, oneNumber, simpleInputs, simpleOutputs, type Tensor } from './requests.js';
import { MainProcess, ServerProcess } from './server.js';
import { until } from './until.js';
import { askV1, floats, v1Infer } from './v1.js';

const cached = (config: string) => `${config}\nresponse_cache { enable: true }`;

const twice: EnsembleText = {
  maxBatchSize: 8,
  inputs: ['INPUT0 FP32 1'],
  outputs: ['OUTPUT0 FP32 1'],
  steps: ['one INPUT0=INPUT0 -> OUTPUT0=t', 'plain INPUT0=t -> OUTPUT0=OUTPUT0'],
};

const labelled: EnsembleText = {
  maxBatchSize: 4,
  inputs: ['IN FP32 4'],
  outputs: ['OUT FP32 4'],
  steps: ['labels INPUT0=IN -> OUTPUT0=OUT'],
};

/** Two answers of about 1 MB have room. */
const size = 2_500_000;

async function cacheOf(server: ServerProcess, model: string) {
  const { model_stats } = await askJson(server.httpPort, get(`/v2/models/${model}/stats`));
  const { cache_hit, cache_miss } = model_stats[0].inference_stats;
  return { hits: cache_hit.count, misses: cache_miss.count, hitNs: cache_hit.ns, missNs: cache_miss.ns };
}

const strings = (data: readonly string[]): Tensor[] => [{ name: 'INPUT0', datatype: 'BYTES', shape: [1, 2], data }];
const large = (value: number): Tensor[] => [
  { name: 'INPUT0', datatype: 'FP32', shape: [1, 250_000], data: new Array(250_000).fill(value), binary: true },
];

describe('with a cache in memory', () => {
  let server: ServerProcess;

  beforeAll(async () => {
    server = await ServerProcess.start({
      models: ['simple', 'identity_bytes', 'identity_fp32', 'labels'],
      files: {
        ...plusFiles('one', 1, 'response_cache { enable: true }'),
        ...plusFiles('plain', 10),
        ...plusFiles('reloaded', 1, 'response_cache { enable: true }'),
        ...ensembleFiles({ twice, whole: twice, labelled }),
      },
      edits: { simple: cached, identity_bytes: cached, identity_fp32: cached, whole: cached, labelled: cached },
      flags: [`--cache-config=local,size=${size}`, '--model-control-mode=explicit', '--load-model=*'],
    });
  });

  afterAll(() => server.stop());

  test.each(ways)(
    'over %s the second answer is that of the first, and nothing is executed for it',
    async (name, way) => {
      const first = ways.findIndex(([other]) => other === name) * 100;
      const before = await countsOf(server, 'simple');
      const cacheBefore = await cacheOf(server, 'simple');
      for (const id of ['a', 'b', 'c']) {
        expect(await way(server, 'simple', simpleInputs(first), { id })).toEqual(simpleOutputs(first));
      }
      const after = await countsOf(server, 'simple');
      const cacheAfter = await cacheOf(server, 'simple');
      expect([after.success - before.success, after.rows - before.rows]).toEqual([3, 1]);
      expect(after.executions - before.executions).toBe(1);
      expect([cacheAfter.hits - cacheBefore.hits, cacheAfter.misses - cacheBefore.misses]).toEqual([2, 1]);
      expect(cacheAfter.hitNs).toBeGreaterThan(cacheBefore.hitNs);
      expect(cacheAfter.missNs).toBeGreaterThan(cacheBefore.missNs);
    },
  );

  test('an answer has the id of its own request, and is the same otherwise, in JSON and in bytes', async () => {
    for (const binary of [true, false]) {
      const head = { parameters: { binary_data_output: binary } };
      const texts = [];
      for (const id of ['one', 'two']) {
        const answer = await ask(server.httpPort, infer('simple', simpleInputs(777), { head: { ...head, id } }));
        expect(answer.body.includes(`"id":"${id}"`)).toBe(true);
        texts.push(answer.body.toString('latin1').replace(`"id":"${id}"`, ''));
      }
      expect(texts[0]).toBe(texts[1]);
    }
  });

  test('an output that was not asked for before is not made up of another', async () => {
    const want = (name: string) => ({ outputs: [{ name }] });
    const [, way] = ways[0]!;
    const { OUTPUT0, OUTPUT1 } = simpleOutputs(31);
    for (const _ of [1, 2]) {
      expect(await way(server, 'simple', simpleInputs(31), want('OUTPUT0'))).toEqual({ OUTPUT0 });
      expect(await way(server, 'simple', simpleInputs(31), want('OUTPUT1'))).toEqual({ OUTPUT1 });
    }
    const classes = { outputs: [{ name: 'OUTPUT0', parameters: { classification: 2 } }] };
    const first = await way(server, 'simple', simpleInputs(31), classes);
    expect(await way(server, 'simple', simpleInputs(31), classes)).toEqual(first);
    expect(first).not.toEqual({ OUTPUT0 });
  });

  test.each(ways)('strings over %s are told apart by their lengths', async (_name, way) => {
    for (const data of [
      ['ab', 'c'],
      ['a', 'bc'],
      ['ab', 'c'],
      ['', 'abc'],
    ]) {
      expect(await way(server, 'identity_bytes', strings(data))).toEqual({ OUTPUT0: data });
    }
  });

  test('the classes of an ensemble have the labels of its step, also from the cache and over V1', async () => {
    const header = 'batch_size: 1 input { name: "IN" } output { name: "OUT" cls { count: 1 } }';
    const request = v1Infer({ path: 'labelled', header, body: floats(1, 2, 9, 3) });
    for (const hits of [0, 1]) {
      expect((await askV1(server.httpPort, request)).header).toContain('cls { idx: 2 value: 9 label: "two" }');
      expect((await cacheOf(server, 'labelled')).hits).toBe(hits);
    }
  });

  test('an ensemble keeps its answers, and its steps theirs', async () => {
    const [, way] = ways[0]!;
    const answers = [];
    for (const model of ['twice', 'twice', 'whole', 'whole']) answers.push(await way(server, model, oneNumber(4000)));
    expect(answers).toEqual(new Array(4).fill({ OUTPUT0: [4011] }));
    expect((await countsOf(server, 'one')).executions).toBe(1);
    expect((await countsOf(server, 'plain')).executions).toBe(3);
    expect(await cacheOf(server, 'one')).toMatchObject({ hits: 2, misses: 1 });
    expect(await cacheOf(server, 'whole')).toMatchObject({ hits: 1, misses: 1 });
    expect(await cacheOf(server, 'twice')).toMatchObject({ hits: 0, misses: 0 });
    expect((await countsOf(server, 'whole')).executions).toBe(1);
  });

  test('a model that was loaded anew gives no old answers', async () => {
    expect([await addsOf(server, 'reloaded'), await addsOf(server, 'reloaded')]).toEqual([1, 1]);
    await putFiles(server, {
      'reloaded/1/model.onnx': plus(5),
      'reloaded/config.pbtxt': Buffer.from(plusConfig('reloaded', 'response_cache { enable: true }')),
    });
    expect((await load(server, 'reloaded')).status).toBe(200);
    expect([await addsOf(server, 'reloaded'), await addsOf(server, 'reloaded')]).toEqual([5, 5]);
    expect((await cacheOf(server, 'reloaded')).hits).toBe(1);
  });

  test('what was asked for least recently goes when the room is used up, and metrics tell', async () => {
    const [, way] = ways[0]!;
    const evicted = await metric(server, 'nv_cache_num_evictions');
    for (const value of [1, 2, 1, 3, 1, 2]) {
      expect(await way(server, 'identity_fp32', large(value))).toEqual({ OUTPUT0: large(value)[0]!.data });
    }
    expect(await cacheOf(server, 'identity_fp32')).toMatchObject({ hits: 2, misses: 4 });
    const labels = { model: 'identity_fp32' };
    expect(await metric(server, 'nv_cache_num_hits_per_model', labels)).toBe(2);
    expect(await metric(server, 'nv_cache_num_misses_per_model', labels)).toBe(4);
    expect(await metric(server, 'nv_cache_num_evictions')).toBeGreaterThanOrEqual(evicted + 2);
    expect(await metric(server, 'nv_cache_util')).toBeGreaterThan(0.8);
    expect(await metric(server, 'nv_cache_util')).toBeLessThanOrEqual(1);
    const [lookups, hits, misses] = await Promise.all(
      ['lookups', 'hits', 'misses'].map((what) => metric(server, `nv_cache_num_${what}`)),
    );
    expect(lookups).toBe(hits! + misses!);
    expect(await scrape(server)).not.toMatch(/nv_cache_num_hits_per_model{model="plain"/);
  });

  test('hits leave no memory behind', async () => {
    const [, way] = ways[0]!;
    const ask = () => way(server, 'identity_fp32', large(9));
    await ask();
    await ask();
    const before = await memoryUsed(server);
    await Promise.all(Array.from({ length: 20 }, ask));
    await until('all memory is given back', async () => (await memoryUsed(server)) <= before);
  });
});

test('without a cache a model that asks for one is executed each time, and the log says so', async () => {
  const server = await ServerProcess.start({ models: ['simple'], edits: { simple: cached } });
  const [, way] = ways[0]!;
  for (const _ of [1, 2]) expect(await way(server, 'simple', simpleInputs(1))).toEqual(simpleOutputs(1));
  expect((await countsOf(server, 'simple')).executions).toBe(2);
  expect(await scrape(server)).not.toMatch(/nv_cache/);
  expect(server.main.output).toMatch(/model 'simple': response_cache needs --cache-config: nothing is cached/);
  await server.stop();
});

test.each([
  [['--cache-config=local,length=5'], /the cache 'local' has the settings size, got 'length'/],
  [['--cache-config=local,size=many'], /Failed to initialize LocalCache: config didn't contain a valid 'size' field\./],
  [['--cache-config=local,size=0'], /Failed to initialize LocalCache: config didn't contain a valid 'size' field\./],
  [['--cache-config=attic,size=5'], /expected one of the caches local.*, got 'attic'/],
  [['--cache-config=local'], /expected NAME,KEY=VALUE, got 'local'/],
  [['--cache-config=local,size=5', '--response-cache-byte-size=5'], /not both/],
])('%s is refused', async (flags, text) => {
  const main = new MainProcess(['nowhere', ...flags]);
  expect(await main.exit).toBe(1);
  expect(main.output).toMatch(text);
});

test('the older flag works, and its successor is named', async () => {
  const server = await ServerProcess.start({
    models: ['simple'],
    edits: { simple: cached },
    flags: ['--response-cache-byte-size=1000000'],
  });
  const [, way] = ways[0]!;
  for (const _ of [1, 2]) expect(await way(server, 'simple', simpleInputs(1))).toEqual(simpleOutputs(1));
  expect((await countsOf(server, 'simple')).executions).toBe(1);
  expect(server.main.output).toMatch(/--response-cache-byte-size is deprecated: use --cache-config/);
  await server.stop();
});
