import { invalid } from '../types/errors.js';
import { badOption } from './flag.js';
import type { FlagValues } from './flag-values.js';
import type { CacheOptions } from './options.js';

/** Settings of one cache, by key; of a key given twice the last counts. */
type Settings = ReadonlyMap<string, string>;

/** By name: Triton's caches are libraries, and so are these. */
const caches: ReadonlyMap<string, (settings: Settings) => CacheOptions> = new Map([['local', localOptions]]);

/** `--cache-config=NAME,KEY=VALUE`, each, or the older `--response-cache-byte-size`; null = no cache (fact sheet 5.7). */
export function readCacheConfig(values: FlagValues): CacheOptions | null {
  const texts = values.list('cache-config');
  const bytes = values.number('response-cache-byte-size');
  if (texts.length === 0) return bytes === 0 ? null : { kind: 'local', bytes };
  if (values.isGiven('response-cache-byte-size')) {
    throw badOption('response-cache-byte-size', 'give --cache-config or --response-cache-byte-size, not both');
  }
  const given = texts.map(readSetting);
  const { name } = given[0]!;
  const other = given.find((setting) => setting.name !== name);
  if (other !== undefined) {
    throw badOption('cache-config', `a server has one cache, got '${name}' and '${other.name}'`);
  }
  return caches.get(name)!(new Map(given.map(({ key, value }) => [key, value])));
}

function readSetting(text: string): { readonly name: string; readonly key: string; readonly value: string } {
  const [, name = '', key = '', value = ''] = /^([^,=]+),([^,=]+)=(.*)$/s.exec(text) ?? [];
  if (name === '') throw badOption('cache-config', `expected NAME,KEY=VALUE, got '${text}'`);
  if (!caches.has(name)) {
    throw badOption('cache-config', `expected one of the caches ${[...caches.keys()].join(', ')}, got '${name}'`);
  }
  return { name, key, value };
}

function localOptions(settings: Settings): CacheOptions {
  checkKeys('local', settings, ['size']);
  const bytes = Number(settings.get('size') ?? '');
  if (!/^\d+$/.test(settings.get('size') ?? '') || bytes === 0 || !Number.isSafeInteger(bytes)) {
    throw invalid("Failed to initialize LocalCache: config didn't contain a valid 'size' field.");
  }
  return { kind: 'local', bytes };
}

function checkKeys(name: string, settings: Settings, known: readonly string[]): void {
  const other = [...settings.keys()].find((key) => !known.includes(key));
  if (other === undefined) return;
  throw badOption('cache-config', `the cache '${name}' has the settings ${known.join(', ')}, got '${other}'`);
}
