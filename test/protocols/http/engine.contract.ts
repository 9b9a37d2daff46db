import { afterEach, describe, expect, test } from 'vitest';
import type { HttpEngine, HttpExchange, HttpHandler, HttpLimits } from '../../../src/protocols/http/engine.js';
import { CountingOwner, Deferred, EchoSink, EngineFixture, plain, usualLimits } from './engine-fixture.js';
import type { RawAnswer, RawClient } from './raw-client.js';

const host = 'Host: a\r\n';
const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\n${host}${more}\r\n`;
const post = (path: string, body: string, more = '') =>
  `POST ${path} HTTP/1.1\r\n${host}Content-Length: ${body.length}\r\n${more}\r\n${body}`;
const chunked = (...chunks: string[]) =>
  `POST /echo HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')}0\r\n\r\n`;
const malformed = (head: string) => `POST /echo HTTP/1.1\r\n${head}\r\n`;

const MEGABYTE = 1024 * 1024;

const echo: HttpHandler = (exchange) => exchange.readBody(new EchoSink());
const name: HttpHandler = (exchange) => exchange.reply(200, plain, Buffer.from(`${exchange.method} ${exchange.path}`));

function text(answer: RawAnswer | null): string {
  return answer === null ? '(closed)' : answer.body.toString();
}

function expectRefused(answer: RawAnswer | null, status: number): void {
  expect(answer?.status).toBe(status);
  expect(answer!.headers.get('content-type')).toBe('application/json');
  expect(JSON.parse(text(answer))).toEqual({ error: expect.any(String) });
}

export interface ContractOptions {
  readonly makeEngine: () => HttpEngine;
  /** What an engine cannot do: the test's name and the reason. */
  readonly skip: Readonly<Record<string, string>>;
}

