import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Claim, MAX_LAG, RateLimiter } from '../../../src/schedulers/rate-limit/rate-limiter.js';
import { Pool } from '../../../src/schedulers/rate-limit/resource-pools.js';

class Named extends Claim {
  readonly name: string;

  constructor(name: string, needs: readonly (readonly [Pool, number])[], priority = 0) {
    const shares = needs.map(([pool, count]) => ({ pool, count }));
    super(shares, priority);
    this.name = name;
  }
}

function poolOf(total: number, resource = 'r'): Pool {
  const pool = new Pool(resource, 'cpu');
  pool.total = total;
  return pool;
}

/** All that wait and may run now, taken in their order. */
function run(limiter: RateLimiter<Named>): string[] {
  const names: string[] = [];
  for (let claim = limiter.next(); claim !== null; claim = limiter.next()) {
    expect(limiter.take(claim)).toBe(true);
    names.push(claim.name);
  }
  return names;
}

test('what is there is taken at once; else one waits until it comes back', () => {
  const limiter = new RateLimiter<Named>();
  const pool = poolOf(2);
  const [a, b, c] = ['a', 'b', 'c'].map((name) => new Named(name, [[pool, 1]]));
  expect([a, b, c].map((claim) => limiter.take(claim!))).toEqual([true, true, false]);
  expect([pool.inUse, limiter.waiting]).toEqual([2, 1]);
  limiter.release(a!, 1);
  expect(run(limiter)).toEqual(['c']);
  expect([pool.inUse, limiter.waiting]).toEqual([2, 0]);
});

test('all resources, or none of them', () => {
  const limiter = new RateLimiter<Named>();
  const [r, s] = [poolOf(1, 'r'), poolOf(1, 's')];
  const holder = new Named('holder', [[s, 1]]);
  const both = new Named('both', [
    [r, 1],
    [s, 1],
  ]);
  limiter.take(holder);
  expect(limiter.take(both)).toBe(false);
  expect(r.inUse).toBe(0);
  limiter.release(holder, 1);
  expect(run(limiter)).toEqual(['both']);
  expect([r.inUse, s.inUse]).toEqual([1, 1]);
});

test('who needs much is not passed by those that need little; who needs something else passes', () => {
  const limiter = new RateLimiter<Named>();
  const [r, s] = [poolOf(4, 'r'), poolOf(1, 's')];
  const little = ['a', 'b', 'c'].map((name) => new Named(name, [[r, 1]]));
  const much = new Named('much', [[r, 4]]);
  const other = new Named('other', [[s, 1]]);
  limiter.take(little[0]!);
  limiter.take(little[1]!);
  expect(limiter.take(much)).toBe(false);
  expect(limiter.take(little[2]!)).toBe(false);
  expect(limiter.take(other)).toBe(true);
  limiter.release(little[0]!, 1);
  expect(run(limiter)).toEqual([]);
  limiter.release(little[1]!, 1);
  expect(run(limiter)).toEqual(['much']);
  limiter.release(much, 1);
  expect(run(limiter)).toEqual(['c']);
});

/** All of them always have work. */
function order(claims: readonly Named[], executions: number, limiter = new RateLimiter<Named>()): string[] {
  const names: string[] = [];
  let running: Named | null = null;
  for (const claim of claims) if (limiter.take(claim)) running = claim;
  for (let nth = 0; nth < executions; nth++) {
    names.push(running!.name);
    limiter.release(running!, 1);
    // Whose batch has ended asks again before others are told.
    const isNext: boolean = limiter.take(running!);
    const next: Named | null = limiter.next();
    expect(isNext).toBe(next === null);
    if (next !== null) {
      expect(limiter.take(next)).toBe(true);
      running = next;
    }
  }
  return names;
}

