import { expect, test } from 'vitest';
import type { Instance } from '../../../src/backends/instance.js';
import type { InstanceGate } from '../../../src/backends/instance-gate.js';
import type { InstanceSpec } from '../../../src/backends/instance-spec.js';
import { assert } from '../../../src/base/assert.js';
import { DynamicScheduler } from '../../../src/schedulers/dynamic.js';
import { RateLimitGates } from '../../../src/schedulers/rate-limit/instance-gates.js';
import { OPEN_POLICY, RequestQueue } from '../../../src/schedulers/request-queue.js';
import type { Scheduler } from '../../../src/schedulers/scheduler.js';
import { HandClock } from '../../fakes/clock.js';
import { PuppetInstance } from '../../fakes/instance.js';
import { FakeRequest } from '../../fakes/request.js';

/** Models that share the resource R, of which there is one unless a model needs more; what is put off runs when the test says so. */
class Stage {
  readonly clock = new HandClock();
  readonly #later: (() => void)[] = [];
  readonly gates = new RateLimitGates([], (run) => this.#later.push(run));

  /** @param counts what each of its instances needs; 0 = nothing */
  model(name: string, counts: readonly number[], delayUs = 0): StageModel {
    return new StageModel(this, name, counts, delayUs);
  }

  settle(): void {
    for (const run of this.#later.splice(0)) run();
  }

  get inUse(): number {
    return this.gates.pools.reduce((sum, pool) => sum + pool.inUse, 0);
  }
}

class StageModel {
  readonly instances: PuppetInstance[];
  readonly gates: (InstanceGate | null)[];
  readonly visible: Instance[];
  readonly scheduler: Scheduler;
  readonly #stage: Stage;

  constructor(stage: Stage, name: string, counts: readonly number[], delayUs: number) {
    this.#stage = stage;
    this.instances = counts.map((_, nth) => new PuppetInstance(`${name}_${nth}`, 4));
    const specs = counts.map((count) => ({
      demand: { resources: [{ name: 'R', count, global: false }], priority: 0, gpu: -1 },
    })) as unknown as InstanceSpec[];
    this.gates = stage.gates.gatesFor(specs, {
      onAdmitted: () => this.scheduler.resume(),
      hasWork: () => this.scheduler.pending > 0,
    });
    this.visible = this.gates.map((gate, nth) => gate?.guard(this.instances[nth]!) ?? this.instances[nth]!);
    const policy = { maxRows: 4, preferred: [4], delayUs, single: false };
    const queue = new RequestQueue({
      levels: 0,
      defaultLevel: 1,
      defaultPolicy: OPEN_POLICY,
      levelPolicies: new Map(),
    });
    const pool = { instances: this.visible, isAvailable: true };
    this.scheduler = new DynamicScheduler({ policy, prefetch: true, model: name }, queue, pool, stage.clock);
    this.instances.forEach((instance, nth) => {
      instance.onRoom = () => {
        this.gates[nth]?.onBatchEnded();
        this.scheduler.run();
      };
    });
  }

  send(...names: string[]): FakeRequest[] {
    const requests = names.map((name) => new FakeRequest(name));
    for (const request of requests) {
      // In the midst of a block: batches are not cut where blocks begin.
      request.row = 1;
      this.scheduler.enqueue(request, this.#stage.clock.nowUs());
    }
    return requests;
  }

  /** What each instance has begun, in rows. */
  get begun(): number[] {
    return this.instances.map(({ running, open }) => running.length + open.length);
  }

  finish(nth = 0): void {
    this.instances[nth]!.seal();
    this.instances[nth]!.finish();
  }
}

test('who finds nothing waits, and goes on by itself when the other has ended', () => {
  const stage = new Stage();
  const [a, b] = [stage.model('a', [1]), stage.model('b', [1])];
  const [first] = a.send('1');
  const [second, third] = b.send('2', '3');
  expect([a.begun, b.begun, stage.inUse, stage.gates.waiting]).toEqual([[1], [0], 1, 1]);
  a.finish();
  stage.settle();
  // What came meanwhile is in the same batch.
  expect([a.begun, b.begun, stage.inUse, stage.gates.waiting]).toEqual([[0], [2], 1, 0]);
  b.finish();
  stage.settle();
  expect([first, second, third].map((request) => request!.ended)).toEqual(['completed', 'completed', 'completed']);
  expect(stage.inUse).toBe(0);
});

test('a batch grows until its worker takes it, and none waits open beside one that runs', () => {
  const stage = new Stage();
  const a = stage.model('a', [1]);
  a.send('1', '2');
  expect(a.begun).toEqual([2]);
  a.instances[0]!.seal();
  a.send('3');
  expect([a.begun, a.scheduler.pending]).toEqual([[2], 1]);
  a.finish();
  expect([a.begun, stage.inUse]).toEqual([[1], 1]);
});

test('two that always have work take turns', () => {
  const stage = new Stage();
  const models = [stage.model('a', [1]), stage.model('b', [1])];
  for (const model of models) model.send('1', '2', '3', '4', '5', '6', '7', '8', '9');
  const order: number[] = [];
  while (stage.inUse > 0) {
    const nth = models.findIndex(({ begun }) => begun[0]! > 0);
    order.push(nth);
    models[nth]!.finish();
    stage.settle();
  }
  expect(order).toEqual([0, 1, 0, 1, 0, 1]);
});

test('an instance that needs nothing takes what others wait with', () => {
  const stage = new Stage();
  const [a, b] = [stage.model('a', [1]), stage.model('b', [1, 0])];
  a.send('1');
  b.send('2');
  expect([b.begun, stage.gates.waiting]).toEqual([[0, 1], 1]);
  a.finish();
  stage.settle();
  // The first had nothing to do any more.
  expect([b.begun, stage.inUse, stage.gates.waiting]).toEqual([[0, 1], 0, 0]);
});

test('an instance whose batch another has keeps nobody waiting', () => {
  const stage = new Stage();
  const [a, b, c, d] = [stage.model('a', [1]), stage.model('b', [2, 2]), stage.model('c', [1]), stage.model('d', [1])];
  a.send('1');
  b.send('2');
  expect(stage.gates.waiting).toBe(2);
  a.finish();
  stage.settle();
  expect([b.begun, stage.gates.waiting]).toEqual([[1, 0], 0]);
  c.send('3');
  b.finish();
  d.send('4');
  stage.settle();
  expect([c.begun, d.begun]).toEqual([[1], [1]]);
});

test('requests that are cancelled while they wait leave nothing behind', () => {
  const stage = new Stage();
  const [a, b, c] = [stage.model('a', [1]), stage.model('b', [1]), stage.model('c', [1])];
  a.send('1');
  const [gone] = b.send('2');
  c.send('3');
  b.scheduler.cancel(gone!);
  a.finish();
  stage.settle();
  expect([b.begun, c.begun, stage.inUse, stage.gates.waiting]).toEqual([[0], [1], 1, 0]);
});

test('a batch that is taken back altogether never was', () => {
  const stage = new Stage();
  const [a, b] = [stage.model('a', [1]), stage.model('b', [1])];
  const requests = a.send('1', '2');
  b.send('3');
  for (const request of requests) a.scheduler.cancel(request);
  expect(stage.inUse).toBe(0);
  stage.settle();
  expect([a.begun, b.begun, stage.inUse]).toEqual([[0], [1], 1]);
});

test('who dies gives back what it held, and what it waited for goes to others', () => {
  const stage = new Stage();
  const [a, b, c] = [stage.model('a', [1]), stage.model('b', [1]), stage.model('c', [1])];
  a.send('1');
  b.send('2');
  c.send('3');
  b.instances[0]!.die();
  b.gates[0]!.onGone();
  a.instances[0]!.die();
  a.gates[0]!.onGone();
  stage.settle();
  expect([c.begun, stage.inUse, stage.gates.waiting]).toEqual([[1], 1, 0]);
  // The next life of the instance asks for itself.
  const next = new PuppetInstance('b', 4);
  const visible = b.gates[0]!.guard(next);
  expect([visible.begin([new FakeRequest('4')], 1, 'idle_instance', null), visible.canBegin]).toEqual([false, false]);
  c.finish();
  stage.settle();
  expect([visible.canBegin, stage.inUse]).toEqual([true, 0]);
});

test('a place that is no more leaves its resources to nobody; what it held comes back', () => {
  const stage = new Stage();
  const [a, b] = [stage.model('a', [2]), stage.model('b', [1])];
  expect(stage.gates.pools.map(({ total }) => total)).toEqual([2]);
  a.send('1');
  b.send('2');
  a.gates[0]!.close();
  a.gates[0]!.close();
  stage.settle();
  expect(stage.gates.pools.map(({ total, inUse }) => [total, inUse])).toEqual([[1, 1]]);
  expect(b.begun).toEqual([1]);
});

test('without memory nothing is held', () => {
  const stage = new Stage();
  const a = stage.model('a', [1]);
  a.instances[0]!.hasMemory = false;
  const [request] = a.send('1');
  expect([request!.ended.split(' ')[0], stage.inUse, stage.gates.waiting]).toEqual(['REJECTED', 0, 0]);
});

test('a batch that may still wait for more asks for nothing', () => {
  const stage = new Stage();
  const [a, b] = [stage.model('a', [1]), stage.model('b', [1], 100)];
  b.send('1');
  a.send('2');
  expect([a.begun, stage.gates.waiting]).toEqual([[1], 0]);
  stage.clock.advance(100);
  expect(stage.gates.waiting).toBe(1);
  a.finish();
  stage.settle();
  expect(b.begun).toEqual([1]);
});

test('a caller lends what it holds until it has its last answer', () => {
  const stage = new Stage();
  const [a, b] = [stage.model('a', [1]), stage.model('b', [1])];
  a.send('1');
  const taken: unknown[] = [];
  const posted: unknown[] = [];
  let post: Parameters<InstanceGate['openCalls']>[1] = () => assert(false, 'nobody has opened it');
  const gate = a.gates[0]!;
  const calls = gate.openCalls(
    (own) => {
      post = own;
      return { take: (event) => taken.push(event), close() {} };
    },
    (replies) => posted.push(...replies),
  );
  b.send('2');
  calls.take({ kind: 'submit', id: 1 }, null);
  calls.take({ kind: 'submit', id: 2 }, null);
  stage.settle();
  expect([b.begun, stage.inUse]).toEqual([[1], 1]);
  b.finish();
  stage.settle();
  post([{ kind: 'error', id: 1, code: 'INTERNAL', message: '' }]);
  expect(stage.inUse).toBe(0);
  calls.take({ kind: 'cancel', id: 2 }, null);
  expect([stage.inUse, taken.length, posted.length]).toEqual([1, 3, 1]);
  a.finish();
  expect(stage.inUse).toBe(0);
});

test('who waits for somebody to read lends what it holds until all is read', () => {
  const stage = new Stage();
  const [a, b] = [stage.model('a', [1]), stage.model('b', [1])];
  const gate = a.gates[0]!;
  gate.onStalled(true);
  a.send('1');
  b.send('2');
  expect([stage.inUse, b.begun]).toEqual([1, [0]]);
  gate.onStalled(true);
  stage.settle();
  expect([stage.inUse, b.begun]).toEqual([1, [1]]);
  gate.onStalled(false);
  expect(stage.inUse).toBe(1);
  gate.onStalled(false);
  expect(stage.inUse).toBe(2);
  a.finish();
  b.finish();
  expect(stage.inUse).toBe(0);
});
