import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isOwnId, OwnIds } from '../../../src/schedulers/sequence/own-ids.js';
import { Step } from '../../../src/schedulers/sequence/step.js';
import type { FakeRequest } from '../../fakes/request.js';
import { Bench, direct, oldest } from './set-up.js';

const kinds = { hasState: true, hasVariableState: false, overwritesState: false, isIterative: true };
const cancelled = 'CANCELED CANCELLED ';
const own = (nth: number) => 2n ** 63n + BigInt(nth);

const strategies = [
  ['direct', direct()],
  ['oldest', oldest()],
] as const;

/** A request that runs `runs` times. */
function sendFor(bench: Bench, id: number | bigint, runs: number, flags = 's'): FakeRequest {
  const request = bench.send(id, flags);
  for (let run = 1; run < runs; run++) request.sequels.push('again');
  return request;
}

describe.each(strategies)('iterations (%s)', (_, strategy) => {
  test('a request runs until it is answered, in its slot, and begins anew in the first run alone', () => {
    const bench = new Bench({ strategy, kinds });
    const request = sendFor(bench, 1, 3);
    const fresh: number[] = [];
    for (let run = 0; run < 3; run++) {
      bench.turn();
      expect([request.ended, bench.live()]).toEqual(['', '1:i00']);
      fresh.push(bench.instance.running[0]!.state & 1);
      bench.finish();
    }
    expect([fresh, request.runs, request.ended, bench.live()]).toEqual([[1, 0, 0], 3, 'completed', '']);
    const { ended, live } = bench.scheduler.snapshot();
    expect([ended[0]!.reason, ended[0]!.cause, ended[0]!.requests]).toEqual([
      'end',
      'its last request was answered',
      1,
    ]);
    expect([live, bench.clock.timers]).toEqual([[], 0]);
  });

  test('requests of different lengths share batches, join and leave', () => {
    const bench = new Bench({ strategy, kinds });
    sendFor(bench, 1, 4);
    sendFor(bench, 2, 3);
    const batches: number[] = [];
    for (let run = 0; run < 4; run++) {
      if (run === 1) sendFor(bench, 3, 1);
      bench.turn();
      batches.push(bench.instance.running.filter((request) => request instanceof Step).length);
      bench.finish();
    }
    expect(batches).toEqual([2, 2, 3, 1]);
    expect([bench.live(), bench.isQuiet]).toEqual(['', true]);
  });

  test('its slot is the next one’s when it is answered', () => {
    const bench = new Bench({ strategy, kinds, slots: 1 });
    const [first, next] = [sendFor(bench, own(1), 3), sendFor(bench, own(2), 2)];
    for (let run = 0; run < 3; run++) {
      expect(bench.live()).toBe('0:i00 0:b0');
      bench.finish();
    }
    expect([first.ended, next.ended, bench.live()]).toEqual(['completed', '', '0:i00']);
    for (let run = 0; run < 2; run++) bench.finish();
    expect([next.ended, bench.live()]).toEqual(['completed', '']);
  });

  test('one that is between two runs is not idle', () => {
    const bench = new Bench({ strategy, kinds, idleUs: 100 });
    const request = sendFor(bench, 1, 3);
    bench.instance.hasMemory = true;
    for (let run = 0; run < 3; run++) {
      bench.turn();
      bench.clock.advance(1_000_000);
      bench.finish();
    }
    expect(request.ended).toBe('completed');
  });

  test('cancelled while it runs it does not run again', () => {
    const bench = new Bench({ strategy, kinds, slots: 1 });
    const request = sendFor(bench, 1, 1000);
    const next = sendFor(bench, 2, 1);
    for (let run = 0; run < 3; run++) bench.finish();
    bench.scheduler.cancel(request);
    expect(request.ended).toBe('');
    bench.finish();
    bench.finish();
    expect([request.ended, next.ended, bench.live()]).toEqual([cancelled, 'completed', '']);
    const { ended } = bench.scheduler.counts();
    expect([ended.cancelled, ended.end]).toEqual([1, 1]);
  });

  test('cancelled between two runs it is over at once', () => {
    const bench = new Bench({ strategy, kinds });
    const request = sendFor(bench, 1, 1000);
    bench.turn();
    bench.instance.finish();
    expect([request.ended, request.runs]).toEqual(['', 1]);
    bench.scheduler.cancel(request);
    expect([request.ended, bench.live(), bench.isQuiet]).toEqual([cancelled, '', true]);
  });

  test('what its model says after the execution counts: until then it has its slot, and does not run', () => {
    const bench = new Bench({ strategy, kinds, slots: 1 });
    const request = bench.send(1, 's');
    request.sequels.push('open', 'open');
    bench.turn();
    const first = bench.instance.running[0]!;
    bench.finish();
    bench.clock.advance(5_000_000);
    expect([request.ended, bench.running(), bench.live()]).toEqual(['', '', '1:i00']);
    first.reschedule();
    bench.turn();
    const second = bench.instance.running[0]!;
    // Said before the execution is over.
    second.respond(null, true);
    expect(request.ended).toBe('');
    bench.finish();
    expect([request.ended, request.runs, bench.live()]).toEqual(['completed', 2, '']);
  });

  test('the last answer may come after the execution', () => {
    const bench = new Bench({ strategy, kinds, slots: 1 });
    const request = bench.send(1, 's');
    const next = sendFor(bench, 2, 1);
    request.sequels.push('open');
    bench.turn();
    const [step] = bench.instance.running;
    bench.finish();
    step!.respond(null, true);
    bench.finish();
    bench.finish();
    expect([request.ended, next.ended, bench.live()]).toEqual(['completed', 'completed', '']);
  });

  test('one that says nothing hears that its client is gone, and is over when its model says so', () => {
    const bench = new Bench({ strategy, kinds });
    const request = bench.send(1, 's');
    request.sequels.push('open');
    bench.turn();
    const [step] = bench.instance.running;
    bench.finish();
    bench.scheduler.cancel(request);
    expect([request.cancelled, request.ended]).toEqual([true, '']);
    step!.reschedule();
    expect([request.ended, bench.live()]).toEqual([cancelled, '']);
  });

  test('while the server stops it goes on', () => {
    const bench = new Bench({ strategy, kinds });
    const request = sendFor(bench, own(1), 3);
    bench.finish();
    bench.scheduler.stop();
    for (let run = 0; run < 2; run++) bench.finish();
    expect(request.ended).toBe('completed');
    expect(() => bench.send(own(2), 's')).toThrow('Server is stopping');
  });

  test('with its instance it is over, and is told so in words of its own', () => {
    const bench = new Bench({ strategy, kinds, slots: 1 });
    const [request, other] = [sendFor(bench, own(1), 9), sendFor(bench, 2, 2)];
    bench.turn();
    bench.instance.finish();
    bench.scheduler.putBack(bench.instance.die());
    bench.setInstances([bench.instanceOf('i1', 1)]);
    expect(request.ended).toBe(
      "OTHER UNAVAILABLE the request to model 'm' has ended: instance 'i0' died, which had its state; send it again",
    );
    for (let run = 0; run < 2; run++) bench.finish();
    expect([other.ended, bench.live()]).toEqual(['completed', '']);
    expect(bench.scheduler.counts().ended.died).toBe(1);
  });

  test('requests of one id take turns, and hold the slot until the last is answered', () => {
    const bench = new Bench({ strategy, kinds });
    const first = sendFor(bench, 1, 3);
    bench.turn();
    const second = sendFor(bench, 1, 2, '');
    for (let run = 0; run < 3; run++) bench.finish();
    expect([first.ended === '' || second.ended === '', bench.live()]).toEqual([true, '1:i00']);
    for (let run = 0; run < 3; run++) bench.finish();
    expect([first.ended, second.ended, bench.live()]).toEqual(['completed', 'completed', '']);
    expect(() => bench.send(1)).toThrow('(its last request was answered)');
  });
});

