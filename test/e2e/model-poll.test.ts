import { mkdir, open, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RawClient } from '../protocols/http/raw-client.js';
import {
  addsOf,
  countOf,
  isReady,
  loadedLine,
  plus,
  plusConfig,
  plusFiles,
  putFile,
  putFiles,
  statesOf,
  successesOf,
  untilAdds,
} from './control.js';
import { memoryUsed } from './metrics.js';
import { ask, askJson, bytesOf, get, infer, oneNumber, outputsOf } from './requests.js';
import { ServerProcess } from './server.js';
import { until } from './until.js';

const polling = ['--model-control-mode=poll', '--repository-poll-secs=1'];

let server: ServerProcess;

const path = (...parts: string[]) => join(server.repository, ...parts);
const loads = (model: string, version = 1) => countOf(server, loadedLine(model, version));
const configOf = (model: string) => askJson(server.httpPort, get(`/v2/models/${model}/config`));
const adjusted = (model: string) => `changed the settings of '${model}' version 1 in place`;

describe('folders that change', () => {
  beforeAll(async () => {
    server = await ServerProcess.start({ models: ['labels'], files: plusFiles('adder', 1), flags: polling });
  });

  afterAll(() => server.stop());

  test('a new model appears, and one that is removed goes', async () => {
    await putFiles(server, plusFiles('young', 4));
    await untilAdds(server, 'young', 4);
    expect(loads('young')).toBe(1);
    await rm(path('young'), { recursive: true });
    await until('it is forgotten', async () => (await statesOf(server, 'young')).length === 0);
    expect(await addsOf(server, 'young')).toBe("404 Request for unknown model: 'young' is not found");
    expect(server.main.output).toContain("model 'young' is gone from its repository: it is unloaded");
    expect(await isReady(server)).toBe(true);
  });

  test('settings change in place: delay of the queue, and instances up and down', async () => {
    await putFiles(server, plusFiles('settled', 1));
    await untilAdds(server, 'settled', 1);
    const change = async (text: string, isDone: () => Promise<boolean>) => {
      const before = countOf(server, adjusted('settled'));
      await putFile(server, 'settled/config.pbtxt', text);
      await until('it is changed', async () => countOf(server, adjusted('settled')) > before);
      expect(await isDone()).toBe(true);
      expect(await addsOf(server, 'settled')).toBe(1);
    };
    const counts = (count: number) => plusConfig('settled').replace('count: 1', `count: ${count}`);
    const instances = async () => (await configOf('settled')).instance_group[0].count;
    const delayed = plusConfig('settled', 'dynamic_batching { max_queue_delay_microseconds: 1000 }');
    // Dynamic batching that comes is another scheduler; a delay that changes is not.
    await putFile(server, 'settled/config.pbtxt', delayed.replace('1000', '2000'));
    await until('it batches', async () => (await configOf('settled')).dynamic_batching !== undefined);
    const before = { loads: loads('settled'), successes: await successesOf(server, 'settled') };
    const delay = async () => (await configOf('settled')).dynamic_batching.max_queue_delay_microseconds;
    await change(delayed, async () => Number(await delay()) === 1000);
    await change(counts(3), async () => (await instances()) === 3);
    await change(counts(1), async () => (await instances()) === 1);
    expect(loads('settled')).toBe(before.loads);
    expect(await successesOf(server, 'settled')).toBe(before.successes + 3);
  });

  test('labels change in place', async () => {
    const first = async () => {
      const tensor = { name: 'INPUT0', datatype: 'FP32' as const, shape: [1, 4], data: [9, 1, 2, 3] };
      const outputs = [{ name: 'OUTPUT0', parameters: { classification: 1 } }];
      const answer = await ask(server.httpPort, infer('labels', [tensor], { head: { outputs } }));
      return String(outputsOf(answer).OUTPUT0![0]);
    };
    const before = await first();
    const successes = await successesOf(server, 'labels');
    await putFile(server, 'labels/labels.txt', 'renamed\nb\nc\nd\n');
    let asked = 0;
    await until('the label is another', async () => {
      asked++;
      return (await first()).endsWith(':renamed');
    });
    expect(before).not.toContain('renamed');
    expect(loads('labels')).toBe(1);
    expect(await successesOf(server, 'labels')).toBe(successes + asked);
  });

  test('a model file that is replaced is loaded anew, once', async () => {
    const before = loads('adder');
    await putFile(server, 'adder/1/model.onnx', plus(2));
    await untilAdds(server, 'adder', 2);
    await putFile(server, 'adder/1/model.onnx', plus(1));
    await untilAdds(server, 'adder', 1);
    expect(loads('adder')).toBe(before + 2);
  });

  test('the latest version takes over, and the one before comes back when it is removed', async () => {
    await putFile(server, 'adder/2/model.onnx', plus(20));
    await untilAdds(server, 'adder', 20);
    await until('the old one is gone', async () => (await statesOf(server, 'adder'))[0] === '1 UNAVAILABLE: unloaded');
    expect(await statesOf(server, 'adder')).toEqual(['1 UNAVAILABLE: unloaded', '2 READY']);
    expect(await addsOf(server, 'adder', '1')).toBe(
      "503 Request for unknown model: 'adder' version 1 is not at ready state",
    );
    await rm(path('adder/2'), { recursive: true });
    await untilAdds(server, 'adder', 1);
    await until('the other one is gone', async () => (await statesOf(server, 'adder'))[1] !== '2 UNLOADING');
    expect(await statesOf(server, 'adder')).toEqual(['1 READY', '2 UNAVAILABLE: unloaded']);
    expect(await isReady(server)).toBe(true);
  });

  test('what breaks leaves what serves: the log and the index say why', async () => {
    const states = () => statesOf(server, 'adder').then((all) => all[0]!);
    await putFile(server, 'adder/config.pbtxt', 'name: "adder" max_batch_size: ?');
    await until('the index says why', async () => /^1 READY: .*config\.pbtxt:1:31/.test(await states()));
    expect(server.main.output).toMatch(/failed to load 'adder': .*config\.pbtxt:1:31/);
    expect(await addsOf(server, 'adder')).toBe(1);
    await putFile(server, 'adder/config.pbtxt', plusConfig('adder'));
    await until('it is well', async () => (await states()) === '1 READY');
    await putFile(server, 'adder/1/model.onnx', 'nonsense');
    await until('the index says why', async () => /^1 READY: version 1 failed .*Protobuf/.test(await states()));
    expect(server.main.output).toMatch(/failed to load 'adder' version 1: .*; what was loaded before goes on/);
    expect(await addsOf(server, 'adder')).toBe(1);
    expect(await isReady(server)).toBe(true);
    await putFile(server, 'adder/1/model.onnx', plus(3));
    await untilAdds(server, 'adder', 3);
    expect(await states()).toBe('1 READY');
  });

  test('a model that never loaded keeps the server from being ready until it is removed', async () => {
    await putFiles(server, { 'broken/1/model.onnx': Buffer.from('nonsense') });
    await until('it failed', async () => /^1 UNAVAILABLE: /.test((await statesOf(server, 'broken'))[0] ?? ''));
    expect(await isReady(server)).toBe(false);
    await rm(path('broken'), { recursive: true });
    await until('it is forgotten', async () => (await statesOf(server, 'broken')).length === 0);
    expect(await isReady(server)).toBe(true);
  });

  test('a file that is written in pieces is never half a model, and no client sees an error', async () => {
    const before = countOf(server, 'failed to load');
    const whole = plus(30);
    const client = await RawClient.open(server.httpPort);
    const seen = new Set<number>();
    const ask = async () => {
      const { OUTPUT0 } = outputsOf((await client.ask(bytesOf(infer('adder', oneNumber(1000)))))!);
      seen.add((OUTPUT0![0] as number) - 1000);
    };
    // From before one write until after the next: what a busy machine takes for the writes themselves is part of it.
    let [longestPauseMs, writesMs] = [0, Date.now()];
    const file = await open(path('adder/1/model.onnx'), 'w');
    for (let at = 0; at < whole.length; at += 12) {
      const beforeMs = Date.now();
      await file.write(whole.subarray(at, at + 12));
      longestPauseMs = Math.max(longestPauseMs, Date.now() - writesMs);
      writesMs = beforeMs;
      while (Date.now() < beforeMs + 60) await ask();
    }
    await file.close();
    await until('the new one answers', async () => {
      await ask();
      return seen.has(30);
    });
    client.destroy();
    expect([...seen]).toEqual([3, 30]);
    // Nor has the server tried it, if this machine was quick enough for the file never to look settled.
    const tries = countOf(server, 'failed to load') - before;
    expect(longestPauseMs < 150 ? tries : 0).toBe(0);
  });

  test('a repository that cannot be read changes nothing', async () => {
    const aside = `${server.repository}-aside`;
    await rename(server.repository, aside);
    await server.main.printed(/the model repositories cannot be looked at: .*; all models stay as they are/);
    expect(await addsOf(server, 'adder')).toBe(30);
    expect(await isReady(server)).toBe(true);
    const before = loads('adder');
    await rename(aside, server.repository);
    await putFiles(server, plusFiles('after', 9));
    await untilAdds(server, 'after', 9);
    expect(await addsOf(server, 'adder')).toBe(30);
    expect(loads('adder')).toBe(before);
  });
});

