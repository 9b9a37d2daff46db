import { invalid } from '../types/errors.js';
import { badOption } from './flag.js';
import type { FlagValues } from './flag-values.js';
import type { CacheOptions, RedisTls } from './options.js';

/** Settings of one cache, by key; of a key given twice the last counts. */
type Settings = ReadonlyMap<string, string>;

/** By name: Triton's caches are libraries, and so are these. */
const caches: ReadonlyMap<string, (settings: Settings) => CacheOptions> = new Map<
  string,
  (settings: Settings) => CacheOptions
>([
  ['local', localOptions],
  ['redis', redisOptions],
]);

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

/** Beside `tls_enabled`. */
const tlsKeys = ['cacert', 'cert', 'key', 'sni'];

/** Triton's settings; those of its pool of connections do nothing: there is one, and nobody waits for it. */
const redisKeys = [
  'host',
  'port',
  'user',
  'password',
  'db',
  'connect_timeout',
  'socket_timeout',
  'pool_size',
  'wait_timeout',
  'tls_enabled',
  ...tlsKeys,
];

/** Triton waits for ever; here nobody does. */
const CONNECT_TIMEOUT_MS = 5000;
const SOCKET_TIMEOUT_MS = 10;
const MAX_MS = 2_147_483_647;

function redisOptions(settings: Settings): CacheOptions {
  checkKeys('redis', settings, redisKeys);
  const host = settings.get('host') ?? '';
  if (host === '' || !settings.has('port')) {
    throw invalid(
      "Failed to initialize RedisCache, didn't specify address. Must at a minimum specify 'host' and 'port' in the configuration - " +
        'e.g. --cache-config redis,host=redis --cache-config redis,port=6379',
    );
  }
  const { TRITONCACHE_REDIS_USERNAME, TRITONCACHE_REDIS_PASSWORD } = process.env;
  return {
    kind: 'redis',
    host,
    port: integerOf(settings, 'port', { min: 1, max: 65_535, otherwise: 0 }),
    user: settings.get('user') ?? TRITONCACHE_REDIS_USERNAME ?? '',
    password: settings.get('password') ?? TRITONCACHE_REDIS_PASSWORD ?? '',
    database: integerOf(settings, 'db', { min: 0, max: 65_535, otherwise: 0 }),
    connectTimeoutMs: integerOf(settings, 'connect_timeout', { min: 1, max: MAX_MS, otherwise: CONNECT_TIMEOUT_MS }),
    timeoutMs: integerOf(settings, 'socket_timeout', { min: 1, max: MAX_MS, otherwise: SOCKET_TIMEOUT_MS }),
    tls: tlsOf(settings),
  };
}

function tlsOf(settings: Settings): RedisTls | null {
  const enabled = settings.get('tls_enabled') ?? 'false';
  if (enabled !== 'true' && enabled !== 'false') {
    throw badOption('cache-config', `expected true or false for 'tls_enabled', got '${enabled}'`);
  }
  const given = tlsKeys.find((key) => settings.has(key));
  if (enabled === 'false') {
    if (given === undefined) return null;
    throw badOption('cache-config', `'${given}' needs redis,tls_enabled=true`);
  }
  const empty = tlsKeys.find((key) => settings.get(key) === '');
  if (empty !== undefined) {
    const what = empty === 'sni' ? 'the name of a server' : 'a PEM file';
    throw badOption(
      'cache-config',
      `expected ${what} for '${empty}', got nothing; leave redis,${empty}= out where there is none`,
    );
  }
  if (settings.has('cert') !== settings.has('key')) {
    throw badOption(
      'cache-config',
      `'cert' and 'key' go together, got '${settings.has('cert') ? 'cert' : 'key'}' alone`,
    );
  }
  const of = (key: string) => settings.get(key) ?? '';
  return { caFile: of('cacert'), certFile: of('cert'), keyFile: of('key'), serverName: of('sni') };
}

function integerOf(
  settings: Settings,
  key: string,
  { min, max, otherwise }: { readonly min: number; readonly max: number; readonly otherwise: number },
): number {
  const text = settings.get(key);
  if (text === undefined) return otherwise;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw badOption('cache-config', `expected an integer from ${min} to ${max} for '${key}', got '${text}'`);
}

function checkKeys(name: string, settings: Settings, known: readonly string[]): void {
  const other = [...settings.keys()].find((key) => !known.includes(key));
  if (other === undefined) return;
  throw badOption('cache-config', `the cache '${name}' has the settings ${known.join(', ')}, got '${other}'`);
}
