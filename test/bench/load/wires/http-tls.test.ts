import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { TlsSettings } from '../../../../bench/load/wires/wire.js';
import { selfSigned } from '../../../protocols/grpc/certificates.js';
import { prepared, Recorder } from './recorder.js';

const { cert, key } = selfSigned('conch');
const tls: TlsSettings = { ca: cert.toString(), certificate: '', key: '', verifiesPeer: true, verifiesHost: true };
const body = Buffer.alloc(300_000, 'body');
/** Not among the names of the certificate. */
const OTHER_HOST = '127.0.0.2';
const answerAll: RequestListener = (request, response) => request.resume().on('end', () => response.end(body));
const server = createServer({ cert, key }, answerAll);
let recorder: Recorder;

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(() => recorder.wire.close());

afterAll(async () => {
  server.close();
  await once(server, 'close');
});

function create(
  settings: Partial<TlsSettings>,
  host = 'localhost',
  port = (server.address() as AddressInfo).port,
): Recorder {
  recorder = new Recorder({ host, port, tls: { ...tls, ...settings } });
  return recorder;
}

const request = prepared(Buffer.from('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}'));

test.each(['localhost', '127.0.0.1'])('answers come over TLS from %s', async (host) => {
  await create({}, host).wire.open();
  for (let nth = 0; nth < 3; nth++) expect((await recorder.ask(request)).body.equals(body)).toBe(true);
});

test('a server that the authority does not know is refused, unless it need not be known', async () => {
  await expect(create({ ca: '' }).wire.open()).rejects.toThrow(/cannot connect to localhost.*connection failed: /);
  await create({ ca: '', verifiesPeer: false }).wire.open();
  expect((await recorder.ask(request)).failure).toBe(null);
});

test('a server with another name is refused, unless its name is not looked at', async () => {
  const other = createServer({ cert, key }, answerAll).listen(0, OTHER_HOST);
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  await expect(create({}, OTHER_HOST, port).wire.open()).rejects.toThrow(/connection failed: .*127\.0\.0\.2 is not/);
  await create({ verifiesHost: false }, OTHER_HOST, port).wire.open();
  expect((await recorder.ask(request)).failure).toBe(null);
  recorder.wire.close();
  other.close();
  await once(other, 'close');
});
