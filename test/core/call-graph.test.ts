import { describe, expect, test } from 'vitest';
import { connect, mayWaitFor } from '../../src/core/call-graph.js';
import type { ServedModel } from '../../src/core/served-model.js';

interface Fake {
  isRetired: boolean;
  inFlight: number;
}

function fake(name: string, called: Set<ServedModel> | null, steps: readonly ServedModel[] = []): ServedModel & Fake {
  return { name, called, steps, isRetired: false, inFlight: 0 } as unknown as ServedModel & Fake;
}
const code = (name: string) => fake(name, new Set());
const network = (name: string) => fake(name, null);
const ensemble = (name: string, ...steps: ServedModel[]) => fake(name, null, steps);

describe('who calls whom', () => {
  test('any number of models may call one, and one any number, also over several ways', () => {
    const [a, b, c, d] = [code('a'), code('b'), code('c'), network('d')];
    for (const [caller, callee] of [
      [a, b],
      [a, c],
      [b, d],
      [c, d],
      [a, d],
      [b, c],
      [a, b],
    ] as const) {
      connect(caller, callee);
    }
    expect([...a.called!].map(({ name }) => name)).toEqual(['b', 'c', 'd']);
  });

  test('a call that closes a cycle is refused, and is no call', () => {
    const [a, b, c] = [code('a'), code('b'), code('c')];
    connect(a, b);
    connect(b, c);
    expect(() => connect(c, a)).toThrow("model 'c' cannot call model 'a', which would wait for it: c -> a -> b -> c");
    expect(() => connect(b, b)).toThrow(': b -> b');
    expect(c.called!.size).toBe(0);
    connect(a, c);
  });

  test('steps of ensembles count, of those within others too', () => {
    const a = code('a');
    const outer = ensemble('outer', network('n'), ensemble('inner', a));
    expect(() => connect(a, outer)).toThrow(': a -> outer -> inner -> a');
    const b = code('b');
    connect(b, outer);
    expect(() => connect(a, b)).toThrow(': a -> b -> outer -> inner -> a');
  });

  test('what was loaded anew begins anew, and its elder is forgotten when it has finished', () => {
    const [a, old, other] = [code('a'), code('b'), network('n')];
    connect(a, old);
    old.isRetired = true;
    old.inFlight = 1;
    connect(a, code('b'));
    expect(a.called!.has(old)).toBe(true);
    old.inFlight = 0;
    connect(a, other);
    expect(a.called!.has(old)).toBe(false);
    connect(old, a);
  });

  test('who may wait for whom: ensembles, callers, and code for all that calls nobody', () => {
    const [a, b, n] = [code('a'), code('b'), network('n')];
    const e = ensemble('e', a);
    connect(b, e);
    const waits = [a, b, n, e].flatMap((user) =>
      [a, b, n, e].filter((model) => mayWaitFor(user, model)).map((model) => `${user.name}${model.name}`),
    );
    expect(waits).toEqual(['an', 'bn', 'be', 'ea']);
  });
});
