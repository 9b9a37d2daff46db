import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { planVersions, type ServedVersion } from '../../src/repository/version-plan.js';

const of = (version: number, files = 'a', settings = 's'): ServedVersion => ({ version, files, settings });

describe('the plan', () => {
  it('keeps what is equal, adjusts what differs in settings, loads what is new or differs in files', () => {
    const served = [of(1), of(2), of(3), of(4), of(9)];
    const wanted = [of(1), of(2, 'a', 't'), of(3, 'b'), of(4, 'b', 't'), of(5)];
    expect(planVersions(served, wanted)).toEqual({ keep: [1], adjust: [2], load: [3, 4, 5] });
  });
});

test('every wanted version is in one part of the plan, and carrying it out leaves nothing to do', () => {
  const text = fc.constantFrom('a', 'b');
  const anyVersion = fc.record({ version: fc.integer({ min: 1, max: 6 }), files: text, settings: text });
  const some = fc
    .uniqueArray(anyVersion, { selector: ({ version }) => version })
    .map((versions) => [...versions].sort((a, b) => a.version - b.version));
  fc.assert(
    fc.property(some, some, (served, wanted) => {
      const { keep, adjust, load } = planVersions(served, wanted);
      const numbers = wanted.map(({ version }) => version);
      expect([...keep, ...adjust, ...load].sort((a, b) => a - b)).toEqual(numbers);
      for (const part of [keep, adjust, load]) expect([...part].sort((a, b) => a - b)).toEqual(part);
      const now = new Map(served.map((it) => [it.version, it]));
      for (const it of wanted) {
        const { version, files, settings } = it;
        if (load.includes(version)) now.set(version, it);
        // What is adjusted gets new settings only, what is kept nothing.
        else if (adjust.includes(version)) now.set(version, { ...now.get(version)!, settings });
        expect(now.get(version)).toEqual({ version, files, settings });
      }
      // Nothing is loaded that a change of settings would do for.
      for (const version of load) {
        const before = served.find((it) => it.version === version);
        expect(before?.files).not.toBe(wanted.find((it) => it.version === version)!.files);
      }
      expect(planVersions(wanted, wanted)).toEqual({ keep: numbers, adjust: [], load: [] });
    }),
  );
});