test.each([
  [0, 1],
  [1, 2],
  [1, 3],
  [2, 5],
  [3, 10],
])('executions are as the reciprocals of priorities %i and %i', (first, second) => {
  const pool = poolOf(1);
  const claims = [new Named('a', [[pool, 1]], first), new Named('b', [[pool, 1]], second)];
  const names = order(claims, 1000);
  const count = (name: string) => names.filter((other) => other === name).length;
  const weight = Math.max(1, first);
  expect(Math.abs(count('a') * weight - count('b') * second)).toBeLessThanOrEqual(weight + second);
});

test('who comes late makes up for so much, and no more', () => {
  const pool = poolOf(1);
  const limiter = new RateLimiter<Named>();
  const [old, late] = [new Named('old', [[pool, 1]]), new Named('late', [[pool, 1]])];
  for (let nth = 0; nth < 1000; nth++) {
    limiter.take(old);
    limiter.release(old, 1);
  }
  const names = order([old, late], 1000, limiter);
  expect(names.slice(0, 2)).toEqual(['old', 'late']);
  const passed = names.indexOf('old', 1) - 1;
  expect([passed - MAX_LAG, late.turn - old.turn].map(Math.abs).every((difference) => difference <= 2)).toBe(true);
});

test('what is granted and not taken goes to others', () => {
  const limiter = new RateLimiter<Named>();
  const pool = poolOf(1);
  const [a, b, c] = ['a', 'b', 'c'].map((name) => new Named(name, [[pool, 1]]));
  for (const claim of [a, b, c]) limiter.take(claim!);
  limiter.release(a!, 1);
  expect(limiter.next()).toBe(b);
  limiter.release(b!, 0);
  expect(run(limiter)).toEqual(['c']);
  expect(b!.turn).toBe(0);
});

test('what is lent others may have; who lent it goes on all the same', () => {
  const limiter = new RateLimiter<Named>();
  const pool = poolOf(1);
  const [caller, called] = [new Named('caller', [[pool, 1]]), new Named('called', [[pool, 1]])];
  limiter.take(caller);
  limiter.take(called);
  limiter.lend(caller);
  limiter.lend(caller);
  expect(run(limiter)).toEqual(['called']);
  limiter.takeBack(caller);
  limiter.takeBack(caller);
  expect(pool.inUse).toBe(2);
  limiter.release(called, 1);
  expect(limiter.take(called)).toBe(false);
  limiter.lend(caller);
  limiter.release(caller, 1);
  expect(run(limiter)).toEqual(['called']);
  limiter.release(called, 1);
  expect(pool.inUse).toBe(0);
});

/** Does the same without any bookkeeping: everything is looked up in lists of what is true now. */
class Twin {
  readonly totals: number[];
  readonly holding = new Set<number>();
  readonly lent = new Set<number>();
  waiting: { id: number; turn: number; nth: number }[] = [];
  granted: number[] = [];
  readonly turns = new Map<number, number>();
  highest = 0;
  #nth = 0;
  readonly #needs: readonly (readonly number[])[];
  readonly #weights: readonly number[];

  constructor(totals: number[], needs: readonly (readonly number[])[], weights: readonly number[]) {
    this.totals = totals;
    this.#needs = needs;
    this.#weights = weights;
  }

