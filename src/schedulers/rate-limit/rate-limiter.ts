import type { Pool, Share } from './resource-pools.js';

/** So much of what it could have done an instance may make up for that had no work or was not there: others wait no longer than that. */
export const MAX_LAG = 64;

/** free: asks for nothing. waiting: in vain so far. granted: what it asked for is kept for it. holding: it runs. */
export type ClaimState = 'free' | 'waiting' | 'granted' | 'holding';

/** What one instance asks for, whenever it has a batch, and where it stands among the others. */
export class Claim {
  readonly shares: readonly Share[];
  /** What an execution adds to `turn`: the priority, at least 1. */
  readonly weight: number;
  state: ClaimState = 'free';
  /** It holds, and others may have its resources meanwhile: it waits for them. */
  isLent = false;
  /** Executions times weight; who has the lowest goes first. */
  turn = 0;

  constructor(shares: readonly Share[], priority: number) {
    this.shares = shares;
    this.weight = Math.max(1, priority);
  }
}

/**
 * The decision of Triton's rate limiter: of all instances that wait, who runs next. They are served in the order of their turns, each when all
 * its resources are free. Who is passed over keeps others from the resources that it waits for, so that it gets them in the end; who needs
 * none of those does not wait for it. Knows no time, and acts on nothing.
 */
export class RateLimiter<C extends Claim = Claim> {
  /** By turn; of equal ones the first that came. */
  #waiting: C[] = [];
  /** In the order in which they are to be told. */
  readonly #granted: C[] = [];
  /** The highest that was granted. */
  #turn = 0;

  get waiting(): number {
    return this.#waiting.length;
  }

  /** `next` has somebody. */
  get hasGranted(): boolean {
    return this.#granted.length > 0;
  }

  /** True = it holds what it asks for, from now on until `release`. False = it waits until `next` has it. */
  take(claim: C): boolean {
    if (claim.state === 'free') this.#ask(claim);
    const isGranted = claim.state === 'granted';
    if (!isGranted) return false;
    this.#forget(claim);
    claim.state = 'holding';
    return true;
  }

  /** Whatever it asks for, has or holds: no more. `next` is to be asked then. @param executions that it has run meanwhile */
  release(claim: C, executions: number): void {
    claim.turn += executions * claim.weight;
    if (claim.state === 'waiting') this.#waiting.splice(this.#waiting.indexOf(claim), 1);
    else if (claim.state !== 'free' && !claim.isLent) add(claim, -1);
    this.#forget(claim);
    claim.state = 'free';
    claim.isLent = false;
  }

  /** It waits for others, and must not be what they wait for. `next` is to be asked then. */
  lend(claim: C): void {
    if (claim.state !== 'holding' || claim.isLent) return;
    claim.isLent = true;
    add(claim, -1);
  }

  /** It goes on, whoever has its resources now. */
  takeBack(claim: C): void {
    if (!claim.isLent) return;
    claim.isLent = false;
    add(claim, 1);
  }

  /** Ends the wait of all that are such. */
  dismiss(isSuch: (claim: C) => boolean): void {
    if (this.#waiting.length === 0) return;
    for (const claim of this.#waiting.filter(isSuch)) this.release(claim, 0);
  }

  /** One that waited and may be taken now; null = nobody may. Who does not take it is to release it. */
  next(): C | null {
    this.#grant();
    return this.#granted.shift() ?? null;
  }

  #ask(claim: C): void {
    claim.turn = Math.max(claim.turn, this.#turn - MAX_LAG);
    claim.state = 'waiting';
    const before = this.#waiting.findIndex(({ turn }) => turn > claim.turn);
    this.#waiting.splice(before < 0 ? this.#waiting.length : before, 0, claim);
    this.#grant();
  }

  /** It need not be told. */
  #forget(claim: C): void {
    const index = this.#granted.indexOf(claim);
    if (index >= 0) this.#granted.splice(index, 1);
  }

  #grant(): void {
    if (this.#waiting.length === 0) return;
    const awaited = new Set<Pool>();
    this.#waiting = this.#waiting.filter((claim) => {
      if (isFree(claim) && !claim.shares.some(({ pool }) => awaited.has(pool))) {
        add(claim, 1);
        claim.state = 'granted';
        this.#turn = Math.max(this.#turn, claim.turn);
        this.#granted.push(claim);
        return false;
      }
      for (const { pool } of claim.shares) awaited.add(pool);
      return true;
    });
  }
}

function isFree({ shares }: Claim): boolean {
  return shares.every(({ pool, count }) => pool.inUse + count <= pool.total);
}

function add({ shares }: Claim, sign: number): void {
  for (const { pool, count } of shares) pool.inUse += sign * count;
}
