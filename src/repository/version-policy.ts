import type { ModelVersionPolicy } from '../config/model-config.js';

export interface WantedVersions {
  /** Ascending. */
  readonly versions: readonly number[];
  /** Versions that the policy names and nobody has, ascending: for the log. */
  readonly missing: readonly number[];
}

/** Which of the versions that are there should be loaded (fact sheet 10.3); no policy = the latest one, `num_versions` 0 = none. */
export function wantedVersions(available: readonly number[], policy: ModelVersionPolicy | undefined): WantedVersions {
  const there = ascending(available);
  if (policy?.all !== undefined) return { versions: there, missing: [] };
  if (policy?.specific === undefined) {
    const count = policy?.latest?.num_versions ?? 1;
    return { versions: there.slice(Math.max(0, there.length - count)), missing: [] };
  }
  const named = ascending(policy.specific.versions);
  const isThere = new Set(there);
  return {
    versions: named.filter((version) => isThere.has(version)),
    missing: named.filter((version) => !isThere.has(version)),
  };
}

/** The reason where no version is wanted (fact sheet 13.2 item 27). */
export function noVersionText(model: string): string {
  return `at least one version must be available under the version policy of model '${model}'`;
}

function ascending(versions: readonly number[]): number[] {
  return [...new Set(versions)].sort((a, b) => a - b);
}
