import { randomBytes } from 'node:crypto';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Log } from '../../../src/base/log.js';
import { silentLog } from '../../../src/base/log.js';
import type { Http2Listener } from '../../../src/transport/http2/server.js';
import type { Http2Stream, OnStream } from '../../../src/transport/http2/stream.js';
import {
  call,
  certificate,
  client,
  Echo,
  type EchoOptions,
  grpcFields,
  grpcTrailers,
  RawClient,
  serve,
} from './echo-server.js';
import * as wire from './frames.js';

let listener: Http2Listener | null = null;
const clients: { destroy(): void }[] = [];

afterEach(async () => {
  for (const each of clients.splice(0)) each.destroy();
  await listener?.close();
  listener = null;
});

async function start(options: EchoOptions = {}, onStream?: OnStream): Promise<number> {
  listener = await serve(options, onStream);
  return listener.port;
}

function open(port: number, options?: Parameters<typeof client>[1]) {
  const session = client(port, options);
  clients.push(session);
  return session;
}

function raw(port: number): RawClient {
  const peer = new RawClient(port);
  clients.push(peer.socket);
  return peer;
}

function isGoaway({ type }: wire.ReadFrame): boolean {
  return type === wire.GOAWAY;
}

/** Waits until `test` holds; the test's own time-out ends it. */
async function until(test: () => boolean): Promise<void> {
  while (!test()) await new Promise((resolve) => setTimeout(resolve, 2));
}

describe('with the client of Node', () => {
  test('a unary call', async () => {
    const answer = await call(open(await start()), Buffer.from('hello'));
    expect(answer).toEqual({ status: 200, body: Buffer.from('hello'), grpcStatus: '0' });
  });

  test('many calls at a time, each with its own answer', async () => {
    const session = open(await start());
    const bodies = Array.from({ length: 500 }, (_, index) => Buffer.from(`call ${index} `.repeat(index)));
    const answers = await Promise.all(bodies.map((body) => call(session, body)));
    expect(answers.map(({ body }) => body.toString())).toEqual(bodies.map(String));
  });

  test.each([100_000, 16 << 20])('a body of %d bytes both ways', async (bytes) => {
    const events: string[] = [];
    const body = randomBytes(bytes);
    const answer = await call(open(await start({}, () => new Echo(events))), body);
    expect(answer.body.equals(body)).toBe(true);
    await until(() => events.length > 0);
    expect(events).toEqual(['released']);
  });

  test('large bodies in narrow windows, several at a time', async () => {
    const session = open(await start({ limits: { streamWindowBytes: 1000, connectionWindowBytes: 65_535 } }));
    const bodies = Array.from({ length: 5 }, () => randomBytes(200_000));
    const answers = await Promise.all(bodies.map((body) => call(session, body)));
    expect(answers.every(({ body }, index) => body.equals(bodies[index]!))).toBe(true);
  });

  test('views of shared memory', async () => {
    const bytes = new Uint8Array(new SharedArrayBuffer(300_000)).map((_, index) => index % 251);
    const shared = new Uint8Array(new SharedArrayBuffer(300_000));
    shared.set(bytes);
    const answering = Object.assign(new Echo(), {
      onEnd(stream: Http2Stream) {
        stream.respond(grpcFields);
        stream.writeView(shared, { release() {} });
        stream.end(grpcTrailers);
      },
    });
    const { body } = await call(open(await start({}, () => answering)), Buffer.alloc(0));
    expect(body.equals(Buffer.from(bytes))).toBe(true);
  });

  test('a client that does not read its answer holds it up, and no other', async () => {
    const session = open(await start());
    const body = randomBytes(8 << 20);
    const lazy = session.request({ ':method': 'POST', ':path': '/lazy' });
    lazy.end(body);
    await new Promise((resolve) => lazy.once('response', resolve));
    for (let round = 0; round < 20; round++) await call(session, Buffer.from('quick'));
    const parts: Buffer[] = [];
    lazy.on('data', (part: Buffer) => parts.push(part));
    await new Promise((resolve) => lazy.once('end', resolve));
    expect(Buffer.concat(parts).equals(body)).toBe(true);
  });

  test('answers of another turn of the event loop go out in one', async () => {
    const waiting: Http2Stream[] = [];
    const port = await start({}, (stream) => {
      waiting.push(stream);
      return new Echo();
    });
    const peer = raw(port);
    let chunks = 0;
    peer.socket.on('data', () => chunks++);
    peer.open();
    peer.send(wire.headers(1), wire.headers(3), wire.headers(5));
    await until(() => waiting.length === 3 && peer.frames.length >= 3);
    chunks = 0;
    for (const stream of waiting) stream.end(grpcFields);
    await peer.frame(({ streamId, type }) => streamId === 5 && type === wire.RST_STREAM);
    expect(chunks).toBe(1);
  });

  test('a call that the client cancels', async () => {
    const events: string[] = [];
    const session = open(await start({}, () => new Echo(events)));
    const abort = new AbortController();
    const stream = session.request({ ':method': 'POST', ':path': '/x' }, { endStream: false, signal: abort.signal });
    stream.on('error', () => {});
    stream.write('some');
    await call(session, Buffer.alloc(0));
    abort.abort();
    await until(() => events.includes('reset 8'));
  });

  test('a client that vanishes: every open stream is told', async () => {
    const events: string[] = [];
    const peer = raw(await start({}, () => new Echo(events)));
    peer.open();
    peer.send(wire.headers(1), wire.headers(3));
    await until(() => listener!.connections === 1);
    await peer.frame(({ type, flags }) => type === wire.SETTINGS && flags === wire.ACK);
    peer.socket.resetAndDestroy();
    await until(() => events.length === 2 && listener!.connections === 0);
    expect(events).toEqual(['reset 8', 'reset 8']);
  });
});

