import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { InstanceEvents, InstanceState } from '../../src/backends/instance.js';
import { InstanceGroup } from '../../src/backends/instance-group.js';
import type { InstanceSpec } from '../../src/backends/instance-spec.js';
import { silentLog } from '../../src/base/log.js';
import type { Arena } from '../../src/memory/arena.js';
import { HandClock } from '../fakes/clock.js';

/** A life of an instance that starts, dies and stops when the test says so. */
class Life {
  static all: Life[] = [];
  readonly spec: InstanceSpec;
  readonly events: InstanceEvents;
  state: InstanceState = 'starting';
  stops = 0;
  #started: { resolve(): void; reject(error: unknown): void } | null = null;

  constructor(spec: InstanceSpec, _arena: Arena, events: InstanceEvents) {
    this.spec = spec;
    this.events = events;
    Life.all.push(this);
  }

  get name(): string {
    return this.spec.instance;
  }

  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#started = { resolve, reject };
    });
  }

  async serves(): Promise<void> {
    this.#become('serving');
    this.#started!.resolve();
    await settled();
  }

  async fails(text: string): Promise<void> {
    this.state = 'stopped';
    this.#started!.reject(new Error(text));
    await settled();
  }

  dies(): void {
    this.#become('dead');
  }

  async stop(): Promise<void> {
    this.stops++;
    if (this.state === 'stopped') return;
    this.#become('stopped');
    this.#started?.resolve();
  }

  #become(state: InstanceState): void {
    this.state = state;
    this.events.onState(this as never, '');
  }
}

vi.mock('../../src/backends/worker-instance.js', () => ({
  WorkerInstance: class {
    constructor(spec: InstanceSpec, arena: Arena, events: InstanceEvents) {
      // biome-ignore lint/correctness/noConstructorReturn: the double stands in for the instance
      return new Life(spec, arena, events);
    }
  },
}));

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const spec = (instance: string, kind = 'cpu', passive = false) =>
  ({ instance, kind, passive, model: 'm' }) as unknown as InstanceSpec;
const specs = (count: number, kind = 'cpu') => Array.from({ length: count }, (_, i) => spec(`${kind}_${i}`, kind));

let clock: HandClock;
/** How many instances the model saw when it was told last. */
let seen: number;
let group: InstanceGroup;

beforeEach(() => {
  Life.all = [];
  clock = new HandClock();
  seen = 0;
});

const events = {
  onRoom() {},
  onReturned() {},
  async onLoaded() {},
  onExecuted() {},
  onMetric: () => true,
  onAvailability: () => {
    seen = group.instances.length;
  },
  onAdmitted() {},
  hasWork: () => false,
  openCalls: () => ({ take() {}, close() {} }),
};

/** A group whose instances all serve. */
async function groupOf(...wanted: InstanceSpec[]): Promise<void> {
  group = new InstanceGroup(wanted, {} as Arena, events, { clock, log: silentLog });
  const started = group.start();
  for (const life of Life.all) await life.serves();
  await started;
}

const names = () => group.instances.map(({ name }) => name);
const stopped = () => Life.all.filter(({ state }) => state === 'stopped').map(({ name }) => name);
const fresh = (count: number) => Life.all.slice(-count);

