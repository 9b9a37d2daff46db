import type { CallReply } from '../../backends/call-protocol.js';
import type { CallSession, Instance } from '../../backends/instance.js';
import type { Gatekeeper, GateOwner, InstanceGate } from '../../backends/instance-gate.js';
import type { InstanceSpec } from '../../backends/instance-spec.js';
import type { ResourceLimit } from '../../config/rate-limit-options.js';
import { type Lender, LendingCalls } from './lending-calls.js';
import { type Admission, LimitedInstance } from './limited-instance.js';
import { Claim, RateLimiter } from './rate-limiter.js';
import { type Pool, ResourcePools, type Share } from './resource-pools.js';

/** `--rate-limit=execution_count`: gates for all instances that need resources, and who goes through next. */
export class RateLimitGates implements Gatekeeper {
  readonly #pools: ResourcePools;
  readonly #limiter = new RateLimiter<Gate>();
  readonly #later: (run: () => void) => void;
  #willOpen = false;

  /** @param later runs this soon, when nothing else runs: others are to have asked by then too */
  constructor(limits: readonly ResourceLimit[], later: (run: () => void) => void = queueMicrotask) {
    this.#pools = new ResourcePools(limits);
    this.#later = later;
  }

  get pools(): readonly Pool[] {
    return this.#pools.all;
  }

  /** Instances that have a batch and not the resources for it. */
  get waiting(): number {
    return this.#limiter.waiting;
  }

  gatesFor(specs: readonly InstanceSpec[], owner: GateOwner): (Gate | null)[] {
    const entered = this.#pools.enter(specs.map(({ demand }) => demand));
    return entered.map((shares, nth) => {
      if (shares.length > 0) return new Gate(shares, specs[nth]!.demand.priority, this, owner);
      this.#pools.leave(shares);
      return null;
    });
  }

  /** For its gates alone, like those below. */
  take(gate: Gate): boolean {
    const isTaken = this.#limiter.take(gate);
    // Others that waited may have been granted something, too.
    if (this.#limiter.hasGranted) this.#openSoon();
    return isTaken;
  }

  release(gate: Gate, executions: number): void {
    this.#limiter.release(gate, executions);
    this.#openSoon();
  }

  lend(gate: Gate): void {
    this.#limiter.lend(gate);
    this.#openSoon();
  }

  takeBack(gate: Gate): void {
    this.#limiter.takeBack(gate);
  }

  leave({ shares }: Gate): void {
    this.#pools.leave(shares);
    this.#openSoon();
  }

  /** Whose batch has ended may ask before anybody else gets what it held: its turn decides. */
  #openSoon(): void {
    if (this.#willOpen) return;
    this.#willOpen = true;
    this.#later(this.#open);
  }

  readonly #open = (): void => {
    this.#willOpen = false;
    for (let gate = this.#next(); gate !== null; gate = this.#next()) {
      gate.owner.onAdmitted();
      if (gate.state === 'granted') this.#limiter.release(gate, 0);
    }
  };

  /** Whose batch is gone, or another instance has it, keeps nobody waiting. */
  #next(): Gate | null {
    this.#limiter.dismiss((gate) => !gate.owner.hasWork());
    return this.#limiter.next();
  }
}

class Gate extends Claim implements InstanceGate, Admission, Lender {
  readonly owner: GateOwner;
  readonly #gates: RateLimitGates;
  #instance: LimitedInstance | null = null;
  /** Calls that are open, and requests whose answers nobody reads. */
  #waits = 0;

  constructor(shares: readonly Share[], priority: number, gates: RateLimitGates, owner: GateOwner) {
    super(shares, priority);
    this.#gates = gates;
    this.owner = owner;
  }

  get isWaiting(): boolean {
    return this.state === 'waiting';
  }

  enter(): boolean {
    return this.#gates.take(this);
  }

  leave(executions: number): void {
    this.#gates.release(this, executions);
  }

  beginWait(): void {
    this.#waits++;
    this.#gates.lend(this);
  }

  endWait(): void {
    if (--this.#waits === 0) this.#gates.takeBack(this);
  }

  onStalled(isStalled: boolean): void {
    if (isStalled) this.beginWait();
    else this.endWait();
  }

  guard(instance: Instance): Instance {
    this.#instance = new LimitedInstance(instance, this);
    return this.#instance;
  }

  onBatchEnded(): void {
    this.#instance?.onBatchEnded();
  }

  onGone(): void {
    this.onBatchEnded();
    this.#instance = null;
    if (this.state !== 'free') this.#gates.release(this, 0);
  }

  openCalls(
    open: (post: (replies: readonly CallReply[]) => void) => CallSession,
    post: (replies: readonly CallReply[]) => void,
  ): CallSession {
    return LendingCalls.open(this, open, post);
  }

  close(): void {
    this.onGone();
    this.#gates.leave(this);
  }
}
