import type { VersionStamps } from './stamps.js';

/** A version that serves, and what it was made of. */
export interface ServedVersion extends VersionStamps {
  readonly version: number;
}

/** What has to happen for the wanted versions to serve; ascending. */
export interface VersionPlan {
  readonly keep: readonly number[];
  /** Only settings differ: some of them need no load. */
  readonly adjust: readonly number[];
  readonly load: readonly number[];
}

/** @param served those that serve now, each once; @param wanted those that should, each once */
export function planVersions(served: readonly ServedVersion[], wanted: readonly ServedVersion[]): VersionPlan {
  const now = new Map(served.map((version) => [version.version, version]));
  const which = (kind: Change) =>
    wanted.filter((it) => change(now.get(it.version), it) === kind).map(({ version }) => version);
  return { keep: which('none'), adjust: which('settings'), load: which('files') };
}

type Change = 'none' | 'settings' | 'files';

function change(served: ServedVersion | undefined, wanted: ServedVersion): Change {
  if (served === undefined || served.files !== wanted.files) return 'files';
  return served.settings === wanted.settings ? 'none' : 'settings';
}
