import type { Instance, InstanceState } from '../../backends/instance.js';
import type { InferRequest } from '../../backends/request.js';
import type { CloseReason } from '../../telemetry/close-reasons.js';

/** What an instance needs to run, and others too. */
export interface Admission {
  /** It has asked in vain, and is told when there is more. */
  readonly isWaiting: boolean;
  /** True = it has what it needs until `leave`. False = it waits. */
  enter(): boolean;
  /** @param executions that it has run since */
  leave(executions: number): void;
}

/**
 * An instance that begins a batch only when it is admitted, and never one beside another that runs: what waits open would hold what others
 * need. The batch that was begun still grows until the worker takes it.
 */
export class LimitedInstance implements Instance {
  readonly #instance: Instance;
  readonly #admission: Admission;
  /** Requests of the batch that was begun and is not over; 0 = there is none. */
  #count = 0;

  constructor(instance: Instance, admission: Admission) {
    this.#instance = instance;
    this.#admission = admission;
  }

  get name(): string {
    return this.#instance.name;
  }

  get state(): InstanceState {
    return this.#instance.state;
  }

  get isIdle(): boolean {
    return this.#count === 0 && !this.#admission.isWaiting && this.#instance.isIdle;
  }

  get canBegin(): boolean {
    return this.isIdle;
  }

  get openRows(): number {
    return this.#instance.openRows;
  }

  get openKey(): string {
    return this.#instance.openKey;
  }

  begin(requests: readonly InferRequest[], count: number, usual: CloseReason, noted: CloseReason | null): boolean {
    if (!this.#admission.enter()) return false;
    if (this.#instance.begin(requests, count, usual, noted)) {
      this.#count = count;
      return true;
    }
    this.#admission.leave(0);
    return false;
  }

  noteClosing(reason: CloseReason | null): void {
    this.#instance.noteClosing(reason);
  }

  grow(request: InferRequest): boolean {
    if (!this.#instance.grow(request)) return false;
    this.#count++;
    return true;
  }

  replace(requests: readonly InferRequest[], count: number, reason: CloseReason | null): boolean {
    if (!this.#instance.replace(requests, count, reason)) return false;
    this.#became(count);
    return true;
  }

  withdraw(request: InferRequest): boolean {
    if (!this.#instance.withdraw(request)) return false;
    this.#became(this.#count - 1);
    return true;
  }

  /** Whatever it ran is over. */
  onBatchEnded(): void {
    if (this.#count === 0) return;
    this.#count = 0;
    this.#admission.leave(1);
  }

  /** A batch of nothing never was. */
  #became(count: number): void {
    this.#count = count;
    if (count === 0) this.#admission.leave(0);
  }
}
