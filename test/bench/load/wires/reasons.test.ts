import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defaultOptions } from '../../../../bench/load/default-options.js';
import { networkParts } from '../../../../bench/load/network-parts.js';
import { GrpcTarget } from '../../../../bench/load/target/grpc-target.js';
import { HttpTarget } from '../../../../bench/load/target/http-target.js';
import { parseUrl } from '../../../../bench/load/target/url.js';
import { grpcReason, reasonOf } from '../../../../bench/load/wires/reasons.js';

/** Speaks a protocol that nobody knows. */
const server = createServer((socket) => socket.on('error', () => {}).end('220 hello\r\n'));
let place: string;

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  place = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => void server.close());

test.each([
  [
    'http',
    '',
    /^cannot ask http:.*: no HTTP\/1\.1 is spoken there \(Parse Error: [^\n]*\)\. Is the server running there/,
  ],
  [
    'http',
    'https://',
    /^cannot ask https:.*: TLS did not come about: wrong version number\. Is the server running there/,
  ],
  [
    'grpc',
    'https://',
    /^cannot ask grpcs:.*: TLS did not come about: wrong version number\. Is the server running there/,
  ],
  ['grpc', '', /^cannot ask grpc:.*: no HTTP\/2 is spoken there \(Protocol error\)\. Is the server running there/],
] as const)('who speaks something else, over %s%s, is told in a sentence', async (protocol, scheme, message) => {
  const url = parseUrl(protocol, `${scheme}${place}`, null);
  const target = protocol === 'http' ? new HttpTarget(url, []) : new GrpcTarget(url, []);
  await expect(target.server()).rejects.toThrow(message);
  await target.close();
});

test('what needs no change stays as it is, and several addresses are told once each', () => {
  expect(grpcReason('Deadline exceeded')).toBe('Deadline exceeded');
  const refused = new Error('connect ECONNREFUSED ::1:8000');
  expect(reasonOf(refused)).toBe('connect ECONNREFUSED ::1:8000');
  expect(reasonOf(new AggregateError([refused, refused, new Error('no route')]))).toBe(
    'connect ECONNREFUSED ::1:8000, no route',
  );
  expect(
    grpcReason('No connection established. Last error: connect ECONNREFUSED (2026-01-02T03:04:05Z). Resolution note: '),
  ).toBe('connect ECONNREFUSED');
  expect(grpcReason('No connection established. Last error: Error: self-signed certificate. Resolution note: ')).toBe(
    'self-signed certificate',
  );
});

test('of TLS files, the one that is of no use is named', () => {
  const connect = (certificate: string, key: string) =>
    networkParts.connect({
      ...defaultOptions,
      url: 'https://127.0.0.1:1',
      tls: { ca: '', certificate, key, verifiesPeer: true, verifiesHost: true },
    });
  expect(() => connect('nothing', '')).toThrow(/^TLS: the certificate of the client cannot be used: .*; a PEM file is/);
  expect(() => connect('', 'nothing')).toThrow(/^TLS: the private key of the client cannot be used: .*; a PEM file is/);
});

test('too many connections for this process: the limit is named', () => {
  const program = `const { connect } = require('node:net');
    for (let nth = 0; nth < 200; nth++)
      connect(${place.split(':')[1]}, '127.0.0.1').on('error', ({ message, code }) => { console.log(JSON.stringify({ message, code })); process.exit(); });`;
  const line = execFileSync('sh', ['-c', 'ulimit -n 60; exec "$0" -e "$1"', process.execPath, program], {
    encoding: 'utf8',
  });
  const { message, code } = JSON.parse(line) as { message: string; code: string };
  expect(reasonOf(Object.assign(new Error(message), { code }))).toContain('raise `ulimit -n`');
});
