import { expect, test } from 'vitest';
import { parseUrl, type UrlProtocol } from '../../../../bench/load/target/url.js';
import type { TlsSettings } from '../../../../bench/load/wires/wire.js';

const TLS: TlsSettings = { ca: 'CA', certificate: '', key: '', verifiesPeer: true, verifiesHost: false };
const SYSTEM: TlsSettings = { ca: '', certificate: '', key: '', verifiesPeer: true, verifiesHost: true };

test.each<[UrlProtocol, string, string, number, string]>([
  ['http', '', 'localhost', 8000, 'http://localhost:8000'],
  ['ws', '', 'localhost', 8000, 'ws://localhost:8000'],
  ['grpc', '', 'localhost', 8001, 'grpc://localhost:8001'],
  ['http', 'gpu-7:9000', 'gpu-7', 9000, 'http://gpu-7:9000'],
  ['http', 'gpu-7', 'gpu-7', 8000, 'http://gpu-7:8000'],
  ['grpc', ':9001', 'localhost', 9001, 'grpc://localhost:9001'],
  ['http', 'http://gpu-7/', 'gpu-7', 8000, 'http://gpu-7:8000'],
  ['http', 'HTTP://10.0.0.7:80', '10.0.0.7', 80, 'http://10.0.0.7:80'],
  ['grpc', 'http://gpu-7:9', 'gpu-7', 9, 'grpc://gpu-7:9'],
  ['grpc', '[::1]:9001', '::1', 9001, 'grpc://[::1]:9001'],
  ['http', '[fe80::1]', 'fe80::1', 8000, 'http://[fe80::1]:8000'],
  ['http', '::1', '::1', 8000, 'http://[::1]:8000'],
])('%s %j is plain', (protocol, url, host, port, text) => {
  expect(parseUrl(protocol, url, null)).toEqual({ host, port, tls: null, text });
});

test.each<[UrlProtocol, string, TlsSettings | null, object]>([
  ['http', 'https://gpu-7', null, { host: 'gpu-7', port: 443, tls: SYSTEM, text: 'https://gpu-7:443' }],
  ['http', 'https://gpu-7:8443', TLS, { host: 'gpu-7', port: 8443, tls: TLS, text: 'https://gpu-7:8443' }],
  ['http', 'gpu-7', TLS, { host: 'gpu-7', port: 8000, tls: TLS, text: 'https://gpu-7:8000' }],
  ['ws', 'wss://gpu-7:1', null, { host: 'gpu-7', port: 1, tls: SYSTEM, text: 'wss://gpu-7:1' }],
  ['grpc', 'grpcs://gpu-7:1', TLS, { host: 'gpu-7', port: 1, tls: TLS, text: 'grpcs://gpu-7:1' }],
])('%s %j with TLS', (protocol, url, tls, parsed) => {
  expect(parseUrl(protocol, url, tls)).toEqual(parsed);
});

test.each<[UrlProtocol, string, TlsSettings | null, RegExp]>([
  ['http', 'ftp://a', null, /^URL 'ftp:\/\/a': found the scheme 'ftp', expected none or one of http:\/\/, https:\/\/$/],
  ['http', 'http://a', TLS, /TLS settings are given, but http:\/\/ means plain TCP: write https:\/\/$/],
  ['http', 'a:b', null, /^URL 'a:b': expected host:port/],
  ['http', 'http://a/v2', null, /and no path$/],
  ['http', 'user@a', null, /expected host:port/],
  ['http', 'a:70000', null, /port 70000 is not within 1 and 65535$/],
  ['http', 'a:0', null, /port 0 is not within/],
  ['grpc', '[1.2.3]:4', null, /'1\.2\.3' is no IPv6 address$/],
])('%s %j is refused', (protocol, url, tls, message) => {
  expect(() => parseUrl(protocol, url, tls)).toThrow(message);
});