describe('a group that gets another size', () => {
  it('starts what it has too few of, which takes work when all of them serve', async () => {
    await groupOf(...specs(1));
    const done = group.resize(specs(3));
    const [second, third] = fresh(2);
    await second!.serves();
    expect(names()).toEqual(['cpu_0']);
    expect(group.isHealthy).toBe(true);
    await third!.serves();
    await done;
    expect(names()).toEqual(['cpu_0', 'cpu_1', 'cpu_2']);
    expect(seen).toBe(3);
    expect(stopped()).toEqual([]);
  });

  it('ends what it has too many of', async () => {
    await groupOf(...specs(3));
    await group.resize(specs(1));
    expect(names()).toEqual(['cpu_0']);
    expect(stopped()).toEqual(['cpu_1', 'cpu_2']);
    expect(Life.all).toHaveLength(3);
  });

  it('keeps who is of the same kind, and replaces the others when the new ones serve', async () => {
    await groupOf(...specs(2, 'cpu'), ...specs(1, 'gpu'));
    const done = group.resize([...specs(2, 'gpu'), ...specs(1, 'cpu')]);
    expect(Life.all).toHaveLength(4);
    expect([names(), stopped()]).toEqual([['cpu_0', 'cpu_1', 'gpu_0'], []]);
    await Life.all[3]!.serves();
    await done;
    expect(names()).toEqual(['gpu_0', 'gpu_1', 'cpu_0']);
    expect(stopped()).toEqual(['cpu_1']);
  });

  it('does nothing where it has the size', async () => {
    await groupOf(...specs(2));
    await group.resize(specs(2).toReversed());
    expect([Life.all.length, stopped()]).toEqual([2, []]);
    expect(names()).toHaveLength(2);
  });

  it('stays as it was where one does not start, and ends those that did', async () => {
    await groupOf(...specs(1));
    const done = group.resize([...specs(1), ...specs(2, 'gpu')]);
    const [good, bad] = fresh(2);
    const refused = expect(done).rejects.toThrow('no memory');
    await good!.serves();
    await bad!.fails('no memory');
    await refused;
    expect([names(), group.isHealthy]).toEqual([['cpu_0'], true]);
    expect(good!.state).toBe('stopped');
    good!.dies();
    expect(clock.timers).toBe(0);
  });

  it('lets no work go to an instance that is passive', async () => {
    await groupOf(...specs(1));
    const done = group.resize([...specs(1), spec('spare', 'cpu passive', true)]);
    await fresh(1)[0]!.serves();
    await done;
    expect([names(), group.isHealthy]).toEqual([['cpu_0'], true]);
  });

  it('restarts nothing that it has no more', async () => {
    await groupOf(...specs(2));
    Life.all[1]!.dies();
    expect(clock.timers).toBe(1);
    await group.resize(specs(1));
    expect(clock.timers).toBe(0);
    Life.all[1]!.dies();
    expect(clock.timers).toBe(0);
    expect([names(), group.isHealthy]).toEqual([['cpu_0'], true]);
  });

  it('goes on restarting what died and stays', async () => {
    await groupOf(...specs(1));
    Life.all[0]!.dies();
    const done = group.resize(specs(2));
    await fresh(1)[0]!.serves();
    await done;
    expect([names(), group.isHealthy]).toEqual([['cpu_1'], false]);
    clock.advance(100_000);
    await fresh(1)[0]!.serves();
    expect([names(), group.isHealthy]).toEqual([['cpu_0', 'cpu_1'], true]);
  });

  it('restarts an instance that came with it', async () => {
    await groupOf(...specs(1));
    const done = group.resize(specs(2));
    await fresh(1)[0]!.serves();
    await done;
    fresh(1)[0]!.dies();
    expect(names()).toEqual(['cpu_0']);
    clock.advance(100_000);
    await fresh(1)[0]!.serves();
    expect(names()).toEqual(['cpu_0', 'cpu_1']);
  });

  it('starts what stands for an instance that is being restarted only once', async () => {
    await groupOf(...specs(2));
    Life.all[1]!.dies();
    clock.advance(100_000);
    expect(Life.all).toHaveLength(3);
    await group.resize(specs(1));
    await settled();
    expect(Life.all[2]!.state).toBe('stopped');
    expect(names()).toEqual(['cpu_0']);
    expect(clock.timers).toBe(0);
  });

  it('ends all that it has begun where it is stopped meanwhile', async () => {
    await groupOf(...specs(1));
    const done = group.resize(specs(2));
    await group.stop();
    await fresh(1)[0]!.serves();
    await done;
    expect(Life.all.map(({ state }) => state)).toEqual(['stopped', 'stopped']);
    expect([names(), clock.timers]).toEqual([[], 0]);
  });
});
