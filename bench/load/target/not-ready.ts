import { closest, distance } from 'fastest-levenshtein';
import type { ListedVersion, ModelName } from './facts.js';

/** Why a model is not ready, in a sentence; and whether it may be so by itself, if one waits. */
export interface NotReady {
  readonly why: string;
  readonly mayCome: boolean;
}

/** States of versions that are on their way. */
const COMING: readonly string[] = ['LOADING', 'UNKNOWN', 'READY'];
/** Of the names of models: more do not help. */
const SHOWN_NAMES = 20;

/** @param index of the server's repository: what it says of every model. @param url for the sentence */
export function notReadyIn(index: readonly ListedVersion[], model: ModelName, url: string): NotReady {
  const known = index.filter(({ name }) => name === model.name);
  if (known.length === 0) return never(`${url} has no ${quoted(model)}: ${modelsOf(index, model.name)}`);
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

function never(why: string): NotReady {
  return { why, mayCome: false };
}

function modelsOf(index: readonly ListedVersion[], wanted: string): string {
  const names = [...new Set(index.map(({ name }) => name))];
  if (names.length === 0) return 'it has no models';
  const rest = names.length > SHOWN_NAMES ? ` and ${names.length - SHOWN_NAMES} more` : '';
  return `it has ${names.slice(0, SHOWN_NAMES).join(', ')}${rest}${suggestion(wanted, names)}`;
}

/** '' = none is like it. */
function suggestion(wanted: string, names: readonly string[]): string {
  const nearest = closest(wanted, names);
  return distance(wanted, nearest) <= Math.max(2, wanted.length / 3) ? `; did you mean '${nearest}'?` : '';
}

/** `model 'simple'`, `model 'simple' version 3`. */
export function quoted({ name, version }: ModelName): string {
  return version === '' ? `model '${name}'` : `model '${name}' version ${version}`;
}
