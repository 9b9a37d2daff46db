import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Step } from '../../../src/schedulers/sequence/step.js';
import { ServerError } from '../../../src/types/errors.js';
import type { FakeRequest } from '../../fakes/request.js';
import { Bench, direct, oldest } from './set-up.js';

type Command =
  | {
      readonly do: 'send';
      readonly id: number;
      readonly flags: string;
      readonly timeoutUs: number;
      readonly key: string;
    }
  | { readonly do: 'cancel'; readonly nth: number }
  | { readonly do: 'wait'; readonly us: number }
  | { readonly do: 'seal' | 'finish' | 'fail' | 'die' | 'revive'; readonly instance: number };

const instance = fc.nat(1);
const commands = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        do: fc.constant('send' as const),
        id: fc.integer({ min: 1, max: 9 }),
        flags: fc.constantFrom('s', '', '', '', 'e', 'se'),
        timeoutUs: fc.constantFrom(0, 0, 0, 700),
        key: fc.constantFrom('one', 'one', 'other'),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), nth: fc.nat(30) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), us: fc.constantFrom(0, 100, 500, 2500) }) },
    { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('seal' as const, 'finish' as const), instance }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constantFrom('fail' as const, 'die' as const, 'revive' as const), instance }),
    },
  ),
  { maxLength: 120 },
);

/** Watches a bench: what runs in which order, and where. */
class Watch {
  readonly bench: Bench;
  readonly all: FakeRequest[] = [];
  readonly refused: string[] = [];
  readonly #graves: string[] = [];
  readonly #isDirect: boolean;
  /** When each sequence was begun: requests of one must run in the order they came. */
  readonly #order = new Map<FakeRequest, number>();
  readonly #ran = new Set<FakeRequest>();

  constructor(bench: Bench, isDirect: boolean) {
    this.bench = bench;
    this.#isDirect = isDirect;
  }

  apply(command: Command): void {
    const { bench } = this;
    if (command.do === 'send') this.#send(command);
    else if (command.do === 'wait') bench.clock.advance(command.us);
    else if (command.do === 'cancel') {
      const open = this.all.filter(({ ended }) => ended === '');
      if (open.length > 0) bench.scheduler.cancel(open[command.nth % open.length]!);
    } else this.#touch(command.do, command.instance);
  }

  #send({ id, flags, timeoutUs, key }: Command & { do: 'send' }): void {
    try {
      const request = this.bench.send(id, flags, { timeoutUs, key });
      this.#order.set(request, this.all.length);
      this.all.push(request);
    } catch (error) {
      this.refused.push((error as ServerError).message);
    }
  }

  #touch(what: 'seal' | 'finish' | 'fail' | 'die' | 'revive', index: number): void {
    const { pool, scheduler } = this.bench;
    const puppet = pool.instances[index % Math.max(1, pool.instances.length)];
    if (what === 'revive') {
      const name = this.#graves.shift();
      if (name !== undefined) this.bench.setInstances([...pool.instances, this.bench.instanceOf(name, 3)]);
      return;
    }
    if (puppet === undefined) return;
    if (what === 'die') {
      this.#graves.push(puppet.name);
      scheduler.putBack(puppet.die());
      this.bench.setInstances(pool.instances.filter((other) => other !== puppet));
      return;
    }
    if (what === 'fail') this.#fail(puppet);
    else puppet[what]();
    this.#look();
  }

  #fail(puppet: Bench['instance']): void {
    const failed = puppet.running;
    puppet.running = [];
    puppet.onRoom();
    for (const request of failed) request.fail(new ServerError('INTERNAL', 'no'), 'BACKEND');
  }

  /** No sequence twice in a batch; requests of one id in order; of one shape only; where rows are slots, each in its own. */
  #look(): void {
    for (const { running } of this.bench.pool.instances) {
      const steps = running.filter((request) => request instanceof Step);
      expect(new Set(steps.map(({ sequenceOf }) => sequenceOf)).size).toBe(steps.length);
      expect(new Set(steps.map(({ batchKey }) => batchKey)).size).toBeLessThanOrEqual(1);
      for (const step of steps) this.#lookAt(step, running.indexOf(step));
    }
  }

  #lookAt(step: Step, row: number): void {
    if (this.#isDirect) expect(row).toBe(step.sequenceOf.slot);
    const request = step.request as FakeRequest;
    const order = this.#order.get(request)!;
    const { sequenceId } = request.sequence;
    if (this.#ran.has(request)) return;
    for (const other of this.#ran) {
      if (other.sequence.sequenceId === sequenceId && this.#order.get(other)! > order) {
        // A later sequence of the same id may overtake the end of an earlier one, in another slot.
        expect(this.all.slice(order, this.#order.get(other)! + 1).some(({ sequence }) => sequence.sequenceEnd)).toBe(
          true,
        );
      }
    }
    this.#ran.add(request);
  }
}

test.each([
  ['direct', direct()],
  ['direct with a delay', direct(300, 0.7)],
  ['oldest', oldest(2)],
  ['oldest with a delay', oldest(3, 300)],
])('whatever happens, each request ends once and nothing is left over (%s)', (_, strategy) => {
  fc.assert(
    fc.property(commands, fc.constantFrom(false, true), (script, isDependent) => {
      const kinds = { hasState: true, hasVariableState: isDependent, overwritesState: isDependent };
      const bench = new Bench({ strategy, slots: 3, idleUs: 2000, maxBacklog: 4, kinds }, 2);
      const watch = new Watch(bench, strategy.kind === 'direct');
      for (const command of script) watch.apply(command as Command);
      for (let i = 0; i < 3; i++) watch.apply({ do: 'revive', instance: 0 });
      for (let i = 0; i < 200 && !bench.isQuiet; i++) {
        bench.clock.advance(300);
        bench.finish();
      }
      expect(watch.all.filter(({ ended }) => ended === '').map(({ name }) => name)).toEqual([]);
      expect(bench.fillers.filter(({ ended }) => ended === '')).toEqual([]);
      bench.clock.advance(60_000);
      const { inSlots, inBacklog } = bench.scheduler.counts();
      expect([inSlots, inBacklog, bench.clock.timers, bench.scheduler.pending]).toEqual([0, 0, 0, 0]);
      expect(bench.scheduler.snapshot().live).toEqual([]);
    }),
    { numRuns: 300 },
  );
});