test('what runs again enters behind what waits', () => {
  const bench = new Bench({ strategy: oldest(2), slots: 8, kinds });
  for (const id of [1, 2, 3]) sendFor(bench, id, 2);
  bench.turn();
  expect(bench.running()).toBe('1s 2s');
  bench.finish();
  expect(bench.running()).toBe('3s 1s');
  bench.finish();
  expect(bench.running()).toBe('2s 3s');
});

describe('ids of the server’s own', () => {
  const none = { sequenceId: 0, sequenceStart: false, sequenceEnd: false };

  test('are numbers or texts that no client may use, and begin a sequence', () => {
    const numbers = new OwnIds('m', false);
    const texts = new OwnIds('m', true);
    const given = [numbers, numbers, texts].map((ids) => ids.flagsFor(none));
    expect(given.map(({ sequenceStart }) => sequenceStart)).toEqual([true, true, true]);
    const [a, b, text] = given.map(({ sequenceId }) => sequenceId);
    expect([a === b, BigInt.asUintN(32, a as bigint) >= 2n ** 31n, text]).toEqual([false, true, 'conch:0']);
    for (const { sequenceId } of given) {
      expect(() => numbers.flagsFor({ ...none, sequenceId })).toThrow("to model 'm' is not a client's");
    }
  });

  test('are ids like others to a model that is not iterative', () => {
    const bench = new Bench();
    bench.send(own(1), 'se');
    expect(bench.live()).toBe(`${own(1)}:i00`);
    bench.finish();
    expect(bench.scheduler.snapshot().ended[0]!.id).toBe(own(1));
    expect(() => bench.send(own(1))).toThrow('was released 0.0 s ago (END flag)');
  });

  test('a client’s id stays as it is', () => {
    const ids = new OwnIds('m', false);
    for (const sequenceId of [1, 2n ** 63n - 1n, 'a']) {
      const flags = { ...none, sequenceId };
      expect(ids.flagsFor(flags)).toBe(flags);
    }
  });
});