test('a hundred clients that vanish at random moments, under load: no answer of another is touched', async () => {
  let lent = 0;
  class Lender extends Echo {
    override onEnd(stream: Http2Stream): void {
      lent++;
      super.onEnd(stream);
    }
  }
  const told: string[] = [];
  const port = await start({}, () => new Lender(told));
  const session = open(port);
  let isDone = false;
  const load = async (worker: number) => {
    for (let round = 0; !isDone; round++) {
      const body = Buffer.from(`${worker}/${round} `.repeat(1 + ((worker * 37 + round * 101) % 3000)));
      expect((await call(session, body)).body.equals(body)).toBe(true);
    }
  };
  const workers = Array.from({ length: 8 }, (_, worker) => load(worker));
  const body = randomBytes(30_000);
  for (let round = 0; round < 100; round++) {
    const peer = raw(port);
    peer.open([4, 1000 * (round % 20)]);
    const request = (id: number) => [
      wire.headers(id),
      wire.data(id, body.subarray(0, 15_000)),
      wire.data(id, body.subarray(15_000), 1),
    ];
    const bytes = Buffer.concat([1, 3, 5, 7].flatMap(request));
    peer.send(bytes.subarray(0, (bytes.length * ((round * 61) % 100)) / 100));
    await new Promise((resolve) => setTimeout(resolve, round % 5));
    peer.socket.resetAndDestroy();
  }
  isDone = true;
  await Promise.all(workers);
  await until(() => listener!.connections === 1 && told.filter((event) => event === 'released').length === lent);
  expect(told.some((event) => event.startsWith('reset'))).toBe(true);
});