/** What every HTTP engine does, on real sockets. */
export function runEngineContract({ makeEngine, skip }: ContractOptions): void {
  let fixture: EngineFixture;
  const unused = new Set(Object.keys(skip));

  async function start(handler: HttpHandler, limits: Partial<HttpLimits> = {}): Promise<RawClient> {
    fixture = await EngineFixture.start(makeEngine(), handler, limits);
    return fixture.connect();
  }

  function it(title: string, run: () => Promise<void>): void {
    unused.delete(title);
    const reason = skip[title];
    if (reason === undefined) test(title, run, 20_000);
    else test.skip(`${title} (${reason})`, run);
  }

  afterEach(() => fixture.stop());

  describe('requests', () => {
    it('carry method, path without query, length and headers', async () => {
      const seen: unknown[] = [];
      const client = await start((exchange) => {
        const { method, path, contentLength } = exchange;
        const headers: string[] = [];
        exchange.eachHeader((key, value) => headers.push(`${key.toLowerCase()}=${value}`));
        seen.push(method, path, contentLength, exchange.header('x-b'), exchange.header('x-none'), headers);
        exchange.reply(200, plain, Buffer.alloc(0));
      });
      await client.ask('POST /a%2Fb/?q=1 HTTP/1.1\r\nHost: a\r\nX-B:  two words \r\nContent-Length: 0\r\n\r\n');
      const headers = ['host=a', 'x-b=two words', 'content-length=0'];
      expect(seen).toEqual(['POST', '/a%2Fb/', 0, 'two words', '', headers]);
    });

    it('carry the query as sent, which is empty where there is none', async () => {
      const client = await start((exchange) => exchange.reply(200, plain, Buffer.from(`<${exchange.query()}>`)));
      for (const [target, query] of [
        ['/a?b=%20c?d', '<b=%20c?d>'],
        ['/a?', '<>'],
        ['/a', '<>'],
      ] as const) {
        expect(text(await client.ask(get(target)))).toBe(query);
      }
    });

    it('with a chunked body have length -1', async () => {
      const lengths: number[] = [];
      const client = await start((exchange) => {
        lengths.push(exchange.contentLength);
        echo(exchange);
      });
      expect(text(await client.ask(chunked('abc', 'defg')))).toBe('abcdefg');
      expect(lengths).toEqual([-1]);
    });

    it('of other common methods reach the handler', async () => {
      const client = await start(name);
      for (const method of ['PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
        expect(text(await client.ask(`${method} /x HTTP/1.1\r\n${host}\r\n`))).toBe(`${method} /x`);
      }
    });

    it('of a method nobody knows are answered', async () => {
      const client = await start(name);
      expect(await client.ask(`FOO /x HTTP/1.1\r\n${host}\r\n`)).not.toBeNull();
    });

    it('in the absolute form reach the handler with the path', async () => {
      const client = await start(name);
      expect(text(await client.ask(`GET http://a:80/x?y HTTP/1.1\r\n${host}\r\n`))).toBe('GET /x');
      expect(text(await client.ask(`GET http://a HTTP/1.1\r\n${host}\r\n`))).toBe('GET /');
    });

    it('of HTTP/1.0 are answered without a Host, and the connection closes', async () => {
      const client = await start(name);
      expect(text(await client.ask('GET /x HTTP/1.0\r\n\r\n'))).toBe('GET /x');
      await client.closed;
    });

    it('come one after another on a connection a thousand times', async () => {
      const client = await start(echo);
      for (let index = 0; index < 1000; index++) {
        expect(text(await client.ask(post('/echo', `body ${index}`)))).toBe(`body ${index}`);
      }
    });

    it('come on 200 connections at once', async () => {
      await start(echo);
      const clients = await Promise.all(Array.from({ length: 200 }, () => fixture.connect()));
      for (const round of [1, 2, 3]) {
        const asked = clients.map((client, index) => client.ask(post('/echo', `${round} of ${index}`)));
        const answers = await Promise.all(asked);
        expect(answers.map(text)).toEqual(clients.map((_, index) => `${round} of ${index}`));
      }
    });

    it('may be pipelined where the handler answers at once', async () => {
      const client = await start(name);
      client.socket.write(get('/1') + get('/2') + get('/3'));
      expect([text(await client.answer()), text(await client.answer()), text(await client.answer())]).toEqual([
        'GET /1',
        'GET /2',
        'GET /3',
      ]);
    });

    it('are answered in order where they are pipelined behind one that is worked on', async () => {
      const waiting: HttpExchange[] = [];
      const all = new Deferred<void>();
      const client = await start((exchange) => {
        waiting.push(exchange);
        if (waiting.length === 3) all.resolve();
      });
      client.socket.write(get('/1') + post('/2', 'abc') + get('/3'));
      await all.promise;
      for (const exchange of waiting.toReversed()) name(exchange);
      expect([text(await client.answer()), text(await client.answer()), text(await client.answer())]).toEqual([
        'GET /1',
        'POST /2',
        'GET /3',
      ]);
    });

    it('are all answered where hundreds are pipelined behind one that is worked on', async () => {
      const first = new Deferred<HttpExchange>();
      const client = await start((exchange) => {
        if (exchange.path === '/0') first.resolve(exchange);
        else name(exchange);
      });
      const count = 5000;
      client.socket.write(Array.from({ length: count }, (_, index) => get(`/${index}`)).join(''));
      name(await first.promise);
      for (let index = 0; index < count; index++) expect(text(await client.answer())).toBe(`GET /${index}`);
    });
  });

  describe('bodies', () => {
    it('that are still coming when their request is answered reach no other request', async () => {
      const refusing = await start((exchange) => {
        if (exchange.path === '/echo') echo(exchange);
        else exchange.readBody({ onChunk: () => exchange.reply(429, plain, Buffer.from('no')) });
      });
      const [refused, rest] = [Buffer.alloc(50_000, 'r'), Buffer.alloc(50_000, 'R')];
      await refusing.write(`POST /refuse HTTP/1.1\r\n${host}Content-Length: 100000\r\n\r\n`);
      expect((await refusing.ask(refused))?.status).toBe(429);
      const other = await fixture.connect();
      const whole = post('/echo', 'e'.repeat(200));
      await other.write(whole.slice(0, -100));
      expect(text(await (await fixture.connect()).ask(post('/echo', 'seen')))).toBe('seen');
      await refusing.write(rest);
      expect(text(await refusing.ask(post('/echo', 'next')))).toBe('next');
      expect(text(await other.ask(whole.slice(-100)))).toBe('e'.repeat(200));
    });

    it('arrive whole wherever a request with Content-Length is split', async () => {
      const client = await start(echo);
      await splitEverywhere(client, post('/echo', 'hello world', 'X-Y: z\r\n'), 'hello world');
    });

    it('arrive whole wherever a chunked request is split', async () => {
      const client = await start(echo);
      await splitEverywhere(client, chunked('hello', ' ', 'world'), 'hello world');
    });

    it('that are empty end wherever the head is split', async () => {
      const client = await start(echo);
      await splitEverywhere(client, post('/echo', ''), '');
      await splitEverywhere(client, get('/echo'), '');
    });

    it('of 20 MB arrive unchanged', async () => {
      const bytes = Buffer.alloc(20 * MEGABYTE, 'abcdefghijk');
      const client = await start((exchange) => {
        const copy = new Uint8Array(exchange.contentLength);
        let filled = 0;
        exchange.readBody({
          onChunk(from, chunk, last) {
            copy.set(chunk, filled);
            filled += chunk.length;
            if (last) from.send(200, plain, [copy]);
          },
        });
      });
      client.socket.write(`POST / HTTP/1.1\r\n${host}Content-Length: ${bytes.length}\r\n\r\n`);
      client.socket.write(bytes);
      expect((await client.answer())!.body.equals(bytes)).toBe(true);
    });

    it('that nobody reads are dropped, and the connection stays usable', async () => {
      const client = await start(name);
      for (const body of ['', 'x', 'x'.repeat(MEGABYTE)]) {
        expect(text(await client.ask(post('/x', body)))).toBe('POST /x');
      }
      expect(text(await client.ask(chunked('abc', 'def')))).toBe('POST /echo');
      expect(text(await client.ask(get('/y')))).toBe('GET /y');
    });

    it('that nobody reads are dropped where the answer comes later', async () => {
      const client = await start((exchange) => void setImmediate(() => name(exchange)));
      expect(text(await client.ask(post('/x', 'x'.repeat(MEGABYTE))))).toBe('POST /x');
      expect(text(await client.ask(get('/y')))).toBe('GET /y');
    });

    it('are asked for with 100 Continue where the client expects it', async () => {
      const client = await start(echo);
      const head = `POST /echo HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n`;
      expect((await client.ask(head))?.status).toBe(100);
      expect(text(await client.ask('abc'))).toBe('abc');
    });

    it('are not asked for where the client expects 100 Continue and is refused', async () => {
      const client = await start(echo, { maxBodyBytes: 10 });
      const head = `POST /echo HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: 11\r\n\r\n`;
      expectRefused(await client.ask(head), 413);
    });
  });

  async function splitEverywhere(client: RawClient, request: string, expected: string): Promise<void> {
    for (let at = 1; at < request.length; at++) {
      await client.write(request.slice(0, at));
      await new Promise((resolve) => setImmediate(resolve));
      expect(text(await client.ask(request.slice(at)))).toBe(expected);
    }
  }

  describe('answers', () => {
    it('carry status, headers and Content-Length', async () => {
      const client = await start((exchange) => exchange.reply(503, ['X-A', '1', 'X-B', 'b'], Buffer.from('{}')));
      const answer = (await client.ask(get('/')))!;
      expect(answer.status).toBe(503);
      expect(['x-a', 'x-b', 'content-length'].map((key) => answer.headers.get(key))).toEqual(['1', 'b', '2']);
    });

    it('may reuse their bytes when reply returns', async () => {
      const scratch = new Uint8Array(60_000);
      const client = await start((exchange) => {
        scratch.fill(1);
        exchange.reply(200, plain, scratch);
        scratch.fill(2);
      });
      client.socket.write(get('/') + get('/') + get('/'));
      for (let index = 0; index < 3; index++) {
        expect((await client.answer())!.body.equals(Buffer.alloc(60_000, 1))).toBe(true);
      }
    });

    it('to HEAD have the length and no body', async () => {
      const client = await start((exchange) => {
        if (exchange.path === '/reply') exchange.reply(200, plain, Buffer.from('12345'));
        else exchange.send(200, plain, [Buffer.from('12'), Buffer.from('345678')]);
      });
      for (const [path, length] of [
        ['/reply', '5'],
        ['/send', '8'],
        ['/reply', '5'],
      ]) {
        client.socket.write(`HEAD ${path} HTTP/1.1\r\n${host}\r\n`);
        expect((await client.answer(true))?.headers.get('content-length')).toBe(length);
      }
    });

    it('are sent in parts of 0 bytes, 1 byte and 20 MB, also from shared memory, to a slow reader', async () => {
      const large = new Uint8Array(new SharedArrayBuffer(20 * MEGABYTE)).fill(7);
      const parts = [
        new Uint8Array(0),
        Buffer.from('a'),
        large,
        new Uint8Array(0),
        Buffer.from('b'),
        new Uint8Array(0),
      ];
      const owners: CountingOwner[] = [];
      const client = await start((exchange) => {
        exchange.owner = new CountingOwner();
        owners.push(exchange.owner as CountingOwner);
        exchange.send(200, plain, parts);
      });
      client.socket.pause();
      client.socket.write(get('/'));
      const other = await fixture.connect();
      expect((await other.ask(get('/')))!.body.length).toBe(20 * MEGABYTE + 2);
      client.socket.resume();
      const { body } = (await client.answer())!;
      expect([body.length, body[0], body[1], body[body.length - 2], body.at(-1)]).toEqual([
        20 * MEGABYTE + 2,
        97,
        7,
        7,
        98,
      ]);
      await Promise.all(owners.map((owner) => owner.ended));
      expect(owners.map(({ sent, aborted }) => [sent, aborted])).toEqual([
        [1, 0],
        [1, 0],
      ]);
    });

    it('without bytes are sent too', async () => {
      const client = await start((exchange) => exchange.send(200, plain, [new Uint8Array(0)]));
      expect((await client.ask(get('/')))?.headers.get('content-length')).toBe('0');
      expect((await client.ask(get('/')))?.status).toBe(200);
    });

    it('tell the owner once that they were sent', async () => {
      const owners: CountingOwner[] = [];
      const client = await start((exchange) => {
        const owner = new CountingOwner();
        owners.push(owner);
        exchange.owner = owner;
        exchange.reply(200, plain, Buffer.from('x'));
        exchange.reply(500, plain, Buffer.from('not twice'));
      });
      expect(text(await client.ask(get('/')))).toBe('x');
      expect(text(await client.ask(get('/')))).toBe('x');
      await Promise.all(owners.map((owner) => owner.ended));
      expect(owners.map(({ sent, aborted }) => [sent, aborted])).toEqual([
        [1, 0],
        [1, 0],
      ]);
    });

    it('do not wait for a client that does not read', async () => {
      const large = new Uint8Array(20 * MEGABYTE);
      const stalled = await start((exchange) => exchange.send(200, plain, [large]));
      stalled.socket.pause();
      stalled.socket.write(get('/'));
      const other = await fixture.connect();
      expect((await other.ask(get('/')))!.body.length).toBe(large.length);
    });

    it('refuse a header value that would end its line', async () => {
      const client = await start((exchange) => exchange.reply(200, ['X-A', 'b\r\nX-C: d'], Buffer.from('x')));
      expectRefused(await client.ask(get('/')), 500);
    });
  });

  describe('a handler that throws', () => {
    it('is answered 500, and the connection stays usable', async () => {
      let calls = 0;
      const client = await start((exchange) => {
        if (calls++ === 0) throw new Error('broken handler');
        name(exchange);
      });
      expectRefused(await client.ask(post('/x', 'abc')), 500);
      expect(text(await client.ask(get('/y')))).toBe('GET /y');
      expect(fixture.log.errors.join()).toContain('broken handler');
    });

    it('in the body is answered 500, and the owner is told once', async () => {
      const owner = new CountingOwner();
      const client = await start((exchange) => {
        exchange.owner = owner;
        exchange.readBody({
          onChunk() {
            throw new Error('broken sink');
          },
        });
      });
      expectRefused(await client.ask(post('/x', 'abc')), 500);
      expect([owner.sent, owner.aborted]).toEqual([0, 1]);
      expect(fixture.log.errors.join()).toContain('broken sink');
    });
  });

  describe('a client that vanishes', () => {
    async function vanish(handler: HttpHandler, request: string, when: Promise<unknown>): Promise<CountingOwner> {
      const owner = new CountingOwner();
      let exchange: HttpExchange | null = null;
      const client = await start((given) => {
        exchange = given;
        given.owner = owner;
        handler(given);
      });
      client.socket.write(request);
      await when;
      client.socket.resetAndDestroy();
      await owner.ended;
      exchange!.reply(200, plain, Buffer.from('too late'));
      exchange!.send(200, plain, [Buffer.from('too late')]);
      expect(text(await (await fixture.connect()).ask(get('/ok', 'X-Ok: 1\r\n')))).not.toBe('(closed)');
      await fixture.listener.idle();
      return owner;
    }

    function reached(handler: HttpHandler): { handler: HttpHandler; when: Promise<void> } {
      const deferred = new Deferred<void>();
      return {
        when: deferred.promise,
        handler(exchange) {
          if (exchange.header('x-ok') !== '') return name(exchange);
          handler(exchange);
          deferred.resolve();
        },
      };
    }

    it('before its body is told to the owner once', async () => {
      const { handler, when } = reached((exchange) => exchange.readBody({ onChunk() {} }));
      const owner = await vanish(handler, `POST / HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\n`, when);
      expect(owner.aborted + owner.sent).toBe(2);
    });

    it('in the middle of its body is told to the owner once, and the body gets no end', async () => {
      const chunk = new Deferred<void>();
      let lasts = 0;
      const { handler } = reached((exchange) =>
        exchange.readBody({
          onChunk(_, bytes, last) {
            if (last) lasts++;
            if (bytes.length > 0) chunk.resolve();
          },
        }),
      );
      const owner = await vanish(handler, `POST / HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nab`, chunk.promise);
      expect([owner.aborted + owner.sent, lasts]).toEqual([2, 0]);
    });

    it('while it is worked on is told to the owner once', async () => {
      const { handler, when } = reached(() => {});
      const owner = await vanish(handler, get('/'), when);
      expect(owner.aborted + owner.sent).toBe(2);
    });

    it('while it is answered is told to the owner once', async () => {
      const large = new Uint8Array(20 * MEGABYTE);
      const { handler, when } = reached((exchange) => exchange.send(200, plain, [large, large]));
      const owner = await vanish(handler, get('/'), when);
      expect(owner.aborted + owner.sent).toBe(2);
    });

    it('and nobody owns the exchange leaves later answers without effect', async () => {
      const given: HttpExchange[] = [];
      const two = new Deferred<void>();
      const first = await start((exchange) => {
        given.push(exchange);
        exchange.readBody({
          onChunk(_, __, last) {
            if (last) two.resolve();
          },
        });
      });
      await first.write(`POST /1 HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nab`);
      await until(() => given.length === 1);
      first.socket.resetAndDestroy();
      await fixture.listener.idle();
      const second = await fixture.connect();
      second.socket.write(post('/2', 'abc'));
      await two.promise;
      given[0]!.reply(200, plain, Buffer.from('for the first'));
      given[1]!.reply(200, plain, Buffer.from('for the second'));
      expect(text(await second.answer())).toBe('for the second');
    });
  });

  describe('limits', () => {
    it('refuse a body announced as too large with 413, without calling the handler', async () => {
      let calls = 0;
      const client = await start(() => void calls++, { maxBodyBytes: 10 });
      const answer = await client.ask(`POST / HTTP/1.1\r\n${host}Content-Length: 11\r\n\r\n`);
      expectRefused(answer, 413);
      expect([answer!.headers.get('connection'), calls]).toEqual(['close', 0]);
    });

    it('refuse a body of absurd length with 413', async () => {
      for (const digits of [10, 20, 400]) {
        const client = digits === 10 ? await start(echo) : await fixture.connect();
        expectRefused(await client.ask(`POST / HTTP/1.1\r\n${host}Content-Length: ${'9'.repeat(digits)}\r\n\r\n`), 413);
      }
    });

    it('refuse a chunked body that grows too large with 413, and tell the owner', async () => {
      const owner = new CountingOwner();
      const client = await start(
        (exchange) => {
          exchange.owner = owner;
          echo(exchange);
        },
        { maxBodyBytes: 10 },
      );
      const head = `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n`;
      client.socket.write(`${head}6\r\nabcdef\r\n`);
      expectRefused(await client.ask('6\r\nabcdef\r\n'), 413);
      expect([owner.sent, owner.aborted]).toEqual([0, 1]);
    });

    it('let a client that sends a large body read the 413', async () => {
      const client = await start(echo, { maxBodyBytes: MEGABYTE });
      client.socket.write(post('/', 'x'.repeat(8 * MEGABYTE)));
      expectRefused(await client.answer(), 413);
    });

    it('refuse too many headers with 431', async () => {
      const client = await start(name, { maxHeaderCount: 20 });
      const lines = (count: number) => Array.from({ length: count }, (_, index) => `X-${index}: y\r\n`).join('');
      expect(text(await client.ask(get('/', lines(19))))).toBe('GET /');
      expectRefused(await client.ask(get('/', lines(20))), 431);
    });

    it('refuse headers that are too long with 431', async () => {
      const client = await start(name, { maxHeaderBytes: 2048 });
      expectRefused(await client.ask(get('/', `X-A: ${'y'.repeat(2100)}\r\n`)), 431);
    });

    it('refuse with 429 beyond the number of connections', async () => {
      const client = await start(() => {}, { maxConnections: 2 });
      client.socket.write(get('/'));
      (await fixture.connect()).socket.write(get('/'));
      await until(() => fixture.listener.connections === 2);
      const third = await fixture.connect();
      const answer = await third.ask(get('/'));
      expectRefused(answer, 429);
      expect(answer!.headers.get('retry-after')).toBe('1');
    });

    it('serve again when connections have gone', async () => {
      const first = await start(() => {}, { maxConnections: 1 });
      first.socket.write(get('/'));
      await until(() => fixture.listener.connections === 1);
      expectRefused(await (await fixture.connect()).ask(get('/')), 429);
      first.destroy();
      await fixture.listener.idle();
      const next = await fixture.connect();
      next.socket.write(get('/'));
      await until(() => fixture.listener.connections > 0);
    });

    it('refuse a body that does not come with 408, and tell the owner', async () => {
      const owner = new CountingOwner();
      const client = await start(
        (exchange) => {
          exchange.owner = owner;
          echo(exchange);
        },
        { bodyTimeoutMs: 200 },
      );
      expectRefused(await client.ask(`POST / HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nab`), 408);
      await client.closed;
      expect([owner.sent, owner.aborted]).toEqual([0, 1]);
    });

    it('close a connection that is idle for too long', async () => {
      const client = await start(name, { idleTimeoutMs: 100 });
      expect(text(await client.ask(get('/')))).toBe('GET /');
      await client.closed;
    });
  });

  describe('heads that can be read in two ways are refused with 400, and the connection closes', () => {
    const cases: Record<string, string> = {
      'two lengths that differ': `${host}Content-Length: 3\r\nContent-Length: 4\r\n`,
      'two lengths that agree': `${host}Content-Length: 3\r\nContent-Length: 3\r\n`,
      'a list of lengths': `${host}Content-Length: 3, 3\r\n`,
      'a negative length': `${host}Content-Length: -1\r\n`,
      'a signed length': `${host}Content-Length: +3\r\n`,
      'a hexadecimal length': `${host}Content-Length: 0x3\r\n`,
      'a length in words': `${host}Content-Length: abc\r\n`,
      'an empty length': `${host}Content-Length:\r\n`,
      'a coding that looks like chunked': `${host}Transfer-Encoding: xchunked\r\n`,
      'a coding before chunked': `${host}Transfer-Encoding: gzip, chunked\r\n`,
      'a coding behind chunked': `${host}Transfer-Encoding: chunked, identity\r\n`,
      'chunked twice': `${host}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n`,
      'no host': 'X-A: b\r\n',
      'two hosts': `${host}Host: b\r\n`,
    };

    for (const [what, head] of Object.entries(cases)) {
      it(what, async () => {
        const paths: string[] = [];
        const client = await start((exchange) => {
          paths.push(exchange.path);
          name(exchange);
        });
        expectRefused(await client.ask(malformed(head) + get('/smuggled')), 400);
        expect(await client.answer()).toBeNull();
        expect(paths).toEqual([]);
      });
    }

    it('a length and chunked', async () => {
      const client = await start(name);
      const head = `${host}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n`;
      expectRefused(await client.ask(malformed(head) + get('/smuggled')), 400);
      expect(await client.answer()).toBeNull();
    });

    it('a length and chunked are never handed on', async () => {
      const paths: string[] = [];
      const client = await start((exchange) => {
        paths.push(exchange.path);
        name(exchange);
      });
      await client.ask(malformed(`${host}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n`) + get('/smuggled'));
      await client.closed;
      expect(paths).toEqual([]);
    });

    it('a blank before the colon', async () => {
      const client = await start(name);
      expectRefused(await client.ask(malformed(`${host}Content-Length : 3\r\n`)), 400);
      await client.closed;
    });

    it('bytes that are no HTTP', async () => {
      const client = await start(name);
      expectRefused(await client.ask('\x16\x03\x01\x02\x00 garbage\r\n\r\n'), 400);
      await client.closed;
    });

    it('a chunk without a size', async () => {
      const client = await start(echo);
      const head = `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n`;
      expectRefused(await client.ask(`${head}zz\r\nabc\r\n`), 400);
      await client.closed;
    });

    it('garbage behind a request is answered after that request', async () => {
      const given = new Deferred<HttpExchange>();
      const client = await start((exchange) => given.resolve(exchange));
      client.socket.write(`${get('/1')}garbage\r\n\r\n`);
      const exchange = await given.promise;
      await new Promise((resolve) => setImmediate(resolve));
      name(exchange);
      expect(text(await client.answer())).toBe('GET /1');
      expectRefused(await client.answer(), 400);
      await client.closed;
    });
  });

  describe('the end', () => {
    it('is refused to a second listener on the same port, by name', async () => {
      await start(name);
      const { port } = fixture.listener;
      const options = { address: '127.0.0.1', port, reusePort: false, limits: usualLimits, log: fixture.log };
      await expect(makeEngine().listen(options, name)).rejects.toThrow(`cannot listen on 127.0.0.1:${port}`);
    });

    it('drains: no new connections, open requests are answered and told to close', async () => {
      const given = new Deferred<HttpExchange>();
      const client = await start((exchange) => given.resolve(exchange));
      client.socket.write(get('/'));
      const exchange = await given.promise;
      fixture.listener.drain();
      const late = fixture.connect();
      await expect(late).rejects.toThrow('ECONNREFUSED');
      let idle = false;
      const waiting = fixture.listener.idle().then(() => {
        idle = true;
      });
      await new Promise((resolve) => setImmediate(resolve));
      expect(idle).toBe(false);
      exchange.reply(200, plain, Buffer.from('bye'));
      const answer = await client.answer();
      expect([text(answer), answer!.headers.get('connection')]).toEqual(['bye', 'close']);
      await waiting;
    });

    it('drains: is idle only when a slow reader has its answer', async () => {
      const body = new Uint8Array(new SharedArrayBuffer(20 * MEGABYTE)).fill(3);
      const sending = new Deferred<void>();
      const client = await start((exchange) => {
        fixture.listener.drain();
        exchange.send(200, plain, [body]);
        sending.resolve();
      });
      client.socket.pause();
      client.socket.write(get('/'));
      await sending.promise;
      client.socket.resume();
      await fixture.listener.idle();
      await fixture.listener.close();
      expect((await client.answer())!.body.length).toBe(body.length);
    });

    it('drains: an answer that is on its way is sent to its end', async () => {
      const body = new Uint8Array(new SharedArrayBuffer(20 * MEGABYTE)).fill(3);
      const sending = new Deferred<void>();
      const client = await start((exchange) => {
        exchange.send(200, plain, [body]);
        sending.resolve();
      });
      client.socket.pause();
      client.socket.write(get('/'));
      await sending.promise;
      fixture.listener.drain();
      client.socket.resume();
      expect((await client.answer())!.body.length).toBe(body.length);
      await fixture.listener.idle();
    });

    it('drains: a request that has begun to come is answered', async () => {
      const client = await start(name);
      expect(text(await client.ask(get('/1')))).toBe('GET /1');
      const other = await fixture.connect();
      await other.write(get('/2').slice(0, -2));
      // Connections are read in turn: what came on the other one has been seen.
      expect(text(await client.ask(get('/3')))).toBe('GET /3');
      fixture.listener.drain();
      expect(text(await other.ask('\r\n'))).toBe('GET /2');
    });

    it('drains: closes connections that are idle', async () => {
      const client = await start(name);
      expect(text(await client.ask(get('/')))).toBe('GET /');
      fixture.listener.drain();
      await client.closed;
    });

    it('closes: cuts what is left, and tells owners once', async () => {
      const owner = new CountingOwner();
      const given = new Deferred<void>();
      const client = await start((exchange) => {
        exchange.owner = owner;
        given.resolve();
      });
      const silent = await fixture.connect();
      client.socket.write(get('/'));
      await given.promise;
      await fixture.listener.close();
      await Promise.all([client.closed, silent.closed, owner.ended, fixture.listener.idle()]);
      expect([owner.sent, owner.aborted]).toEqual([0, 1]);
    });
  });

  test('skips only tests that exist', async () => {
    fixture = await EngineFixture.start(makeEngine(), name);
    expect([...unused]).toEqual([]);
  });
}

/** Turns of the event loop until something is so; the test's own time limit ends it. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}
