import { readFileSync } from 'node:fs';
import { createServer, Socket } from 'node:net';
import { connect, createServer as createTlsServer } from 'node:tls';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { HttpExchange, HttpHandler, HttpLimits } from '../../../src/protocols/http/engine.js';
import { type MakeServer, NetEngine } from '../../../src/protocols/http/net.js';
import { runEngineContract } from './engine.contract.js';
import { CountingOwner, Deferred, EchoSink, EngineFixture, plain } from './engine-fixture.js';
import type { RawAnswer, RawClient } from './raw-client.js';
import { runStreamedAnswerContract } from './streamed-answer.contract.js';

const host = 'Host: a\r\n';
const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\n${host}${more}\r\n`;
const post = (path: string, body: string, more = '') =>
  `POST ${path} HTTP/1.1\r\n${host}Content-Length: ${body.length}\r\n${more}\r\n${body}`;

const MEGABYTE = 1024 * 1024;

const echo: HttpHandler = (exchange) => exchange.readBody(new EchoSink());
const name: HttpHandler = (exchange) => exchange.reply(200, plain, Buffer.from(`${exchange.method} ${exchange.path}`));

const text = (answer: RawAnswer | null) => (answer === null ? '(closed)' : answer.body.toString());
const turn = () => new Promise((resolve) => setImmediate(resolve));
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('the net engine', () => {
  const makeEngine = () => new NetEngine();
  describe('requests and answers', () => runEngineContract({ makeEngine, skip: {} }));
  runStreamedAnswerContract({ makeEngine, skip: {} });
});

/** Is no Socket of `net` by its constructor, as those of TLS are not. */
class OtherSocket extends Socket {}

/** As with TLS, or a Node that lets nobody have the handle of a connection. */
const withPlainReads: MakeServer = (onConnection) =>
  createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    Object.setPrototypeOf(socket, OtherSocket.prototype);
    onConnection(socket);
  });

describe('the net engine, reading by events', () => {
  const makeEngine = () => new NetEngine(withPlainReads);
  describe('requests and answers', () => runEngineContract({ makeEngine, skip: {} }));
  runStreamedAnswerContract({ makeEngine, skip: {} });
});

describe('our own HTTP/1.1', () => {
  let fixture: EngineFixture;

  async function start(handler: HttpHandler, limits: Partial<HttpLimits> = {}): Promise<RawClient> {
    fixture = await EngineFixture.start(new NetEngine(), handler, limits);
    return fixture.connect();
  }

  afterEach(() => fixture.stop());

  describe('connections', () => {
    test('9112 9.3: HTTP/1.0 keeps its connection where it asks to, and is told so', async () => {
      const client = await start(name);
      for (const path of ['/1', '/2']) {
        const answer = await client.ask(`GET ${path} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`);
        expect([text(answer), answer!.headers.get('connection')]).toEqual([`GET ${path}`, 'keep-alive']);
      }
      const last = await client.ask('GET /3 HTTP/1.0\r\n\r\n');
      expect([text(last), last!.headers.get('connection')]).toEqual(['GET /3', 'close']);
      await client.closed;
    });

    test('an answer in pieces may pause for longer than a connection may be idle', async () => {
      const given = new Deferred<HttpExchange>();
      const client = await start((exchange) => given.resolve(exchange), { idleTimeoutMs: 100 });
      client.socket.write(get('/'));
      const exchange = await given.promise;
      exchange.begin(200, plain);
      exchange.write(Buffer.from('a'));
      await (await fixture.connect()).closed;
      await (await fixture.connect()).closed;
      exchange.write(Buffer.from('b'));
      exchange.end();
      expect(text(await client.answer())).toBe('ab');
    });

    test('9112 9.6: nothing is read behind a request that is the last by its own words', async () => {
      const paths: string[] = [];
      const client = await start((exchange) => {
        paths.push(exchange.path);
        name(exchange);
      });
      const answer = await client.ask(get('/1', 'Connection: close\r\n') + get('/2'));
      expect([text(answer), answer!.headers.get('connection')]).toEqual(['GET /1', 'close']);
      expect(await client.answer()).toBeNull();
      expect(paths).toEqual(['/1']);
    });

    test('9112 9.6: nor while that one is worked on', async () => {
      const waiting: HttpExchange[] = [];
      const client = await start((exchange) => void waiting.push(exchange));
      client.socket.write(get('/1', 'Connection: close\r\n') + get('/2'));
      while (waiting.length === 0) await turn();
      await pause(20);
      for (const exchange of waiting) name(exchange);
      expect([text(await client.answer()), await client.answer(), waiting.length]).toEqual(['GET /1', null, 1]);
    });

    test('9112 9.6: a client that has sent all of its last request may take its time to close', async () => {
      const client = await start(name);
      client.socket.write(get('/1', 'Connection: close\r\n') + 'x'.repeat(MEGABYTE));
      expect(text(await client.answer())).toBe('GET /1');
    });

    test('9110 6.6.1: every answer has a Date', async () => {
      const client = await start(name);
      for (const request of [get('/'), 'garbage\r\n\r\n']) {
        const date = Date.parse((await client.ask(request))!.headers.get('date')!);
        expect(Math.abs(date - Date.now())).toBeLessThan(5000);
      }
    });

    test('9112 9.3.2: no more than 64 requests of a connection are worked on at a time', async () => {
      const waiting: HttpExchange[] = [];
      const client = await start((exchange) => void waiting.push(exchange));
      client.socket.write(Array.from({ length: 200 }, (_, index) => get(`/${index}`)).join(''));
      for (let answered = 0; answered < 200; answered++) {
        while (waiting.length === 0) await turn();
        await turn();
        expect(waiting.length).toBeLessThanOrEqual(64);
        name(waiting.shift()!);
        expect(text(await client.answer())).toBe(`GET /${answered}`);
      }
    });

    test('9112 9.3.2: requests that wait to be read are those that were sent, whatever others send meanwhile', async () => {
      const waiting: HttpExchange[] = [];
      const client = await start((exchange) => {
        if (exchange.method === 'POST') echo(exchange);
        else waiting.push(exchange);
      });
      client.socket.write(Array.from({ length: 200 }, (_, index) => get(`/${index}`)).join(''));
      while (waiting.length < 64) await turn();
      const other = await fixture.connect();
      expect(text(await other.ask(post('/', '!'.repeat(50_000))))).toBe('!'.repeat(50_000));
      for (let answered = 0; answered < 200; answered++) {
        while (waiting.length === 0) await turn();
        name(waiting.shift()!);
        expect(text(await client.answer())).toBe(`GET /${answered}`);
      }
    });

    test('9112 9.3.2: requests that came together in thousands do not keep others waiting', async () => {
      const came: string[] = [];
      const client = await start((exchange) => {
        came.push(exchange.path);
        // Is in the kernel when it returns, as the rest of the many is.
        if (came.length === 1) other.socket.write(get('/other'));
        name(exchange);
      });
      const other = await fixture.connect();
      client.socket.write(get('/').repeat(1500));
      expect(text(await other.answer())).toBe('GET /other');
      expect(came.indexOf('/other')).toBeLessThan(300);
      for (let nth = 0; nth < 1500; nth++) expect(text(await client.answer())).toBe('GET /');
    });

    test('9112 9.3.2: answers to requests that came together leave together', async () => {
      const client = await start(name);
      let chunks = 0;
      client.socket.on('data', () => chunks++);
      client.socket.write(Array.from({ length: 50 }, (_, index) => get(`/${index}`)).join(''));
      for (let index = 0; index < 50; index++) expect(text(await client.answer())).toBe(`GET /${index}`);
      expect(chunks).toBeLessThan(5);
    });

    test('9112 9.3.2: requests are not read while their answers are not', async () => {
      const large = new Uint8Array(60_000);
      let calls = 0;
      const client = await start((exchange) => {
        calls++;
        exchange.reply(200, plain, large);
      });
      client.socket.pause();
      client.socket.write(get('/').repeat(5000));
      await pause(200);
      const before = calls;
      expect(before).toBeLessThan(1000);
      await pause(100);
      expect(calls).toBe(before);
      client.socket.resume();
      for (let index = 0; index < 5000; index++) expect((await client.answer())!.body.length).toBe(60_000);
    });

    test('9112 9.5: a client that takes none of its answer is cut off after the idle time, and its owner told', async () => {
      const owner = new CountingOwner();
      const client = await start(
        (exchange) => {
          exchange.owner = owner;
          exchange.send(200, plain, [new Uint8Array(20 * MEGABYTE)]);
        },
        { idleTimeoutMs: 200 },
      );
      client.socket.pause();
      client.socket.write(get('/'));
      await owner.ended;
      expect([owner.sent, owner.aborted]).toEqual([0, 1]);
      expect(fixture.listener.connections).toBe(0);
    });

    test('9112 9.5: a slow reader that gets on is not cut off', async () => {
      const client = await start((exchange) => exchange.send(200, plain, [new Uint8Array(20 * MEGABYTE)]), {
        idleTimeoutMs: 300,
      });
      client.socket.write(get('/'));
      const ended = client.answer();
      for (let megabytes = 1; megabytes < 20; megabytes++) {
        while (client.socket.bytesRead < megabytes * MEGABYTE) await turn();
        client.socket.pause();
        await pause(40);
        client.socket.resume();
      }
      expect((await ended)?.body.length).toBe(20 * MEGABYTE);
    });

    test('9110 7.8: Upgrade may be ignored', async () => {
      const client = await start(name);
      const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n';
      expect(text(await client.ask(get('/x', upgrade)))).toBe('GET /x');
      expect(text(await client.ask(get('/y')))).toBe('GET /y');
    });
  });

  describe('time', () => {
    test('9110 15.5.9: a head that does not come gets 408', async () => {
      const client = await start(name, { bodyTimeoutMs: 150 });
      expect((await client.ask('GET / HT'))?.status).toBe(408);
      await client.closed;
    });

    test('9110 15.5.9: a head that comes byte by byte gets 408 too', async () => {
      const client = await start(name, { bodyTimeoutMs: 200 });
      const writing = setInterval(() => client.socket.write('X-A: b\r\n'), 20);
      expect((await client.ask('GET / HTTP/1.1\r\n'))?.status).toBe(408);
      clearInterval(writing);
      await client.closed;
    });

    test('9110 15.5.9: a chunked body that stops gets 408 behind the answers before it', async () => {
      const first = new Deferred<HttpExchange>();
      const client = await start((exchange) => (exchange.path === '/1' ? first.resolve(exchange) : echo(exchange)), {
        bodyTimeoutMs: 150,
      });
      client.socket.write(`${get('/1')}POST /2 HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n5\r\nab`);
      await pause(400);
      name(await first.promise);
      expect(text(await client.answer())).toBe('GET /1');
      expect((await client.answer())?.status).toBe(408);
      await client.closed;
    });

    test('a body that stops behind its answer closes the connection without another', async () => {
      const client = await start(name, { bodyTimeoutMs: 150 });
      expect(text(await client.ask(`POST /x HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nab`))).toBe('POST /x');
      expect(await client.answer()).toBeNull();
    });

    test('requests that never end at the end of a segment are in time, each by itself', async () => {
      const client = await start(name, { bodyTimeoutMs: 150 });
      const request = get('/x');
      await client.write(request.slice(0, 9));
      for (let round = 0; round < 30; round++) {
        await pause(15);
        expect(text(await client.ask(request.slice(9) + request.slice(0, 9)))).toBe('GET /x');
      }
    });

    test('a body has as long as its head had', async () => {
      const client = await start(echo, { bodyTimeoutMs: 800 });
      await client.write('POST / HTTP/1.1\r\n');
      await pause(500);
      await client.write(`${host}Content-Length: 3\r\n\r\n`);
      await pause(500);
      expect(text(await client.ask('abc'))).toBe('abc');
    });

    test('a connection that is used is not idle, however old it is', async () => {
      const client = await start(name, { idleTimeoutMs: 400 });
      for (let round = 0; round < 8; round++) {
        expect(text(await client.ask(get('/')))).toBe('GET /');
        await pause(100);
      }
    });

    test('a connection that says nothing at all is closed after the idle time, without a word', async () => {
      const client = await start(name, { idleTimeoutMs: 100 });
      expect(await client.answer()).toBeNull();
      await client.closed;
    });

    test('9112 2.2: an empty line behind a body does not begin a request that is late', async () => {
      const client = await start(name, { bodyTimeoutMs: 100 });
      expect(text(await client.ask(`${get('/x')}\r\n`))).toBe('GET /x');
      await pause(300);
      expect(text(await client.ask(get('/y')))).toBe('GET /y');
    });
  });

  describe('9110 10.1.1: Expect: 100-continue', () => {
    const expecting = (path: string) =>
      `POST ${path} HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n`;

    test('is not answered where the body comes with it', async () => {
      const client = await start(echo);
      expect(text(await client.ask(`${expecting('/')}abc`))).toBe('abc');
      expect(text(await client.ask(post('/', 'def')))).toBe('def');
    });

    test('closes the connection where the body is not asked for', async () => {
      const client = await start(name);
      const answer = await client.ask(expecting('/x'));
      expect([text(answer), answer!.headers.get('connection')]).toEqual(['POST /x', 'close']);
      await client.closed;
    });

    test('is answered behind the answers before it', async () => {
      const first = new Deferred<HttpExchange>();
      const client = await start((exchange) => (exchange.path === '/1' ? first.resolve(exchange) : echo(exchange)));
      client.socket.write(get('/1') + expecting('/2'));
      name(await first.promise);
      expect(text(await client.answer())).toBe('GET /1');
      expect((await client.answer())?.status).toBe(100);
      expect(text(await client.ask('abc'))).toBe('abc');
    });

    test('of anything else gets 417', async () => {
      const client = await start(echo);
      const answer = await client.ask(post('/', 'abc', 'Expect: the-impossible\r\n'));
      expect([answer?.status, answer!.headers.get('connection')]).toEqual([417, 'close']);
    });
  });

  describe('refusals', () => {
    test('9110 9.3.2: of HEAD have no body', async () => {
      const client = await start(name);
      client.socket.write(`HEAD / HTTP/1.1\r\n${host}${host}\r\n`);
      expect((await client.answer(true))?.status).toBe(400);
      await client.closed;
      expect(await client.answer(true)).toBeNull();
    });

    test('of a body whose request was answered close the connection without another answer', async () => {
      const client = await start(name);
      const head = `POST /x HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n`;
      expect(text(await client.ask(`${head}zz\r\n`))).toBe('POST /x');
      expect(await client.answer()).toBeNull();
    });

    test('have the status of their kind', async () => {
      await start(name, { maxHeaderBytes: 1000 });
      const cases: readonly [number, string][] = [
        [400, 'GET / HTTP/1.1\r\n\r\n'],
        [400, 'GET / HTTP/1.1\nHost: a\n\n'],
        [414, get(`/${'a'.repeat(1000)}`)],
        [431, get('/', `X: ${'y'.repeat(1000)}\r\n`)],
        [501, 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n'],
        [505, 'GET / HTTP/2.0\r\nHost: a\r\n\r\n'],
      ];
      for (const [status, request] of cases) {
        const client = await fixture.connect();
        const answer = await client.ask(request);
        expect([answer?.status, answer!.headers.get('connection')]).toEqual([status, 'close']);
        await client.closed;
      }
    });
  });

  test('an owner that was told of a refusal is not told again that the client has gone', async () => {
    const owner = new CountingOwner();
    const client = await start((exchange) => {
      if (exchange.path === '/1') return;
      exchange.owner = owner;
      echo(exchange);
    });
    client.socket.write(`${get('/1')}POST /2 HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nzz\r\n`);
    await owner.ended;
    client.destroy();
    await fixture.listener.idle();
    expect([owner.sent, owner.aborted]).toEqual([0, 1]);
  });

  describe('a client that closes', () => {
    test('9112 9.6: its half behind a request gets what is answered at once', async () => {
      const client = await start(echo);
      client.socket.end(post('/', 'abc'));
      expect(text(await client.answer())).toBe('abc');
      await client.closed;
    });

    test('its half gets the rest of an answer that is under way', async () => {
      const client = await start((exchange) => exchange.send(200, plain, [new Uint8Array(20 * MEGABYTE)]));
      client.socket.end(get('/'));
      expect((await client.answer())?.body.length).toBe(20 * MEGABYTE);
      await client.closed;
    });

    test('its half while its request is worked on is taken for gone', async () => {
      const owner = new CountingOwner();
      const client = await start((exchange) => {
        exchange.owner = owner;
      });
      client.socket.end(get('/'));
      await Promise.all([owner.ended, client.closed]);
      expect([owner.sent, owner.aborted]).toEqual([0, 1]);
    });

    test('at any moment of any request harms nobody else', async () => {
      const later: HttpExchange[] = [];
      await start((exchange) => {
        if (exchange.path === '/echo') echo(exchange);
        else if (exchange.path === '/large') exchange.send(200, plain, [new Uint8Array(MEGABYTE)]);
        else if (exchange.path === '/later') later.push(exchange);
        else name(exchange);
      });
      const requests = [
        get('/large'),
        post('/echo', 'abc'),
        get('/later'),
        post('/x', 'dropped'),
        get('/later'),
        get('/large'),
      ].join('');
      const good = await fixture.connect();
      for (let round = 0; round < 150; round++) {
        const bad = await fixture.connect();
        const cut = (round * 37) % requests.length;
        if (round % 3 === 0) bad.socket.pause();
        await bad.write(requests.slice(0, cut + 1));
        if (round % 2 === 0) await turn();
        if (round % 5 === 0) bad.destroy();
        else bad.socket.resetAndDestroy();
        for (const exchange of later.splice(0)) name(exchange);
        expect(text(await good.ask(post('/echo', `round ${round}`)))).toBe(`round ${round}`);
      }
      while (fixture.listener.connections > 2) await turn();
      for (const exchange of later.splice(0)) name(exchange);
      await fixture.listener.idle();
      expect(fixture.log.errors).toEqual([]);
    });
  });

  test('random mutations of good requests harm nobody else, and leave nothing behind', async () => {
    await start((exchange) => {
      if (exchange.contentLength % 2 === 0) name(exchange);
      else echo(exchange);
    });
    const good = await fixture.connect();
    const requests = `${post('/a', 'abc')}${get('/b')}POST /c HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n${get('/d')}`;
    const mutated = fc.sample(fc.tuple(fc.nat(requests.length), fc.nat(3), fc.nat(255), fc.nat(requests.length)), 300);
    for (const [at, removed, code, cut] of mutated) {
      const bad = await fixture.connect();
      const bytes = Buffer.from(
        requests.slice(0, at) + String.fromCharCode(code) + requests.slice(at + removed),
        'latin1',
      );
      await bad.write(bytes.subarray(0, cut));
      bad.socket.write(bytes.subarray(cut));
      expect(text(await good.ask(post('/echo', `${at} ${code}.`.padEnd(9))))).toBe(`${at} ${code}.`.padEnd(9));
      bad.socket.end();
    }
    good.socket.end();
    while (fixture.listener.connections > 1) await turn();
    await fixture.listener.idle();
    expect(fixture.log.errors).toEqual([]);
  });

  test('drains: requests behind each other are all answered, and the last is told to close', async () => {
    const waiting: HttpExchange[] = [];
    const client = await start((exchange) => void waiting.push(exchange));
    client.socket.write(get('/1') + get('/2'));
    while (waiting.length < 2) await turn();
    fixture.listener.drain();
    client.socket.write(get('/3'));
    await pause(20);
    for (const exchange of waiting) name(exchange);
    const answers = [await client.answer(), await client.answer()];
    expect(answers.map(text)).toEqual(['GET /1', 'GET /2']);
    expect(answers.map((answer) => answer!.headers.get('connection'))).toEqual([undefined, 'close']);
    expect(await client.answer()).toBeNull();
    await fixture.listener.idle();
  });

  test('drains: a request that came together with many others is answered, and the next is not read', async () => {
    const client = await start((exchange) => {
      // The last of its turn.
      if (exchange.path === '/64') queueMicrotask(() => fixture.listener.drain());
      name(exchange);
    });
    const paths = Array.from({ length: 66 }, (_, index) => `/${index + 1}`);
    client.socket.write(paths.map((path) => get(path)).join(''));
    for (const path of paths.slice(0, 65)) {
      const answer = await client.answer();
      expect([text(answer), answer!.headers.get('connection')]).toEqual([
        `GET ${path}`,
        path === '/65' ? 'close' : undefined,
      ]);
    }
    await client.closed;
    expect(await client.answer()).toBeNull();
  });

  test('drains: is idle only when a slow reader has its small answers', async () => {
    const client = await start((exchange) => exchange.reply(200, plain, new Uint8Array(60_000)));
    client.socket.pause();
    client.socket.write(get('/').repeat(400));
    await pause(100);
    fixture.listener.drain();
    let isIdle = false;
    const idle = fixture.listener.idle().then(() => {
      isIdle = true;
    });
    await pause(50);
    expect(isIdle).toBe(false);
    client.socket.resume();
    await idle;
  });

  test('over TLS: requests behind each other, and a large answer to a slow reader', async () => {
    const read = (file: string) => readFileSync(new URL(`fixtures/${file}`, import.meta.url));
    const keys = { key: read('key.pem'), cert: read('cert.pem') };
    const engine = new NetEngine((onConnection) => createTlsServer({ ...keys, allowHalfOpen: true }, onConnection));
    const large = new Uint8Array(5 * MEGABYTE).fill(65);
    fixture = await EngineFixture.start(engine, (exchange) => {
      if (exchange.path === '/large') exchange.send(200, plain, [large, Buffer.from('end')]);
      else if (exchange.path === '/later') setImmediate(() => name(exchange));
      else echo(exchange);
    });
    const socket = connect({ port: fixture.listener.port, host: '127.0.0.1', ca: keys.cert, servername: 'localhost' });
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.write(post('/echo', 'abc') + get('/later') + get('/large'));
    socket.pause();
    await pause(50);
    socket.resume();
    socket.write(get('/later', 'Connection: close\r\n'));
    await new Promise((resolve) => socket.once('close', resolve));
    const bodies = Buffer.concat(chunks)
      .toString('latin1')
      .split(/HTTP\/1\.1 200 OK[\s\S]*?\r\n\r\n/);
    expect(bodies.slice(1).map((body) => [body.length, body.slice(-3)])).toEqual([
      [3, 'abc'],
      [10, 'ter'],
      [5 * MEGABYTE + 3, 'end'],
      [10, 'ter'],
    ]);
  });
});
