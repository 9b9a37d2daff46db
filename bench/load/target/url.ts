import { isIPv6 } from 'node:net';
import type { TlsSettings } from '../wires/wire.js';

/** Where a server is. */
export interface TargetUrl {
  /** A name or an address; IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** null = plain TCP. */
  readonly tls: TlsSettings | null;
  /** `http://localhost:8000`, for messages and reports. */
  readonly text: string;
}

export type UrlProtocol = 'http' | 'grpc' | 'ws';

const USUAL_PORTS: Readonly<Record<UrlProtocol, number>> = { http: 8000, ws: 8000, grpc: 8001 };
const SECURE_PORT = 443;
const SCHEMES: Readonly<Record<UrlProtocol, readonly [plain: readonly string[], secure: readonly string[]]>> = {
  http: [['http'], ['https']],
  ws: [
    ['ws', 'http'],
    ['wss', 'https'],
  ],
  grpc: [
    ['grpc', 'http'],
    ['grpcs', 'https'],
  ],
};

const SYSTEM_TLS: TlsSettings = { ca: '', certificate: '', key: '', verifiesPeer: true, verifiesHost: true };

/**
 * Reads `-u`: `host`, `host:port`, `[IPv6]:port`, or with a scheme before it; '' = localhost. A port that is left out is the usual one
 * (absent = that of the protocol), with a secure scheme 443. A secure scheme means TLS with the system's certificates where `tls` is null.
 * Throws an Error that quotes the URL.
 */
export function parseUrl(
  protocol: UrlProtocol,
  url: string,
  tls: TlsSettings | null,
  usualPort = USUAL_PORTS[protocol],
): TargetUrl {
  const [, scheme = '', rest = ''] = /^(?:([A-Za-z][A-Za-z0-9+.-]*):\/\/)?(.*)$/s.exec(url.trim())!;
  const isSecure = isSecureScheme(protocol, scheme.toLowerCase(), tls, url);
  const { host, port } = parseAuthority(rest.replace(/\/$/, ''), url);
  const secureTls = tls ?? SYSTEM_TLS;
  const known = port ?? (scheme !== '' && isSecure ? SECURE_PORT : usualPort);
  const [plain, secure] = SCHEMES[protocol];
  return {
    host,
    port: known,
    tls: isSecure ? secureTls : null,
    text: `${(isSecure ? secure : plain)[0]}://${authority(host, known)}`,
  };
}

/** `host:port`, with brackets around IPv6. */
export function authority(host: string, port: number): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

function isSecureScheme(protocol: UrlProtocol, scheme: string, tls: TlsSettings | null, url: string): boolean {
  if (scheme === '') return tls !== null;
  const [plain, secure] = SCHEMES[protocol];
  if (secure.includes(scheme)) return true;
  if (!plain.includes(scheme)) {
    const known = [...plain, ...secure].map((name) => `${name}://`).join(', ');
    throw badUrl(url, `found the scheme '${scheme}', expected none or one of ${known}`);
  }
  if (tls === null) return false;
  throw badUrl(url, `TLS settings are given, but ${scheme}:// means plain TCP: write ${secure.at(-1)}://`);
}

function parseAuthority(text: string, url: string): { host: string; port: number | null } {
  if (text === '') return { host: 'localhost', port: null };
  if (isIPv6(text)) return { host: text, port: null };
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/?#@[\]]*))(?::([0-9]+))?$/.exec(text);
  if (match === null) throw badUrl(url, 'expected host:port, or [IPv6 address]:port, and no path');
  const [, ipv6, name, digits] = match;
  if (ipv6 !== undefined && !isIPv6(ipv6)) throw badUrl(url, `'${ipv6}' is no IPv6 address`);
  const port = digits === undefined ? null : Number(digits);
  if (port !== null && (port < 1 || port > 65_535)) throw badUrl(url, `port ${digits} is not within 1 and 65535`);
  return { host: ipv6 ?? (name === '' ? 'localhost' : name!), port };
}

function badUrl(url: string, why: string): Error {
  return new Error(`URL '${url}': ${why}`);
}
