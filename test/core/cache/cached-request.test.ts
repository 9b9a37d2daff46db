import { expect, test, vi } from 'vitest';
import type { CacheEntry } from '../../../src/core/cache/cache-entry.js';
import { LocalStore } from '../../../src/core/cache/local-store.js';
import type { ResponseStore } from '../../../src/core/cache/response-store.js';
import { checkRequest } from '../../../src/core/check-request.js';
import type { AcceptedRequest, InferResponse, Responder } from '../../../src/core/infer-response.js';
import { ServerError } from '../../../src/types/errors.js';
import type { InferHead } from '../../../src/types/infer.js';
import { HandClock } from '../../fakes/clock.js';
import { PuppetModel, type PuppetOptions } from '../../fakes/puppet-model.js';

vi.mock('../../../src/backends/worker-instance.js', () => import('../../fakes/puppet-worker.js'));

const HEAD: InferHead = {
  ...{ id: '', sequenceId: 0, sequenceStart: false, sequenceEnd: false, priority: 0, timeoutUs: 0 },
  inputs: [{ name: 'A', datatype: 'INT32', shape: [1], source: { kind: 'binary', byteSize: 4 } }],
  outputs: [],
  binaryOutput: true,
  parameters: new Map(),
};

/** Answers when the test says so. */
class SlowStore implements ResponseStore {
  readonly isShared = true;
  readonly entries = new Map<string, CacheEntry>();
  readonly waiting: (() => void)[] = [];

  lookup(key: string): Promise<CacheEntry | null> {
    return new Promise((resolve) => {
      this.waiting.push(() => resolve(this.entries.get(key) ?? null));
    });
  }

  insert(key: string, entry: CacheEntry): boolean {
    this.entries.set(key, entry);
    return true;
  }

  close(): void {}

  /** Answers the lookup that waits `nth`. */
  async answer(nth = 0): Promise<void> {
    this.waiting.splice(nth, 1)[0]!();
    await settled();
  }
}

class Client implements Responder {
  readonly heard: string[] = [];
  request!: AcceptedRequest;

  onResponse(response: InferResponse): void {
    const made = response.plan.outputs.flatMap((_, nth) => {
      if (!response.hasOutput(nth)) return [];
      const { name, shape, bytes } = response.output(nth);
      return `${name}[${shape}]=${Buffer.from(bytes).toString('hex')}`;
    });
    const parameters = response.parameters === null ? '' : ` ${JSON.stringify([...response.parameters])}`;
    this.heard.push(`${made.join(' ')}${parameters}`);
    response.release();
  }

