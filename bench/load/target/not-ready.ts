import type { ListedVersion, ModelName } from './facts.js';
import { knownNames } from './known-names.js';

/** Why a model is not ready, in a sentence; and whether it may be so by itself, if one waits. */
export interface NotReady {
  readonly why: string;
  readonly mayCome: boolean;
}

/** States of versions that are on their way. */
const COMING: readonly string[] = ['LOADING', 'UNKNOWN', 'READY'];

/** @param index of the server's repository: what it says of every model. @param url for the sentence */
export function notReadyIn(index: readonly ListedVersion[], model: ModelName, url: string): NotReady {
  const known = index.filter(({ name }) => name === model.name);
  if (known.length === 0) return never(`${url} has no ${quoted(model)}: ${knownNames(namesIn(index), model.name)}`);
  const versions = known.filter(({ version }) => version !== '');
  const asked = versions.filter(({ version }) => model.version === '' || version === model.version);
  if (versions.length > 0 && asked.length === 0) {
    return never(`${url} has no ${quoted(model)}; its versions: ${versions.map(({ version }) => version).join(', ')}`);
  }
  if (asked.some(({ state }) => COMING.includes(state))) {
    return { why: `${quoted(model)} is not ready on ${url}: it is still loading`, mayCome: true };
  }
  const reason = known.map((version) => version.reason).find((text) => text !== '');
  return never(
    `${quoted(model)} is not loaded on ${url}: ${reason ?? 'it is in the repository, and was never loaded'}`,
  );
}

function namesIn(index: readonly ListedVersion[]): string[] {
  return [...new Set(index.map(({ name }) => name))];
}

function never(why: string): NotReady {
  return { why, mayCome: false };
}

/** `model 'simple'`, `model 'simple' version 3`. */
export function quoted({ name, version }: ModelName): string {
  return version === '' ? `model '${name}'` : `model '${name}' version ${version}`;
}