type Command =
  | { readonly do: 'send'; readonly id: number; readonly sequels: ('again' | 'open')[]; readonly flags: string }
  | { readonly do: 'cancel'; readonly nth: number; readonly isAgain: boolean }
  | { readonly do: 'say'; readonly nth: number; readonly isAgain: boolean }
  | Touch;

interface Touch {
  readonly do: 'seal' | 'finish' | 'die' | 'starve' | 'feed' | 'turn';
  readonly instance: number;
}

const commands: fc.Arbitrary<Command[]> = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('send' as const),
        // Above 5: one of the server's own.
        id: fc.integer({ min: 1, max: 12 }),
        sequels: fc.array(fc.constantFrom('again' as const, 'open' as const), { maxLength: 6 }),
        flags: fc.constantFrom('s', 's', '', 'se'),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constantFrom('cancel' as const, 'say' as const, 'say' as const),
        nth: fc.nat(20),
        isAgain: fc.boolean(),
      }),
    },
    {
      weight: 14,
      arbitrary: fc.record({
        do: fc.constantFrom(
          ...(['seal', 'finish', 'seal', 'finish', 'turn', 'turn', 'die', 'starve', 'feed'] as const),
        ),
        instance: fc.nat(1),
      }),
    },
  ),
  { maxLength: 120, size: 'max' },
);

/** Plays clients, models that may say late what they want, and instances that die. */
class Play {
  readonly bench: Bench;
  readonly all: FakeRequest[] = [];
  /** Runs that are executed or run, of which their models have said nothing. */
  readonly open: Step[] = [];
  readonly #begun = new Set<Step>();
  #ids = 0;
  #lives = 2;

  constructor(bench: Bench) {
    this.bench = bench;
  }

  apply(command: Command): void {
    if (command.do === 'send') this.#send(command.id, command.flags, command.sequels);
    else if (command.do === 'cancel') this.#pick(this.#pending, command.nth, (one) => this.bench.scheduler.cancel(one));
    else if (command.do === 'say') this.say(command.nth, command.isAgain);
    else this.#touch(command);
  }