/** As Kubernetes mounts a volume: what is seen are links through one link, which is swapped. */
test('links that are swapped all at once count once', async () => {
  server = await ServerProcess.start({ models: [], flags: polling });
  const publish = async (stamp: string, constant: number) => {
    const folder = path('mounted', `..${stamp}`);
    await mkdir(join(folder, '1'), { recursive: true });
    await writeFile(join(folder, 'config.pbtxt'), plusConfig('mounted'));
    await writeFile(join(folder, '1/model.onnx'), plus(constant));
    await symlink(`..${stamp}`, path('mounted/..data_tmp'));
    await rename(path('mounted/..data_tmp'), path('mounted/..data'));
  };
  await mkdir(path('mounted'));
  await publish('2026_01', 1);
  await symlink('..data/1', path('mounted/1'));
  await symlink('..data/config.pbtxt', path('mounted/config.pbtxt'));
  await untilAdds(server, 'mounted', 1);
  expect(loads('mounted')).toBe(1);
  await publish('2026_02', 2);
  await untilAdds(server, 'mounted', 2);
  await rm(path('mounted/..2026_01'), { recursive: true });
  // Whatever was seen of the swap has been seen when this one serves.
  await putFiles(server, plusFiles('later', 7));
  await untilAdds(server, 'later', 7);
  expect(loads('mounted')).toBe(2);
  expect(countOf(server, 'failed')).toBe(0);
  await rm(path('mounted'), { recursive: true });
  await rm(path('later'), { recursive: true });
  await until('all are forgotten', async () => (await statesOf(server, 'mounted')).length === 0);
  await until('all memory is given back', async () => (await memoryUsed(server)) === 0);
  await server.stop();
});