describe('over TLS', () => {
  let pair: { key: Buffer; cert: Buffer };
  beforeAll(() => {
    pair = certificate();
  });

  test('HTTP/2 is agreed on by ALPN', async () => {
    const session = open(await start({ tls: pair }), { ca: pair.cert });
    const body = randomBytes(1 << 20);
    expect((await call(session, body)).body.equals(body)).toBe(true);
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) => call(session, Buffer.from(`${index}`))),
    );
    expect(answers.map((answer) => answer.body.toString())).toEqual(
      Array.from({ length: 100 }, (_, index) => `${index}`),
    );
  });

  test.each([
    ['no ALPN', undefined],
    ['another protocol', ['http/1.1']],
  ])('RFC 9113, 3.2: a client with %s is refused', async (_name, protocols) => {
    const port = await start({ tls: pair });
    const socket = connectTls({
      port,
      host: '127.0.0.1',
      ca: pair.cert,
      ...(protocols && { ALPNProtocols: protocols }),
    });
    clients.push(socket);
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('close', resolve));
  });

  test('RFC 9113, 9.2: TLS 1.1 is refused', async () => {
    const port = await start({ tls: pair });
    const socket = connectTls({
      port,
      host: '127.0.0.1',
      ca: pair.cert,
      ALPNProtocols: ['h2'],
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
    });
    clients.push(socket);
    const error = await new Promise<Error>((resolve) => socket.once('error', resolve));
    expect(error.message).toMatch(/protocol/i);
  });

  test('a client certificate may be demanded', async () => {
    const port = await start({ tls: { ...pair, ca: pair.cert, requestCert: true, rejectUnauthorized: true } });
    await expect(call(open(port, { ca: pair.cert }), Buffer.alloc(1))).rejects.toThrow();
    const answer = await call(open(port, { ca: pair.cert, ...pair }), Buffer.from('known'));
    expect(answer.body.toString()).toBe('known');
  });

  test('a TLS handshake that never ends is cut', async () => {
    const peer = raw(await start({ tls: pair, timeouts: { handshakeMs: 40 } }));
    await peer.closed();
  });
});