  inUse(pool: number): number {
    const holders = [...this.holding].filter((id) => !this.lent.has(id));
    return [...holders, ...this.granted].reduce((sum, id) => sum + this.#needs[id]![pool]!, 0);
  }

  take(id: number): boolean {
    const turn = Math.max(this.turns.get(id) ?? 0, this.highest - MAX_LAG);
    this.turns.set(id, turn);
    this.waiting.push({ id, turn, nth: this.#nth++ });
    this.grant();
    if (!this.granted.includes(id)) return false;
    this.hold(id);
    return true;
  }

  hold(id: number): void {
    this.granted = this.granted.filter((other) => other !== id);
    this.holding.add(id);
  }

  release(id: number, executions: number): void {
    this.turns.set(id, (this.turns.get(id) ?? 0) + executions * this.#weights[id]!);
    this.holding.delete(id);
    this.lent.delete(id);
    this.granted = this.granted.filter((other) => other !== id);
    this.waiting = this.waiting.filter((other) => other.id !== id);
  }

  grant(): void {
    const inOrder = [...this.waiting].sort((a, b) => a.turn - b.turn || a.nth - b.nth);
    const blocked = new Set<number>();
    for (const { id, turn } of inOrder) {
      const pools = this.totals.map((_, pool) => pool).filter((pool) => this.#needs[id]![pool]! > 0);
      if (
        pools.every((pool) => !blocked.has(pool) && this.inUse(pool) + this.#needs[id]![pool]! <= this.totals[pool]!)
      ) {
        this.waiting = this.waiting.filter((other) => other.id !== id);
        this.granted.push(id);
        this.highest = Math.max(this.highest, turn);
      } else for (const pool of pools) blocked.add(pool);
    }
  }
}

const needs = fc.array(fc.tuple(fc.nat(3), fc.nat(3)), { minLength: 1, maxLength: 6 });
const action = fc.record({ kind: fc.constantFrom('take', 'release', 'next', 'lend', 'takeBack'), id: fc.nat(5) });

test('it decides as its twin does, and holds no more than there is', () => {
  fc.assert(
    fc.property(
      needs,
      fc.array(fc.nat(4), { minLength: 6, maxLength: 6 }),
      fc.array(action, { maxLength: 120 }),
      check,
    ),
    { numRuns: 500 },
  );
});

function check(wanted: [number, number][], priorities: number[], actions: { kind: string; id: number }[]): void {
  const own = wanted.filter(([r, s]) => r + s > 0);
  fc.pre(own.length > 0);
  const pools = [0, 1].map((nth) => poolOf(Math.max(...own.map((need) => need[nth]!)), String(nth)));
  const claims = own.map(
    (need, id) =>
      new Named(
        String(id),
        pools.flatMap((pool, nth) => (need[nth]! > 0 ? [[pool, need[nth]!] as const] : [])),
        priorities[id]!,
      ),
  );
  const limiter = new RateLimiter<Named>();
  const twin = new Twin(
    pools.map(({ total }) => total),
    own,
    claims.map(({ weight }) => weight),
  );
  const turns = new Map<number, number>();
  for (const { kind, id: any } of actions) {
    const id = any % claims.length;
    const claim = claims[id]!;
    if (kind === 'take' && claim.state === 'free') expect(limiter.take(claim)).toBe(twin.take(id));
    else if (kind === 'release' && claim.state !== 'free') {
      const executions = claim.state === 'holding' ? 1 : 0;
      limiter.release(claim, executions);
      twin.release(id, executions);
    } else if (kind === 'lend') {
      limiter.lend(claim);
      if (twin.holding.has(id)) twin.lent.add(id);
    } else if (kind === 'takeBack') {
      limiter.takeBack(claim);
      twin.lent.delete(id);
    } else if (kind === 'next') {
      const next = limiter.next();
      twin.grant();
      expect(next?.name ?? null).toBe(twin.granted.length === 0 ? null : String(twin.granted[0]));
      if (next !== null) {
        expect(limiter.take(next)).toBe(true);
        twin.hold(Number(next.name));
      }
    }
    expect(pools.map(({ inUse }) => inUse)).toEqual([twin.inUse(0), twin.inUse(1)]);
    expect(limiter.waiting).toBe(twin.waiting.length);
    // Nothing but what comes back from callers may be more than there is.
    if (!actions.some((other) => other.kind === 'takeBack')) {
      for (const pool of pools) expect(pool.inUse).toBeLessThanOrEqual(pool.total);
    }
    // Nobody's turn comes later because others run.
    expect(claim.turn).toBeGreaterThanOrEqual(turns.get(id) ?? 0);
    turns.set(id, claim.turn);
  }
  // All end in the end: whoever waits is served.
  for (let rounds = 0; rounds < 20; rounds++) {
    claims.forEach((claim) => {
      if (claim.state === 'holding') limiter.release(claim, 1);
    });
    run(limiter);
  }
  expect(limiter.waiting).toBe(0);
}
