import { closest, distance } from 'fastest-levenshtein';

/** Of the names of models: more do not help. */
const SHOWN_NAMES = 20;

/** What there is instead of a name that there is not, and which of it may be meant. */
export function knownNames(names: readonly string[], wanted: string): string {
  if (names.length === 0) return 'it has no models';
  const rest = names.length > SHOWN_NAMES ? ` and ${names.length - SHOWN_NAMES} more` : '';
  return `it has ${names.slice(0, SHOWN_NAMES).join(', ')}${rest}${suggestion(wanted, names)}`;
}

/** '' = none is like it. */
function suggestion(wanted: string, names: readonly string[]): string {
  const nearest = closest(wanted, names);
  const isNear = distance(wanted, nearest) <= Math.max(2, wanted.length / 3);
  const meant = isNear ? nearest : names.find((name) => name.startsWith(wanted));
  return meant === undefined ? '' : `; did you mean '${meant}'?`;
}
