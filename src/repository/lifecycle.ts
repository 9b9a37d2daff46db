import { assert } from '../base/assert.js';
import type { VersionState } from '../types/model.js';

/**
 * One version of a model.
 *
 *     new -> loading -> ready -> draining -> unloaded
 *      |      |    |      |                   ^ |
 *      |      |    +-> failed ----------------+ +-> loading
 *      +------+-------------------------------^
 *
 * new: wanted, waits for its turn. loading: its instances start. ready: it answers. draining: nobody finds it any more; it finishes
 * what it has accepted and is taken down. failed: it is not there for its reason. unloaded: it is not there because nobody wants
 * it. What failed or was unloaded can be loaded again.
 */
export type LifecycleState = 'new' | 'loading' | 'ready' | 'draining' | 'unloaded' | 'failed';

const transitions: Readonly<Record<LifecycleState, readonly LifecycleState[]>> = {
  new: ['loading', 'unloaded'],
  loading: ['ready', 'failed', 'unloaded'],
  ready: ['draining', 'failed'],
  draining: ['unloaded'],
  unloaded: ['loading', 'unloaded'],
  failed: ['loading', 'unloaded'],
};

const indexStates: Readonly<Record<LifecycleState, VersionState>> = {
  new: 'UNKNOWN',
  loading: 'LOADING',
  ready: 'READY',
  draining: 'UNLOADING',
  unloaded: 'UNAVAILABLE',
  failed: 'UNAVAILABLE',
};

export class Lifecycle {
  #state: LifecycleState = 'new';
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