  onError(error: ServerError): void {
    this.heard.push(`${error.code} ${error.message}`);
  }
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

async function puppet(options: PuppetOptions = {}) {
  const clock = new HandClock();
  const model = await PuppetModel.started({ clock, isDecoupled: false, ...options });
  const ask = (value = 0, head: Partial<InferHead> = {}) => {
    const client = new Client();
    client.request = model.admit(checkRequest(model.name, model.tensors, { ...HEAD, ...head }), [4], client);
    model.arena.bytes.set([value, 0, 0, 0], client.request.inputBegin(0));
    client.request.submit();
    return client;
  };
  const statistics = () => model.statistics.snapshot();
  return { clock, model, ask, statistics };
}

const local = () => new LocalStore(1 << 16, new HandClock());
const y = (value: number) => ({ outputs: [{ shape: [1], bytes: Buffer.from([value, 0, 0, 0]) }] });

function expectOver(model: PuppetModel): void {
  expect([model.planes!.live, model.inFlight]).toEqual([0, 0]);
  model.planes!.close();
  expect(model.arena.slots).toBe(0);
}

test('the second of two equal requests is answered without an instance, and not before its submit has returned', async () => {
  const { model, ask, statistics } = await puppet({ store: local() });
  const first = ask(5);
  model.complete(model.running[0]!, y(50));
  const second = ask(5);
  expect(second.heard).toEqual([]);
  await settled();
  expect([first.heard, second.heard]).toEqual([['Y[1]=32000000'], ['Y[1]=32000000']]);
  expect(model.running).toEqual([]);
  const { inference_stats: stats, inference_count, execution_count } = statistics();
  expect([inference_count, execution_count]).toEqual([1, 1]);
  const counts = Object.entries(stats).map(([name, { count }]) => [name, count]);
  expect(Object.fromEntries(counts)).toEqual({
    ...{ success: 2, fail: 0, queue: 2, compute_input: 1, compute_infer: 1, compute_output: 1 },
    ...{ cache_hit: 1, cache_miss: 1 },
  });
  expectOver(model);
});

test('errors, and answers with parameters of the model, are not kept', async () => {
  const { model, ask, statistics } = await puppet({ store: local() });
  const heard = [];
  for (const note of [{ error: { code: 'INTERNAL', message: 'thrown' } }, { parameters: { p: 1 } }, {}]) {
    const client = ask(1);
    model.complete(model.running[0]!, { ...y(2), note });
    heard.push(client.heard[0]);
  }
  expect(heard).toEqual(['INTERNAL thrown', 'Y[1]=02000000 [["p",1]]', 'Y[1]=02000000']);
  expect(statistics().inference_stats.cache_miss.count).toBe(1);
  expectOver(model);
});

test('a request of a sequence is executed', async () => {
  const { model, ask } = await puppet({ store: local() });
  for (const value of [7, 8]) {
    const client = ask(1, { sequenceId: 9 });
    model.complete(model.running[0]!, y(value));
    expect(client.heard).toEqual([`Y[1]=0${value}000000`]);
  }
  expectOver(model);
});

test('without memory for what is found the request is executed', async () => {
  const { model, ask } = await puppet({ store: local(), arenaBytes: 1 << 16 });
  ask(1);
  model.complete(model.running[0]!, { outputs: [{ shape: [256], bytes: Buffer.alloc(1024, 1) }] });
  const free = model.arena.capacity * 0.75 - model.arena.used - 512;
  const hog = model.arena.take(free)!;
  const client = ask(1);
  await settled();
  expect([client.heard, model.running.length]).toEqual([[], 1]);
  model.complete(model.running[0]!, y(3));
  expect(client.heard).toEqual(['Y[1]=03000000']);
  model.arena.give(hog);
  expectOver(model);
});

test('preserve_ordering: what is found waits for what was asked before it', async () => {
  const { model, ask } = await puppet({ store: local(), preserveOrdering: true });
  ask(1);
  model.complete(model.running[0]!, y(1));
  const order: number[] = [];
  const clients = [2, 1, 3, 1].map((value) => ask(value));
  for (const [nth, client] of clients.entries()) {
    client.heard.push = (text) => {
      order.push(nth);
      return Array.prototype.push.call(client.heard, text);
    };
  }
  await settled();
  expect(order).toEqual([]);
  clients[2]!.request.cancel();
  model.complete(model.running[0]!, y(2));
  expect([order, clients.map(({ heard }) => heard.length)]).toEqual([
    [0, 1, 3],
    [1, 1, 0, 1],
  ]);
  model.complete(model.running[0]!, y(3));
  expectOver(model);
});

test('a hit that is cancelled before its turn is heard by nobody', async () => {
  const { model, ask } = await puppet({ store: local() });
  ask(1);
  model.complete(model.running[0]!, y(1));
  const client = ask(1);
  client.request.cancel();
  client.request.cancel();
  await settled();
  expect(client.heard).toEqual([]);
  expectOver(model);
});

test('while it is looked up it can be cancelled, and what comes then is not looked at', async () => {
  const store = new SlowStore();
  const { model, ask, statistics } = await puppet({ store, preserveOrdering: true });
  const [gone, other] = [ask(1), ask(2)];
  gone.request.cancel();
  await store.answer(0);
  await store.answer(0);
  model.complete(model.running[0]!, y(4));
  expect([gone.heard, other.heard]).toEqual([[], ['Y[1]=04000000']]);
  expect(statistics().inference_stats.fail.count).toBe(1);
  expectOver(model);
});

test('a slow lookup finds what was kept, and the model ends only when all are answered', async () => {
  const store = new SlowStore();
  const { model, ask } = await puppet({ store });
  ask(1);
  await store.answer();
  model.complete(model.running[0]!, y(4));
  const [hit, miss] = [ask(1), ask(2)];
  let isDrained = false;
  const drained = model.drain().then(() => {
    isDrained = true;
  });
  await store.answer();
  expect([hit.heard, isDrained]).toEqual([['Y[1]=04000000'], false]);
  await store.answer();
  expect([model.running.length, isDrained]).toEqual([1, false]);
  model.complete(model.running[0]!, y(5));
  await drained;
  expect(miss.heard).toEqual(['Y[1]=05000000']);
  expectOver(model);
});

test('a request that was looked up and then finds no place in the queue hears so, once', async () => {
  const store = new SlowStore();
  const { model, ask } = await puppet({ store, preserveOrdering: true });
  vi.spyOn(model, 'enqueue').mockImplementation(() => {
    throw new ServerError('UNAVAILABLE', 'full');
  });
  const client = ask(1);
  await store.answer();
  expect(client.heard).toEqual(['UNAVAILABLE full']);
  expectOver(model);
});

test('one that finds no place at once is refused in its submit', async () => {
  const { model, ask } = await puppet({ store: local(), preserveOrdering: true });
  const spy = vi.spyOn(model, 'enqueue').mockImplementation(() => {
    throw new ServerError('UNAVAILABLE', 'full');
  });
  expect(() => ask(1)).toThrow('full');
  spy.mockRestore();
  const client = ask(1);
  model.complete(model.running[0]!, y(4));
  expect(client.heard).toEqual(['Y[1]=04000000']);
  expectOver(model);
});
