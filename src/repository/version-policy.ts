import type { ModelVersionPolicy } from '../config/model-config.js';

export interface WantedVersions {
  /** Ascending. */
  readonly versions: readonly number[];
  /** Versions that the policy names and nobody has: for the log. */
  readonly missing: readonly number[];
}

/** Which of the versions that are there should be loaded; absent policy = the latest one. */
export function wantedVersions(available: readonly number[], policy: ModelVersionPolicy | undefined): WantedVersions {
  const ascending = [...available].sort((a, b) => a - b);
  if (policy?.all !== undefined) return { versions: ascending, missing: [] };
  if (policy?.specific !== undefined) {
    const named = [...new Set(policy.specific.versions)].sort((a, b) => a - b);
    return {
      versions: named.filter((version) => ascending.includes(version)),
      missing: named.filter((version) => !ascending.includes(version)),
    };
  }
  const count = policy?.latest?.num_versions || 1;
  return { versions: ascending.slice(-count), missing: [] };
}
