import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { noVersionText, wantedVersions } from '../../src/repository/version-policy.js';

const available = [1, 2, 3, 10];

describe('the version policy', () => {
  it('wants the highest version where there is no policy', () => {
    expect(wantedVersions(available, undefined).versions).toEqual([10]);
  });

  it('wants the N highest, by number, not by text', () => {
    expect(wantedVersions(available, { latest: { num_versions: 2 } }).versions).toEqual([3, 10]);
    expect(wantedVersions(available, { latest: { num_versions: 9 } }).versions).toEqual(available);
  });

  it('wants none where the N highest are none', () => {
    expect(wantedVersions(available, { latest: { num_versions: 0 } }).versions).toEqual([]);
  });

  it('wants all, in order', () => {
    expect(wantedVersions([10, 2, 1, 3], { all: {} }).versions).toEqual(available);
  });

  it('wants the specific ones that are there, and tells which are not', () => {
    const policy = { specific: { versions: [7, 3, 1, 3, 5] } };
    expect(wantedVersions(available, policy)).toEqual({ versions: [1, 3], missing: [5, 7] });
  });

  it('wants nothing that is not there, whatever it says', () => {
    const versions = fc.uniqueArray(fc.integer({ min: 1, max: 20 }), { maxLength: 10 });
    const policies = fc.oneof(
      fc.constant({ all: {} }),
      versions.map((named) => ({ specific: { versions: named } })),
      fc.nat(12).map((num_versions) => ({ latest: { num_versions } })),
    );
    const property = fc.property(versions, policies, (there, policy) => {
      const wanted = wantedVersions(there, policy);
      expect(wanted.versions.every((version) => there.includes(version))).toBe(true);
      expect(wanted.missing.some((version) => there.includes(version))).toBe(false);
      expect([...wanted.versions].sort((a, b) => a - b)).toEqual(wanted.versions);
    });
    expect(() => fc.assert(property)).not.toThrow();
  });

  it('has the text of Triton for a model without versions', () => {
    expect(noVersionText('m')).toBe("at least one version must be available under the version policy of model 'm'");
  });
});