  get #pending(): FakeRequest[] {
    return this.all.filter(({ ended }) => ended === '');
  }

  say(nth: number, isAgain: boolean): void {
    const open = this.open.filter(({ request }) => (request as FakeRequest).ended === '');
    this.#pick(open, nth, (step) => {
      this.open.splice(this.open.indexOf(step), 1);
      if (isAgain) step.reschedule();
      else step.respond(null, true);
    });
  }

  #pick<Item>(items: readonly Item[], nth: number, use: (item: Item) => void): void {
    if (items.length > 0) use(items[nth % items.length]!);
  }

  #send(id: number, flags: string, sequels: readonly ('again' | 'open')[]): void {
    try {
      const isOwn = id > 5;
      const request = this.bench.send(isOwn ? own(this.#ids++) : id, isOwn ? 's' : flags);
      request.sequels.push(...sequels);
      this.all.push(request);
    } catch (error) {
      expect((error as Error).message).toMatch(/must specify the START|wait for one|can be started/);
    }
  }

  #touch({ do: what, instance: index }: Touch): void {
    const { pool, clock, scheduler } = this.bench;
    const puppet = pool.instances[index]!;
    if (what === 'turn') clock.advance(0);
    else if (what === 'seal') this.seal(index);
    else if (what === 'finish') {
      puppet.finish();
      this.seal(index);
    } else if (what === 'die') {
      const lost = puppet.running;
      scheduler.putBack(puppet.die());
      for (const step of this.open.splice(0)) {
        const isIts = step.sequenceOf.row?.name === puppet.name && !lost.includes(step);
        if (isIts && (step.request as FakeRequest).ended === '') step.fail(new Error('died') as never, 'BACKEND');
        else if (!isIts) this.open.push(step);
      }
      const others = pool.instances.filter((other) => other !== puppet);
      this.bench.setInstances([...others, this.bench.instanceOf(`i${this.#lives++}`, 3)]);
    } else puppet.hasMemory = what === 'feed';
    if (puppet.running.length > 0) this.#look(puppet.running.filter((request) => request instanceof Step));
  }

  /** The worker takes a batch, if it did not do so at the end of the last. */
  seal(index: number): void {
    const puppet = this.bench.pool.instances[index]!;
    puppet.seal();
    for (const step of puppet.running) {
      if (!(step instanceof Step) || this.#begun.has(step)) continue;
      this.#begun.add(step);
      if ((step.request as FakeRequest).sequels[0] === 'open') this.open.push(step);
    }
  }

  /** No sequence is twice in a batch, and only first runs begin anew or have flags. */
  #look(steps: readonly Step[]): void {
    expect(new Set(steps.map(({ sequenceOf }) => sequenceOf)).size).toBe(steps.length);
    for (const { request, isFresh, sequence } of steps) {
      if ((request as FakeRequest).runs === 0) continue;
      expect([sequence.sequenceStart, sequence.sequenceEnd]).toEqual([false, false]);
      // Another request of the sequence may have had START, and may never have run.
      if (isOwnId(sequence.sequenceId)) expect(isFresh).toBe(false);
    }
  }

  /** All that can be said and can run does, turn by turn. */
  settle(): void {
    for (const puppet of this.bench.pool.instances) puppet.hasMemory = true;
    for (let turn = 0; turn < 500 && this.#pending.length > 0; turn++) {
      this.bench.clock.advance(300);
      for (const index of [0, 1]) {
        this.seal(index);
        this.bench.pool.instances[index]!.finish();
        this.seal(index);
      }
      while (this.open.some(({ request }) => (request as FakeRequest).ended === '')) this.say(0, turn % 2 === 0);
    }
  }
}

test.each([
  ['direct', direct()],
  ['direct with a delay', direct(300, 0.7)],
  ['oldest', oldest(2)],
  ['oldest with a delay', oldest(3, 300)],
])('whatever happens, each request ends once and frees its slot (%s)', (_, strategy) => {
  fc.assert(
    fc.property(commands, (script) => {
      const bench = new Bench({ strategy, slots: 3, idleUs: 2000, maxBacklog: 6, kinds }, 2);
      const play = new Play(bench);
      for (const command of script) play.apply(command);
      play.settle();
      expect(play.all.filter(({ ended }) => ended === '').map(({ name }) => name)).toEqual([]);
      expect(bench.fillers.filter(({ ended }) => ended === '')).toEqual([]);
      bench.clock.advance(60_000);
      const { inSlots, inBacklog } = bench.scheduler.counts();
      expect([inSlots, inBacklog, bench.clock.timers, bench.scheduler.pending]).toEqual([0, 0, 0, 0]);
      expect(bench.live()).toBe('');
    }),
    { numRuns: 300 },
  );
});
