import { assert } from '../base/assert.js';
import type { VersionState } from '../types/model.js';

/**
 * One version of a model.
 *
 *     loading -> ready -> draining -> unloaded
 *        |         |
 *        +-> failed <-+
 *
 * loading: its instances start. ready: it answers. draining: out of the table, finishes what it has. unloaded and failed versions
 * can be loaded again.
 */
export type LifecycleState = 'loading' | 'ready' | 'draining' | 'unloaded' | 'failed';

const transitions: Readonly<Record<LifecycleState, readonly LifecycleState[]>> = {
  loading: ['ready', 'failed'],
  ready: ['draining', 'failed'],
  draining: ['unloaded'],
  unloaded: ['loading'],
  failed: ['loading', 'unloaded'],
};

const indexStates: Readonly<Record<LifecycleState, VersionState>> = {
  loading: 'LOADING',
  ready: 'READY',
  draining: 'UNLOADING',
  unloaded: 'UNAVAILABLE',
  failed: 'UNAVAILABLE',
};

export class Lifecycle {
  #state: LifecycleState = 'loading';
  #reason = '';

  get state(): LifecycleState {
    return this.#state;
  }

  /** Why it is where it is, as the index shows it; '' = as it should be. */
  get reason(): string {
    return this.#reason;
  }

  get indexState(): VersionState {
    return indexStates[this.#state];
  }

  transition(to: LifecycleState, reason = ''): void {
    assert(transitions[this.#state].includes(to), `a version went from ${this.#state} to ${to}`);
    this.#state = to;
    this.#reason = reason;
  }
}
