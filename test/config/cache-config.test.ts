import { afterEach, expect, test, vi } from 'vitest';
import { readCacheConfig } from '../../src/config/cache-config.js';
import { FlagValues } from '../../src/config/flag-values.js';
import { flags } from '../../src/config/option-table.js';

const read = (...settings: readonly string[]) =>
  readCacheConfig(new FlagValues(flags, new Map(settings.length > 0 ? [['cache-config', settings]] : [])));

afterEach(() => vi.unstubAllEnvs());

test('there is no cache until somebody asks for one', () => {
  expect(read()).toBe(null);
  expect(readCacheConfig(new FlagValues(flags, new Map([['response-cache-byte-size', ['0']]])))).toBe(null);
});

test('the older flag is a cache in memory', () => {
  const values = new FlagValues(flags, new Map([['response-cache-byte-size', ['5000']]]));
  expect(readCacheConfig(values)).toEqual({ kind: 'local', bytes: 5000 });
});

test('the last of a setting counts', () => {
  expect(read('local,size=5', 'local,size=7')).toEqual({ kind: 'local', bytes: 7 });
});

test('what a Redis server needs, and what is otherwise', () => {
  expect(read('redis,host=a', 'redis,port=6379')).toEqual({
    ...{ kind: 'redis', host: 'a', port: 6379, user: '', password: '', database: 0 },
    ...{ connectTimeoutMs: 5000, timeoutMs: 10, tls: null },
  });
  const more = [
    'user=u',
    'password=p=,q',
    'db=3',
    'connect_timeout=1',
    'socket_timeout=2',
    'pool_size=9',
    'wait_timeout=9',
  ];
  expect(read('redis,host=a', 'redis,port=1', ...more.map((setting) => `redis,${setting}`))).toEqual({
    ...{ kind: 'redis', host: 'a', port: 1, user: 'u', password: 'p=,q', database: 3 },
    ...{ connectTimeoutMs: 1, timeoutMs: 2, tls: null },
  });
});

test('TLS has files, and a name', () => {
  const tls = (...more: readonly string[]) =>
    read('redis,host=a', 'redis,port=1', 'redis,tls_enabled=true', ...more.map((setting) => `redis,${setting}`));
  expect(tls()).toMatchObject({ tls: { caFile: '', certFile: '', keyFile: '', serverName: '' } });
  expect(tls('cacert=c', 'cert=d', 'key=e', 'sni=f')).toMatchObject({
    tls: { caFile: 'c', certFile: 'd', keyFile: 'e', serverName: 'f' },
  });
  expect(() => tls('cert=', 'key=e')).toThrow("expected a PEM file for 'cert', got nothing; leave redis,cert= out");
  expect(() => tls('cacert=')).toThrow("expected a PEM file for 'cacert', got nothing");
  expect(() => tls('sni=')).toThrow("expected the name of a server for 'sni', got nothing");
  expect(() => tls('cert=d')).toThrow("'cert' and 'key' go together, got 'cert' alone");
  expect(() => tls('key=d')).toThrow("got 'key' alone");
  expect(() => tls('tls_enabled=yes')).toThrow("expected true or false for 'tls_enabled', got 'yes'");
  expect(() => tls('tls_enabled=false', 'sni=f')).toThrow("'sni' needs redis,tls_enabled=true");
});

test('name and password may be in the environment; what is on the command line counts more', () => {
  vi.stubEnv('TRITONCACHE_REDIS_USERNAME', 'eve');
  vi.stubEnv('TRITONCACHE_REDIS_PASSWORD', 'secret');
  expect(read('redis,host=a', 'redis,port=1')).toMatchObject({ user: 'eve', password: 'secret' });
  expect(read('redis,host=a', 'redis,port=1', 'redis,user=adam')).toMatchObject({ user: 'adam', password: 'secret' });
});

test.each([
  ['redis,host=a', "Must at a minimum specify 'host' and 'port'"],
  ['redis,port=5', "Must at a minimum specify 'host' and 'port'"],
  ['redis,tls=true', "the cache 'redis' has the settings host, port"],
  ['local,size=1.5', "config didn't contain a valid 'size' field"],
  ['local,size=99999999999999999999', "config didn't contain a valid 'size' field"],
  ['disk,size=5', "expected one of the caches local, redis, got 'disk'"],
  ['local', "expected NAME,KEY=VALUE, got 'local'"],
  ['local,size', "expected NAME,KEY=VALUE, got 'local,size'"],
])('%s is refused', (setting, text) => {
  expect(() => read(setting)).toThrow(text);
});
