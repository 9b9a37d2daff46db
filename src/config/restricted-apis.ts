import { badOption } from './flag.js';

/** What can be restricted, of both protocols (fact sheet 9). */
export const API_CATEGORIES = [
  'health',
  'metadata',
  'inference',
  'shared-memory',
  'model-config',
  'model-repository',
  'statistics',
  'trace',
  'logging',
] as const;
export type ApiCategory = (typeof API_CATEGORIES)[number];

/** A request shows by a header that it may. */
export interface ApiKey {
  /** In lower case. */
  readonly header: string;
  /** A secret: to be compared, never to be shown. */
  readonly value: string;
}

export type RestrictedApis = ReadonlyMap<ApiCategory, ApiKey>;

/**
 * Texts `API[,API...]:KEY=VALUE` of a flag. Throws INVALID_ARGUMENT, in which no value stands.
 * @param noun what Triton calls them in the errors of this flag
 * @param prefix of the headers
 */
export function readRestrictedApis(
  flag: string,
  noun: 'api' | 'protocol',
  texts: readonly string[],
  prefix: string,
): RestrictedApis {
  const restricted = new Map<ApiCategory, ApiKey>();
  for (const [nth, text] of texts.entries()) {
    const match = /^([^:=]+):([^=]*)=(.+)$/s.exec(text);
    if (match === null) throw badOption(flag, `expected API[,API...]:KEY=VALUE in the ${ordinal(nth)} --${flag}`);
    const [, categories, key, value] = match;
    const name = key!.trim().toLowerCase();
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) throw badOption(flag, `'${key}' is no name of a header`);
    for (const category of categories!.split(',').map((word) => word.trim())) {
      if (!isCategory(category)) {
        throw badOption(flag, `unknown restricted ${noun} '${category}': expected ${API_CATEGORIES.join(', ')}`);
      }
      if (restricted.has(category)) {
        throw badOption(flag, `restricted ${noun} '${category}' can not be specified in multiple config groups`);
      }
      restricted.set(category, { header: prefix + name, value: value! });
    }
  }
  return restricted;
}

function isCategory(word: string): word is ApiCategory {
  return (API_CATEGORIES as readonly string[]).includes(word);
}

/** The text itself holds the secret. */
function ordinal(nth: number): string {
  return ['first', 'second', 'third'][nth] ?? `${nth + 1}th`;
}
