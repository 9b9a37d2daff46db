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
  | { readonly do: Touch; readonly instance: number };

type Touch = 'seal' | 'finish' | 'fail' | 'die' | 'revive' | 'hurry' | 'starve' | 'feed';

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
    { weight: 3, arbitrary: fc.record({ do: fc.constant('cancel' as const), nth: fc.nat(30) }) },
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant('wait' as const), us: fc.constantFrom(0, 0, 0, 100, 500, 2500) }),
    },
    { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('seal' as const, 'finish' as const), instance }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constantFrom('fail' as const, 'fail' as const, 'die' as const, 'revive' as const),
        instance,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constantFrom('hurry' as const, 'starve' as const, 'feed' as const), instance }),
    },
  ),
  { maxLength: 120, size: 'max' },
);

/** What a worker keeps: of each slot the sum of what its sequence has run, as `workers/states.ts` has it. */
class WorkerStates {
  readonly #overwrites: boolean;
  readonly #sums = new Map<number, number>();
  readonly #voided = new Set<number>();

  /** @param overwrites a failed run leaves nothing that could be gone on with */
  constructor(overwrites: boolean) {
    this.#overwrites = overwrites;
  }

  /** The sum that each step finds, with its own added. */
  run(steps: readonly Step[], ownOf: (step: Step) => number, isWell: boolean): number[] {
    for (const { state } of steps) if ((state & 1) === 1) this.#voided.add(state >> 1);
    return steps.map((step) => {
      const slot = step.state >> 1;
      const sum = (this.#voided.has(slot) ? 0 : (this.#sums.get(slot) ?? 0)) + ownOf(step);
      if (isWell) this.#voided.delete(slot);
      if (isWell) this.#sums.set(slot, sum);
      else if (this.#overwrites) this.#sums.set(slot, Number.NaN);
      return sum;
    });
  }
}

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
  readonly #states = new Map<Bench['instance'], WorkerStates>();
  /** Of each sequence, added up without slots: what its next step must find, and the step that left it. */
  readonly #left = new Map<Step['sequenceOf'], { sum: number; order: number }>();

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

  /** All that can run does, turn by turn. */
  settle(): void {
    for (let i = 0; i < 200 && !this.bench.isQuiet; i++) {
      this.bench.clock.advance(300);
      for (const puppet of [...this.bench.pool.instances]) {
        puppet.seal();
        this.#end(puppet, true);
      }
    }
  }

  #touch(what: Touch, index: number): void {
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
    if (what === 'hurry') puppet.isQuick = true;
    else if (what === 'starve') puppet.hasMemory = false;
    else if (what === 'feed') puppet.hasMemory = true;
    else if (what === 'seal') puppet.seal();
    else this.#end(puppet, what === 'finish');
    this.#look();
  }

  /** The batch that runs is over. */
  #end(puppet: Bench['instance'], isWell: boolean): void {
    this.#follow(puppet, isWell);
    if (isWell) {
      puppet.finish();
      return;
    }
    const failed = puppet.running;
    puppet.running = [];
    puppet.seal();
    puppet.onRoom();
    for (const request of failed) request.fail(new ServerError('INTERNAL', 'no'), 'BACKEND');
  }

  /** Each step finds what those of its sequence left that ended well since START, whatever ran in its slot before. */
  #follow(puppet: Bench['instance'], isWell: boolean): void {
    const states = this.#states.get(puppet) ?? new WorkerStates(this.bench.scheduler.kinds.overwritesState);
    this.#states.set(puppet, states);
    const steps = puppet.running.filter((request) => request instanceof Step);
    const orderOf = (step: Step) => this.#order.get(step.request as FakeRequest)!;
    const found = states.run(steps, (step) => 1 + orderOf(step), isWell);
    for (const [nth, step] of steps.entries()) {
      const { sequenceOf } = step;
      const order = orderOf(step);
      const left = this.#left.get(sequenceOf);
      const isAnew = left === undefined || this.#hasStart(step, left.order, order);
      const sum = (isAnew ? 0 : left.sum) + 1 + order;
      expect(found[nth]).toBe(sum);
      if (isWell) this.#left.set(sequenceOf, { sum, order });
    }
  }

  /** Whether its sequence was to begin anew with this step, or with one before that never ran or failed. */
  #hasStart({ request }: Step, after: number, order: number): boolean {
    const between = this.all.slice(after + 1, order + 1);
    return between.some(
      ({ sequence }) => sequence.sequenceId === request.sequence.sequenceId && sequence.sequenceStart,
    );
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
      const kinds = { hasState: true, hasVariableState: isDependent, overwritesState: isDependent, isIterative: false };
      const bench = new Bench({ strategy, slots: 3, idleUs: 2000, maxBacklog: 4, kinds }, 2);
      const watch = new Watch(bench, strategy.kind === 'direct');
      for (const command of script) watch.apply(command as Command);
      for (let i = 0; i < 3; i++) watch.apply({ do: 'revive', instance: 0 });
      for (const instance of [0, 1]) watch.apply({ do: 'feed', instance });
      watch.settle();
      expect(watch.all.filter(({ ended }) => ended === '').map(({ name }) => name)).toEqual([]);
      expect(bench.fillers.filter(({ ended }) => ended === '')).toEqual([]);
      bench.clock.advance(60_000);
      const { inSlots, inBacklog } = bench.scheduler.counts();
      expect([inSlots, inBacklog, bench.clock.timers, bench.scheduler.pending]).toEqual([0, 0, 0, 0]);
      expect(bench.scheduler.snapshot().live).toEqual([]);
    }),
    { numRuns: 500 },
  );
});
