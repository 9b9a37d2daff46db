import { describe, expect, test } from 'vitest';
import type { ResourceDemand } from '../../../src/backends/instance-spec.js';
import type { ResourceLimit } from '../../../src/config/rate-limit-options.js';
import { ResourcePools } from '../../../src/schedulers/rate-limit/resource-pools.js';

/** `R=2` on the device, `R=2 global` once for all. */
function demand(text: string, gpu = -1): ResourceDemand {
  const resources = text.split(',').map((part) => {
    const [, name, count, more] = /^(\w*)=(\d+)( global)?$/.exec(part.trim())!;
    return { name: name!, count: Number(count), global: more !== undefined };
  });
  return { resources, priority: 0, gpu };
}

const limit = (resource: string, count: number, gpu = -1): ResourceLimit => ({ resource, count, gpu });

const viewOf = (pools: ResourcePools) =>
  pools.all.map(({ resource, device, total }) => `${device} ${resource} ${total}`);

describe('how much there is', () => {
  test('as much as one instance asks for at most, on each device', () => {
    const pools = new ResourcePools([]);
    const asked = ['R1=4, R2=4', 'R2=5, R3=10, R4=5', 'R1=1, R3=7, R4=2'].map((text) => demand(text, 0));
    pools.enter([...asked, demand('R1=2', 1), demand('R1=3')]);
    expect(viewOf(pools)).toEqual(['0 r1 4', '0 r2 5', '0 r3 10', '0 r4 5', '1 r1 2', 'cpu r1 3']);
  });

  test('as much as the flag says, of a GPU or of all devices; a global resource has no device', () => {
    const pools = new ResourcePools([limit('r1', 10), limit('r2', 5, 0), limit('r2', 8, 1), limit('r3', 2, 7)]);
    const both = 'R1=1, R2=2, R3=1 global';
    pools.enter([demand(both, 0), demand(both, 1), demand('R1=1, R2=3')]);
    expect(viewOf(pools)).toEqual([
      ...['0 r1 10', '0 r2 5', 'global r3 2'],
      ...['1 r1 10', '1 r2 8'],
      // Nothing is said of this one.
      ...['cpu r1 10', 'cpu r2 3'],
    ]);
  });

  test('of what is said of all devices and of one the larger counts', () => {
    const pools = new ResourcePools([limit('r', 2), limit('r', 3, 1)]);
    pools.enter([demand('R=1', 0), demand('R=1', 1)]);
    expect(viewOf(pools)).toEqual(['0 r 2', '1 r 3']);
  });

  test('who leaves takes along what only it has asked for', () => {
    const pools = new ResourcePools([]);
    const [large] = pools.enter([demand('R=4, S=1')]);
    const [small] = pools.enter([demand('r=2')]);
    pools.leave(large!);
    expect(viewOf(pools)).toEqual(['cpu r 2']);
    pools.leave(large!);
    pools.leave(small!);
    expect(pools.all).toEqual([]);
  });

  test('a resource that is named twice counts as it was named last; none of it is none', () => {
    const pools = new ResourcePools([]);
    const [shares, nothing] = pools.enter([demand('R=4, r=2, S=0'), demand('S=0')]);
    expect(shares!.map(({ pool, count }) => `${pool.resource} ${count}`)).toEqual(['r 2']);
    expect(nothing).toEqual([]);
  });
});

describe('what can never run is refused, and nothing is changed', () => {
  const both = 'Resource "R" is present as both global and device-specific resource in the model configuration.';
  const limited = (count: number, need: number) =>
    `Resource count for "R" is limited to ${count} which will prevent scheduling of one or more model instances, the minimum required count is ${need}`;

  test.each<[string, readonly ResourceLimit[], readonly string[], string]>([
    ['more than there is', [limit('r', 2)], ['R=1', 'R=3'], limited(2, 3)],
    ['more than there is of all', [limit('r', 0)], ['R=1 global'], limited(0, 1)],
    ['in one group', [], ['R=1, R=1 global'], both],
    ['in two groups', [], ['R=1 global', 'R=1'], both],
    ['whatever the case', [], ['r=1 global', 'R=1'], both],
  ])('%s', (_, limits, asked, message) => {
    const pools = new ResourcePools(limits);
    expect(() => pools.enter(asked.map((text) => demand(text)))).toThrow(message);
    expect(pools.all).toEqual([]);
  });

  test('also for what others ask for', () => {
    const pools = new ResourcePools([]);
    const [shares] = pools.enter([demand('R=1', 0)]);
    expect(() => pools.enter([demand('S=1'), demand('R=1 global')])).toThrow(both);
    expect(viewOf(pools)).toEqual(['0 r 1']);
    pools.leave(shares!);
    pools.enter([demand('R=1 global')]);
    expect(viewOf(pools)).toEqual(['global r 1']);
  });
});
