import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { HttpExchange, HttpHandler, HttpLimits } from '../../../src/protocols/http/engine.js';
import { CountingOwner, plain } from '../../protocols/http/engine-fixture.js';
import {
  type BytesClient,
  clientFrame,
  EchoTaker,
  IdleTaker,
  serverFrame,
  turn,
  UpgradeFixture,
  upgradeHead,
  wires,
} from './upgrade-fixture.js';

const MEGABYTE = 1024 * 1024;

const host = 'Host: a\r\n';
const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\n${host}${more}\r\n`;
const asking = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';

const name: HttpHandler = (exchange) => exchange.reply(200, plain, Buffer.from(`<${exchange.path}>`));
const head101 = 'HTTP/1.1 101 Switching Protocols\r\n';

/** What came behind the head of the 101. */
const framesOf = ({ received }: BytesClient) =>
  received.slice(received.indexOf('\r\n\r\n', received.indexOf(head101)) + 4);

describe.each(wires)('upgrades over $name', (wire) => {
  let fixture: UpgradeFixture;
  const sockets: WebSocket[] = [];

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.terminate();
    await fixture.stop();
  });

  async function start<T extends EchoTaker | IdleTaker>(
    taker: T,
    handler: HttpHandler = name,
    limits: Partial<HttpLimits> = {},
  ): Promise<T> {
    fixture = await UpgradeFixture.start(wire, taker, handler, limits);
    return taker;
  }

  async function open(): Promise<WebSocket> {
    const socket = new WebSocket(fixture.url, { rejectUnauthorized: false });
    sockets.push(socket);
    await once(socket, 'open');
    return socket;
  }

  async function echo(socket: WebSocket, message: string | Buffer): Promise<boolean> {
    socket.send(message);
    const [data, isBinary] = (await once(socket, 'message')) as [Buffer, boolean];
    return isBinary === (typeof message !== 'string') && data.equals(Buffer.from(message as string));
  }

  async function taken(taker: EchoTaker | IdleTaker): Promise<Socket> {
    while (taker.sockets.length === 0) await turn();
    return taker.sockets[0]!;
  }

  /** Reads all of `socket` from now on, after `rest`. */
  function collect(socket: Socket, rest: Buffer): Buffer[] {
    const chunks = [rest];
    socket.on('data', (chunk) => chunks.push(chunk));
    return chunks;
  }

  describe('messages', () => {
    test.each([0, 125, 126, 65535, 65536, 5 * MEGABYTE])('of %i bytes come back, text and binary', async (size) => {
      await start(new EchoTaker());
      const socket = await open();
      expect(await echo(socket, 'é'.padEnd(size, 'x').slice(0, size))).toBe(true);
      expect(await echo(socket, randomBytes(size))).toBe(true);
    });

    test('of two connections that share a read buffer do not mix', async () => {
      await start(new EchoTaker());
      const pair = [await open(), await open()];
      const echoes = pair.map((socket) => echo(socket, randomBytes(3 * MEGABYTE)));
      expect(await Promise.all(echoes)).toEqual([true, true]);
    });

    test('wait for a server that does not read, and for a client that does not', async () => {
      const taker = await start(new EchoTaker());
      const socket = await open();
      const messages = Array.from({ length: 8 }, () => randomBytes(2 * MEGABYTE));
      const received: Buffer[] = [];
      socket.on('message', (data) => received.push(data as Buffer));
      taker.clients[0]!.pause();
      for (const message of messages) socket.send(message);
      for (let round = 0; round < 50; round++) await turn();
      expect(received.length).toBe(0);
      socket.pause();
      taker.clients[0]!.resume();
      while (taker.clients[0]!.bufferedAmount < MEGABYTE) await turn();
      socket.resume();
      while (received.length < messages.length) await turn();
      expect(received.every((data, index) => data.equals(messages[index]!))).toBe(true);
    });
  });

  describe('the head', () => {
    test('may share its segment with the first frames', async () => {
      await start(new EchoTaker());
      const client = await fixture.connect();
      await client.write(upgradeHead + clientFrame('one') + clientFrame('two').slice(0, 3));
      await client.until(serverFrame('one'));
      await client.write(clientFrame('two').slice(3));
      await client.until(serverFrame('two'));
      expect(framesOf(client)).toBe(serverFrame('one') + serverFrame('two'));
    });

    test('may be cut anywhere, and so may the first frame', async () => {
      await start(new EchoTaker());
      const bytes = upgradeHead + clientFrame('one');
      for (let cut = 1; cut < bytes.length; cut++) {
        const client = await fixture.connect();
        await client.write(bytes.slice(0, cut));
        await turn();
        await client.write(bytes.slice(cut));
        await client.until(serverFrame('one'));
        client.socket.destroy();
      }
    });

    test('may come byte by byte, and so may the first frame', async () => {
      await start(new EchoTaker());
      const client = await fixture.connect();
      for (const byte of upgradeHead + clientFrame('one')) await client.write(byte);
      await client.until(serverFrame('one'));
      expect(framesOf(client)).toBe(serverFrame('one'));
    });

    test('is handed on as node:http would: lower-case names, repeated fields joined, the target with its query', async () => {
      const taker = await start(new IdleTaker());
      const client = await fixture.connect();
      const fields = 'X-A: 1\r\nx-a: 2\r\nCookie: a=1\r\ncookie: b=2\r\n__proto__: 3\r\nconstructor: 4\r\n';
      await client.write(`\r\n${get('/ws?a=b?c', fields + asking)}`);
      await taken(taker);
      const { headers, ...line } = taker.requests[0]!;
      expect(line).toEqual({ method: 'GET', url: '/ws?a=b?c', httpVersion: '1.1' });
      expect(Object.entries(headers)).toEqual([
        ['host', 'a'],
        ['x-a', '1, 2'],
        ['cookie', 'a=1; b=2'],
        ['__proto__', '3'],
        ['constructor', '4'],
        ['connection', 'Upgrade'],
        ['upgrade', 'websocket'],
      ]);
    });

    test('longer than heads are kept is handed on whole', async () => {
      const taker = await start(new IdleTaker());
      const client = await fixture.connect();
      const long = 'x'.repeat(5000);
      await client.write(get('/ws', `${asking}X-Long: ${long}\r\n`));
      await taken(taker);
      expect(taker.requests[0]!.headers['x-long']).toBe(long);
    });

    test.each([
      ['a list of options', 'Connection: keep-alive , UPGRADE\r\nUpgrade: websocket\r\n', ['websocket']],
      ['options in two fields', 'Connection: te\r\nUpgrade: websocket\r\nConnection: upgrade\r\n', ['websocket']],
      ['a list of protocols', 'Connection: upgrade\r\nUpgrade: h2c, , WebSocket, c\r\n', ['h2c', 'websocket']],
      [
        'protocols in two fields',
        'Connection: upgrade\r\nUpgrade: h2c\r\nUpgrade: WEBSOCKET\r\n',
        ['h2c', 'websocket'],
      ],
      ['a length of 0', `Content-Length: 0\r\n${asking}`, ['websocket']],
    ])('9110 7.8: may have %s', async (_, fields, protocols) => {
      const taker = await start(new IdleTaker());
      await (await fixture.connect()).write(get('/ws', fields));
      await taken(taker);
      expect(taker.asked).toEqual(protocols.map((protocol) => `/ws ${protocol}`));
    });
  });

  describe('9110 7.8: answered as if it asked for nothing', () => {
    const ignored: readonly (readonly [string, string, boolean])[] = [
      ['a path that is not taken', get('/other', asking), true],
      ['a protocol that is not taken', get('/ws', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n'), true],
      ['another method', `OPTIONS /ws HTTP/1.1\r\n${host}${asking}\r\n`, false],
      ['a body', `${get('/ws', `Content-Length: 3\r\n${asking}`)}abc`, false],
      ['a body in chunks', `${get('/ws', `Transfer-Encoding: chunked\r\n${asking}`)}3\r\nabc\r\n0\r\n\r\n`, false],
      ['no option in Connection', get('/ws', 'Upgrade: websocket\r\n'), false],
      ['another option in Connection', get('/ws', 'Connection: upgraded\r\nUpgrade: websocket\r\n'), false],
      ['the option, and no protocol', get('/ws', 'Connection: upgrade\r\n'), false],
      ['the option, and an empty list', get('/ws', 'Connection: upgrade\r\nUpgrade: ,\r\n'), false],
      ['HTTP/1.0', `GET /ws HTTP/1.0\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n`, false],
    ];

    test.each(ignored)('%s', async (_, request, isAsked) => {
      const taker = await start(new IdleTaker());
      const client = await fixture.connect();
      await client.write(request);
      await client.until('>');
      // The connection goes on, and the same head is as little an upgrade when it is known.
      await client.write(request + get('/last'));
      await client.until('</last>');
      expect(client.received.match(/HTTP\/1.1 200 OK/g)?.length).toBe(3);
      expect([taker.asked.length > 0, taker.sockets.length]).toEqual([isAsked, 0]);
    });

    test('a connection that the client closes', async () => {
      const taker = await start(new IdleTaker());
      const client = await fixture.connect();
      await client.write(get('/ws', 'Connection: close, Upgrade\r\nUpgrade: websocket\r\n'));
      await client.closed();
      expect([client.received.endsWith('</ws>'), taker.sockets.length]).toEqual([true, 0]);
    });

    test('a server that stops', async () => {
      const taker = await start(new IdleTaker());
      const client = await fixture.connect();
      await client.write(get('/1') + upgradeHead.slice(0, 10));
      await client.until('</1>');
      // A connection on which a request has begun is not closed.
      fixture.engine.listener.drain();
      await client.write(upgradeHead.slice(10));
      await client.closed();
      expect([client.received.endsWith('</ws>'), taker.sockets.length]).toEqual([true, 0]);
    });
  });

  describe('behind other requests', () => {
    async function startWaiting<T extends EchoTaker | IdleTaker>(taker: T): Promise<[T, HttpExchange[], BytesClient]> {
      const waiting: HttpExchange[] = [];
      await start(taker, (exchange) => void waiting.push(exchange));
      return [taker, waiting, await fixture.connect()];
    }

    test('those are answered first, in order, and what comes meanwhile waits', async () => {
      const [taker, waiting, client] = await startWaiting(new EchoTaker());
      await client.write(get('/1') + get('/2') + upgradeHead + clientFrame('one'));
      while (waiting.length < 2) await turn();
      await client.write(clientFrame('two'));
      name(waiting[1]!);
      for (let round = 0; round < 20; round++) await turn();
      expect([client.received, taker.sockets.length]).toEqual(['', 0]);
      name(waiting[0]!);
      await client.until(serverFrame('one') + serverFrame('two'));
      const [first, second, switched] = ['</1>', '</2>', head101].map((text) => client.received.indexOf(text));
      expect(0 < first! && first! < second! && second! < switched!).toBe(true);
      expect(framesOf(client)).toBe(serverFrame('one') + serverFrame('two'));
    });

    test('more than are worked on at a time', async () => {
      const [, waiting, client] = await startWaiting(new EchoTaker());
      const requests = Array.from({ length: 200 }, (_, index) => get(`/${index}`)).join('');
      await client.write(requests + upgradeHead + clientFrame('one'));
      for (let answered = 0; answered < 200; answered++) {
        while (waiting.length === 0) await turn();
        name(waiting.shift()!);
      }
      await client.until(serverFrame('one'));
      expect(client.received.match(/200 OK/g)?.length).toBe(200);
      await client.write(clientFrame('two'));
      await client.until(serverFrame('two'));
    });

    test('a large answer is written to its end first', async () => {
      const body = Buffer.alloc(20 * MEGABYTE, 'x');
      await start(new EchoTaker(), (exchange) => exchange.send(200, plain, [body]));
      const client = await fixture.connect();
      client.socket.pause();
      await client.write(get('/1') + upgradeHead + clientFrame('one'));
      for (let round = 0; round < 20; round++) await turn();
      client.socket.resume();
      await client.until(serverFrame('one'));
      const [, ...behind] = client.received.split('\r\n\r\n');
      expect(behind[0]!.indexOf(head101)).toBe(body.length);
    });

    test('it is given up where the client goes before', async () => {
      const [taker, waiting, client] = await startWaiting(new IdleTaker());
      await client.write(get('/1') + upgradeHead);
      while (waiting.length === 0) await turn();
      const owner = new CountingOwner();
      waiting[0]!.owner = owner;
      client.socket.end();
      await client.closed();
      await owner.ended;
      expect([owner.sent, owner.aborted, taker.sockets.length]).toEqual([0, 1, 0]);
    });

    test('it is given up where the server stops before, which drops what comes, so that the answer is not lost', async () => {
      const [taker, waiting, client] = await startWaiting(new IdleTaker());
      await client.write(get('/1') + upgradeHead);
      while (waiting.length === 0) await turn();
      fixture.engine.listener.drain();
      const written = client.write('x'.repeat(16 * MEGABYTE));
      for (let round = 0; round < 20; round++) await turn();
      name(waiting[0]!);
      await written;
      await client.closed();
      expect(client.error).toBe('');
      await fixture.engine.listener.idle();
      expect(client.received).toContain('Connection: close\r\n');
      expect([client.received.endsWith('</1>'), taker.sockets.length]).toEqual([true, 0]);
    });
  });

  describe('the socket', () => {
    test('keeps what comes before anybody listens, and no more than a bound', async () => {
      const taker = await start(new IdleTaker());
      const client = await fixture.connect();
      const bytes = randomBytes(32 * MEGABYTE);
      client.socket.write(upgradeHead);
      client.socket.end(bytes);
      const socket = await taken(taker);
      while (socket.readableLength < socket.readableHighWaterMark) await turn();
      for (let round = 0; round < 100; round++) await turn();
      expect(socket.readableLength).toBeLessThan(MEGABYTE);
      const chunks = collect(socket, taker.rests[0]!);
      await once(socket, 'end');
      expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
      socket.end();
      await client.closed();
    });

    test('may be paused and resumed, and iterated', async () => {
      const taker = await start(new IdleTaker());
      const client = await fixture.connect();
      const bytes = randomBytes(8 * MEGABYTE);
      client.socket.write(upgradeHead);
      client.socket.end(bytes);
      const socket = await taken(taker);
      const chunks = [taker.rests[0]!];
      for await (const chunk of socket) {
        chunks.push(chunk as Buffer);
        if (chunks.length % 10 === 0) await turn();
      }
      expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
    });

    test('has no listeners of HTTP but those that count it and keep the process up', async () => {
      const taker = await start(new IdleTaker());
      const client = await fixture.connect();
      await client.write(upgradeHead);
      const socket = await taken(taker);
      expect(['data', 'readable', 'drain', 'timeout'].map((event) => socket.listenerCount(event))).toEqual([
        0, 0, 0, 0,
      ]);
      expect(socket.listenerCount('end')).toBe(new Socket().listenerCount('end'));
      expect([socket.readableFlowing, socket.timeout ?? 0]).toEqual([null, 0]);
    });

    test.skipIf(wire.isTls)('that is reset before anybody listens does no harm', async () => {
      const taker = await start(new IdleTaker());
      const client = await fixture.connect();
      await client.write(upgradeHead);
      await taken(taker);
      client.socket.resetAndDestroy();
      while (fixture.engine.listener.connections > 0) await turn();
    });

    test('is under no time-out of HTTP', async () => {
      const taker = await start(new EchoTaker(), name, { idleTimeoutMs: 40, bodyTimeoutMs: 40 });
      const socket = await open();
      // Each of them is closed for being idle, while the upgraded one is as idle.
      for (let round = 0; round < 3; round++) await (await fixture.connect()).closed();
      expect(await echo(socket, 'still here')).toBe(true);
      expect(taker.sockets.length).toBe(1);
    });
  });

  describe('the end', () => {
    test('may come from the client', async () => {
      const taker = await start(new EchoTaker());
      const socket = await open();
      socket.close(4000, 'enough');
      const [code, reason] = (await once(taker.clients[0]!, 'close')) as [number, Buffer];
      expect([code, reason.toString()]).toEqual([4000, 'enough']);
      while (fixture.engine.listener.connections > 0) await turn();
    });

    test('may come from the server', async () => {
      const taker = await start(new EchoTaker());
      const socket = await open();
      taker.clients[0]!.close(4001, 'no more');
      const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
      expect([code, reason.toString()]).toEqual([4001, 'no more']);
      while (fixture.engine.listener.connections > 0) await turn();
    });

    test('may come abruptly', async () => {
      const taker = await start(new EchoTaker());
      const socket = await open();
      socket.terminate();
      const [code] = (await once(taker.clients[0]!, 'close')) as [number];
      expect(code).toBe(1006);
      while (fixture.engine.listener.connections > 0) await turn();
    });

    test('may come from ws, which answers a handshake that is none itself', async () => {
      await start(new EchoTaker());
      const client = await fixture.connect();
      await client.write(get('/ws', `${asking}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n`));
      await client.closed();
      expect(client.received.startsWith('HTTP/1.1 400 Bad Request\r\n')).toBe(true);
    });

    test('comes when the server closes, which waits for none of them to drain', async () => {
      const taker = await start(new EchoTaker());
      const socket = await open();
      const { listener } = fixture.engine;
      const closed = once(socket, 'close');
      listener.drain();
      await listener.idle();
      expect(taker.drained).toEqual(taker.sockets);
      expect(listener.connections).toBe(1);
      expect(await echo(socket, 'still here')).toBe(true);
      await listener.close();
      expect(listener.connections).toBe(0);
      expect((await closed)[0]).toBe(1006);
    });
  });

  test('an upgraded connection counts as one', async () => {
    await start(new EchoTaker(), name, { maxConnections: 1 });
    const socket = await open();
    const second = await fixture.connect();
    await second.closed();
    expect(second.received.startsWith('HTTP/1.1 429 ')).toBe(true);
    socket.terminate();
    while (fixture.engine.listener.connections > 0) await turn();
    expect(await echo(await open(), 'third')).toBe(true);
  });
});
