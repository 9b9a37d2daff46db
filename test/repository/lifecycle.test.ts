import { describe, expect, it } from 'vitest';
import { Lifecycle, type LifecycleState } from '../../src/repository/lifecycle.js';

const legal: Record<string, string> = {
  new: 'loading unloaded',
  loading: 'ready failed unloaded',
  ready: 'draining failed',
  draining: 'unloaded',
  unloaded: 'loading unloaded',
  failed: 'loading unloaded',
};
const states = Object.keys(legal) as LifecycleState[];

/** The shortest way to a state. */
const ways: Record<LifecycleState, readonly LifecycleState[]> = {
  new: [],
  loading: ['loading'],
  ready: ['loading', 'ready'],
  draining: ['loading', 'ready', 'draining'],
  unloaded: ['unloaded'],
  failed: ['loading', 'failed'],
};

function at(state: LifecycleState): Lifecycle {
  const lifecycle = new Lifecycle();
  for (const step of ways[state]) lifecycle.transition(step);
  return lifecycle;
}

describe('a version of a model', () => {
  it.each(states.flatMap((from) => states.map((to) => [from, to] as const)))(
    'goes from %s to %s only where the table says so',
    (from, to) => {
      const lifecycle = at(from);
      if (legal[from]!.split(' ').includes(to)) {
        lifecycle.transition(to);
        expect(lifecycle.state).toBe(to);
      } else {
        expect(() => lifecycle.transition(to)).toThrow(`a version went from ${from} to ${to}`);
        expect(lifecycle.state).toBe(from);
      }
    },
  );

  it.each([
    ['new', 'UNKNOWN'],
    ['loading', 'LOADING'],
    ['ready', 'READY'],
    ['draining', 'UNLOADING'],
    ['unloaded', 'UNAVAILABLE'],
    ['failed', 'UNAVAILABLE'],
  ] as const)('that is %s is %s in the index', (state, indexState) => {
    expect(at(state).indexState).toBe(indexState);
  });

  it('keeps its reason until its next change', () => {
    const lifecycle = at('loading');
    lifecycle.transition('failed', 'Internal: no');
    expect(lifecycle.reason).toBe('Internal: no');
    lifecycle.transition('loading');
    expect(lifecycle.reason).toBe('');
  });
});