describe('time-outs', () => {
  test('a client that never begins is sent away', async () => {
    const peer = raw(await start({ timeouts: { handshakeMs: 40 } }));
    const { payload } = await peer.frame(isGoaway);
    expect(payload.readUInt32BE(4)).toBe(4);
    expect(payload.subarray(8).toString()).toBe('no HTTP/2 handshake in 40 ms');
    await peer.closed();
  });

  test('a client without streams is told to go', async () => {
    const peer = raw(await start({ timeouts: { idleMs: 40 } }));
    peer.open();
    const { payload } = await peer.frame(isGoaway);
    expect(payload.readUInt32BE(4)).toBe(0);
    await peer.closed();
  });

  test('an old connection is told to go, and cut when it does not', async () => {
    const events: string[] = [];
    const peer = raw(await start({ timeouts: { maxAgeMs: 40, maxAgeGraceMs: 40 } }, () => new Echo(events)));
    peer.open();
    peer.send(wire.headers(1));
    const { payload } = await peer.frame(isGoaway);
    expect(payload.readUInt32BE(4)).toBe(0);
    expect(events).toEqual([]);
    await peer.closed();
    expect(events).toEqual(['reset 0']);
  });

  test('a silent client is asked, and cut when it does not answer', async () => {
    const peer = raw(await start({ timeouts: { keepaliveMs: 40, keepaliveTimeoutMs: 40 } }));
    peer.open();
    const first = await peer.frame(({ type }) => type === wire.PING);
    peer.send(wire.frame(wire.PING, wire.ACK, 0, first.payload));
    peer.frames.splice(0);
    await peer.frame(({ type }) => type === wire.PING);
    await peer.closed();
  });

  test.each([
    ['half a field section', wire.frame(wire.HEADERS, 0, 1, Buffer.of(0x82))],
    ['half a frame header', Buffer.alloc(5)],
    ['half a SETTINGS', wire.settings([4, 1]).subarray(0, 12)],
  ])('%s ends the connection', async (_name, bytes) => {
    const peer = raw(await start({ timeouts: { headMs: 40 } }));
    peer.open();
    peer.send(bytes);
    const { payload } = await peer.frame(isGoaway);
    expect(payload.subarray(8).toString()).toBe('a frame or field section took over 40 ms');
    await peer.closed();
  });

  test('a connection that is always in the middle of another frame is let be', async () => {
    const peer = raw(await start({ timeouts: { headMs: 40 } }));
    peer.open();
    let left = wire.frame(wire.HEADERS, wire.END_HEADERS | wire.END_STREAM, 1, wire.block(...wire.requestFields));
    for (let id = 3; id < 43; id += 2) {
      const next = wire.headers(id, wire.END_STREAM);
      peer.send(left, next.subarray(0, 15));
      left = next.subarray(15);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(peer.frames.some(isGoaway)).toBe(false);
  });

  test('a body that does not come costs its stream', async () => {
    const events: string[] = [];
    const peer = raw(await start({ timeouts: { bodyMs: 40 } }, () => new Echo(events)));
    peer.open();
    peer.send(wire.headers(1), wire.data(1, 'a bit'));
    const { payload } = await peer.frame(({ type }) => type === wire.RST_STREAM);
    expect(payload.readUInt32BE(0)).toBe(8);
    expect(events).toEqual(['reset 8']);
    peer.send(wire.headers(3, wire.END_STREAM));
    await peer.frame(({ streamId }) => streamId === 3);
  });

  test('a window that stays at zero costs its stream, and its view comes back', async () => {
    const events: string[] = [];
    const peer = raw(await start({ timeouts: { stallMs: 40 } }, () => new Echo(events)));
    peer.open([4, 0]);
    peer.send(wire.headers(1), wire.data(1, 'answer me', wire.END_STREAM));
    await peer.frame(({ type }) => type === wire.RST_STREAM);
    expect(events.sort()).toEqual(['released', 'reset 8']);
  });

  test('a client that does not read its socket is cut', async () => {
    const port = await start({ timeouts: { stallMs: 100 } });
    const peer = raw(port);
    peer.socket.pause();
    peer.open([4, 2 ** 31 - 1]);
    peer.send(wire.windowUpdate(0, 2 ** 31 - 1 - 65_535));
    for (let id = 1; id < 100; id += 2) {
      peer.send(
        wire.headers(id),
        ...Array.from({ length: 20 }, () => wire.data(id, Buffer.alloc(16_000))),
        wire.data(id, '', 1),
      );
    }
    await until(() => listener!.connections === 1);
    await until(() => listener!.connections === 0);
  });
});

describe('limits', () => {
  test('connections over the limit are closed, and those open go on', async () => {
    const port = await start({ maxConnections: 1 });
    const session = open(port);
    await call(session, Buffer.alloc(0));
    await raw(port).closed();
    expect((await call(session, Buffer.from('still here'))).body.toString()).toBe('still here');
  });

  test('a client that asks and never reads is not read any further', async () => {
    const port = await start();
    const peer = raw(port);
    peer.socket.pause();
    peer.open([4, 2 ** 31 - 1]);
    peer.send(wire.windowUpdate(0, 2 ** 31 - 1 - 65_535));
    const body = Buffer.alloc(10_000);
    let id = 1;
    let accepted = 0;
    while (peer.socket.writableLength < 8 << 20 && id < 400_000) {
      accepted += Number(peer.socket.write(Buffer.concat([wire.headers(id), wire.data(id, body, 1)])));
      id += 2;
      // The server is given time enough to read all of it.
      if (id % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(peer.socket.writableLength).toBeGreaterThanOrEqual(8 << 20);
    expect(accepted).toBeGreaterThan(0);
    peer.socket.resume();
    await until(() => peer.frames.filter(({ type }) => type === wire.HEADERS).length === id - 1);
  });
});

describe('shutting down', () => {
  test('drain finishes what is open, and takes nothing more', async () => {
    const waiting: Http2Stream[] = [];
    const port = await start({}, (stream) => {
      waiting.push(stream);
      return Object.assign(new Echo(), { onEnd() {} });
    });
    const session = open(port);
    const answer = call(session, Buffer.alloc(10));
    await until(() => waiting.length === 1);
    let isDrained = false;
    const drained = listener!.drain().then(() => {
      isDrained = true;
    });
    await new Promise((resolve) => session.once('goaway', resolve));
    await expect(call(open(port), Buffer.alloc(0))).rejects.toThrow();
    expect(isDrained).toBe(false);
    waiting[0]!.end(grpcFields);
    expect(await answer).toMatchObject({ status: 200 });
    await drained;
    expect(listener!.connections).toBe(0);
  });

  test('drain of idle connections is quick, also for clients that do not answer', async () => {
    const port = await start({ timeouts: { drainMs: 40 } });
    const session = open(port);
    await call(session, Buffer.alloc(0));
    const deaf = raw(port);
    deaf.open();
    await deaf.frame(({ type, flags }) => type === wire.SETTINGS && flags === wire.ACK);
    await listener!.drain();
    await deaf.closed();
    expect(deaf.frames.filter(isGoaway).map(({ payload }) => payload.readUInt32BE(0))).toEqual([2 ** 31 - 1, 0]);
  });

  test('what a client says behind our last word is dropped', async () => {
    const peer = raw(await start({ timeouts: { idleMs: 40 } }));
    peer.socket.removeAllListeners('end');
    peer.open();
    await peer.frame(isGoaway);
    for (let count = 0; count < 20; count++) peer.send(wire.ping);
    await peer.closed();
    expect(peer.frames.filter(({ type, flags }) => type === wire.PING && flags === wire.ACK)).toEqual([]);
  });

  test('close cuts what is open', async () => {
    const events: string[] = [];
    const peer = raw(await start({}, () => new Echo(events)));
    peer.open();
    peer.send(wire.headers(1));
    await peer.frame(({ type, flags }) => type === wire.SETTINGS && flags === wire.ACK);
    await listener!.close();
    expect(events).toEqual(['reset 8']);
    await peer.closed();
  });
});

describe('failures', () => {
  test('a port that is taken', async () => {
    const port = await start();
    await expect(serve({ port })).rejects.toThrow(`cannot listen on 127.0.0.1:${port}: the port is taken`);
  });

  test('a handler that throws ends its connection, and no other', async () => {
    const errors: string[] = [];
    const log: Log = { ...silentLog, error: (message) => void errors.push(message) };
    const port = await start({ log }, (_stream, request) => {
      if (request.path === '/bad') throw new Error('the handler is broken');
      return new Echo();
    });
    const good = open(port);
    await call(good, Buffer.alloc(0));
    await expect(call(open(port), Buffer.alloc(0), '/bad')).rejects.toThrow();
    expect(errors[0]).toContain('the handler is broken');
    expect((await call(good, Buffer.from('ok'))).body.toString()).toBe('ok');
  });

  test('a violation is answered by GOAWAY with its reason, and logged', async () => {
    const lines: string[] = [];
    const log: Log = { ...silentLog, verbose: (_level, message) => void lines.push(message) };
    const peer = raw(await start({ log }));
    peer.send(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    const { payload } = await peer.frame(isGoaway);
    expect(payload.subarray(8).toString()).toBe('expected the HTTP/2 preface, found something else');
    await peer.closed();
    expect(lines).toEqual(['HTTP/2 client 127.0.0.1: expected the HTTP/2 preface, found something else']);
  });

  test('two listeners know nothing of each other', async () => {
    const other = await serve({}, () =>
      Object.assign(new Echo(), { onEnd: (stream: Http2Stream) => stream.end(grpcFields) }),
    );
    const session = open(await start());
    const otherSession = open(other.port);
    expect((await call(session, Buffer.from('x'))).body.toString()).toBe('x');
    expect((await call(otherSession, Buffer.from('x'))).body.toString()).toBe('');
    await other.close();
    expect((await call(session, Buffer.from('y'))).body.toString()).toBe('y');
  });
});
