import { afterEach, describe, expect, test } from 'vitest';
import type { ExchangeOwner, HttpExchange, HttpHandler, HttpLimits } from '../../../src/protocols/http/engine.js';
import type { ContractOptions } from './engine.contract.js';
import { CountingOwner, Deferred, EngineFixture, plain } from './engine-fixture.js';
import type { RawClient } from './raw-client.js';

const host = 'Host: a\r\n';
const get = (path: string) => `GET ${path} HTTP/1.1\r\n${host}\r\n`;

const MEGABYTE = 1024 * 1024;
/** More than the kernel takes for a client that does not read, and less than would be written to one without back-pressure. */
const KERNEL_BYTES_MAX = 12 * MEGABYTE;

const bytes = (text: string) => Buffer.from(text, 'latin1');
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Writes pieces of `pieceBytes`, each filled with its number, until there are `count`, as fast as it is let; then ends. */
class Writer extends CountingOwner implements ExchangeOwner {
  pieces = 0;
  rooms = 0;
  readonly blocked = new Deferred<void>();
  readonly #piece: Uint8Array;
  readonly #count: number;

  constructor(pieceBytes: number, count: number) {
    super();
    this.#piece = new Uint8Array(pieceBytes);
    this.#count = count;
  }

  get bytes(): number {
    return this.pieces * this.#piece.length;
  }

  start(exchange: HttpExchange): void {
    exchange.owner = this;
    exchange.begin(200, plain);
    this.#goOn(exchange);
  }

  onWritable(exchange: HttpExchange): void {
    this.rooms++;
    this.#goOn(exchange);
  }

  #goOn(exchange: HttpExchange): void {
    while (this.pieces < this.#count) {
      this.#piece.fill(++this.pieces);
      if (exchange.write(this.#piece)) continue;
      this.blocked.resolve();
      if (this.pieces < this.#count) return;
    }
    exchange.end();
  }
}

function expectPieces(body: Buffer, pieceBytes: number, count: number): void {
  expect(body.length).toBe(pieceBytes * count);
  for (let nth = 0; nth < count; nth++) {
    const piece = body.subarray(nth * pieceBytes, (nth + 1) * pieceBytes);
    expect(piece.equals(Buffer.alloc(pieceBytes, nth + 1))).toBe(true);
  }
}

/** Answers in pieces (`begin`, `write`, `end`) as every HTTP engine sends them, on real sockets. */
export function runStreamedAnswerContract(options: ContractOptions): void {
  describe('answers in pieces', () => run(options));
}

function run({ makeEngine, skip }: ContractOptions): void {
  let fixture: EngineFixture;
  const unused = new Set(Object.keys(skip));

  async function start(handler: HttpHandler, limits: Partial<HttpLimits> = {}): Promise<RawClient> {
    fixture = await EngineFixture.start(makeEngine(), handler, limits);
    return fixture.connect();
  }

  /** An exchange whose answer has begun with `a`, of a client that has seen that. */
  async function begun(owner: ExchangeOwner | null = null): Promise<{ client: RawClient; exchange: HttpExchange }> {
    const given = new Deferred<HttpExchange>();
    const client = await start((exchange) => {
      if (exchange.path !== '/stream') return exchange.reply(200, plain, bytes(exchange.path));
      exchange.owner = owner;
      exchange.begin(200, plain);
      exchange.write(bytes('a'));
      given.resolve(exchange);
    });
    const seen = new Promise<void>((resolve) => {
      client.socket.on('data', (data) => data.toString('latin1').includes('\r\na') && resolve());
    });
    client.socket.write(get('/stream'));
    const exchange = await given.promise;
    await seen;
    return { client, exchange };
  }

  function it(title: string, run: () => Promise<void>): void {
    unused.delete(title);
    const reason = skip[title];
    if (reason === undefined) test(title, run, 20_000);
    else test.skip(`${title} (${reason})`, run);
  }

  afterEach(() => fixture.stop());

  describe('one', () => {
    it('is chunked, one chunk for each piece that is not empty', async () => {
      const { client, exchange } = await begun();
      let received = '';
      client.socket.on('data', (data) => {
        received += data.toString('latin1');
      });
      for (const piece of ['', 'bcdefghijklmnopqr', '', 's']) expect(exchange.write(bytes(piece))).toBe(true);
      exchange.end();
      const answer = (await client.answer())!;
      expect(received.trimStart()).toBe('11\r\nbcdefghijklmnopqr\r\n1\r\ns\r\n0\r\n\r\n');
      expect([answer.status, answer.body.toString()]).toEqual([200, 'abcdefghijklmnopqrs']);
      const names = ['transfer-encoding', 'content-length', 'content-type', 'connection'];
      expect(names.map((name) => answer.headers.get(name))).toEqual(['chunked', undefined, plain[1], undefined]);
    });

    it('leaves its connection usable, and tells its owner once', async () => {
      const owner = new CountingOwner();
      const { client, exchange } = await begun(owner);
      exchange.end();
      expect((await client.answer())?.body.toString()).toBe('a');
      await owner.ended;
      expect((await client.ask(get('/next')))?.body.toString()).toBe('/next');
      expect([owner.sent, owner.aborted]).toEqual([1, 0]);
    });

    it('may have no piece', async () => {
      const client = await start((exchange) => {
        exchange.begin(200, plain);
        exchange.end();
      });
      expect((await client.ask(get('/')))?.body.length).toBe(0);
      expect((await client.ask(get('/')))?.body.length).toBe(0);
    });

    it('may be given inside the handler, and from shared memory that is used again', async () => {
      const piece = new Uint8Array(new SharedArrayBuffer(300));
      const client = await start((exchange) => {
        exchange.begin(200, plain);
        for (let nth = 1; nth <= 100; nth++) exchange.write(piece.fill(nth));
        exchange.end();
      });
      for (let round = 0; round < 3; round++) expectPieces((await client.ask(get('/')))!.body, 300, 100);
    });

    it('has a status and headers, and refuses a value that would end its line', async () => {
      const client = await start((exchange) => {
        exchange.begin(503, ['X-A', exchange.path === '/ok' ? 'b' : 'b\r\nX-C: d']);
        exchange.write(bytes('x'));
        exchange.end();
      });
      const answer = (await client.ask(get('/ok')))!;
      expect([answer.status, answer.headers.get('x-a'), answer.body.toString()]).toEqual([503, 'b', 'x']);
      expect((await client.ask(get('/bad')))?.status).toBe(500);
    });

    it('to HEAD has no body', async () => {
      const client = await start((exchange) => {
        exchange.begin(200, plain);
        expect(exchange.write(bytes('x'))).toBe(true);
        exchange.end();
      });
      for (let round = 0; round < 2; round++) {
        client.socket.write(`HEAD / HTTP/1.1\r\n${host}\r\n`);
        expect((await client.answer(true))?.status).toBe(200);
      }
      expect((await client.ask(get('/')))?.body.toString()).toBe('x');
    });

    it('cannot be followed by another', async () => {
      const { client, exchange } = await begun();
      exchange.reply(500, plain, bytes('other'));
      exchange.send(500, plain, [bytes('other')]);
      exchange.begin(500, plain);
      exchange.write(bytes('b'));
      exchange.end();
      exchange.end();
      expect([exchange.write(bytes('late'))]).toEqual([true]);
      expect((await client.answer())?.body.toString()).toBe('ab');
      expect((await client.ask(get('/next')))?.body.toString()).toBe('/next');
    });

    it('to HTTP/1.0 is not chunked, and ends with the connection', async () => {
      const client = await start((exchange) => {
        exchange.begin(200, plain);
        exchange.write(bytes('ab'));
        setImmediate(() => {
          exchange.write(bytes('cd'));
          exchange.end();
        });
      });
      client.socket.write('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
      const answer = (await client.answer())!;
      expect(answer.body.toString()).toBe('abcd');
      const names = ['transfer-encoding', 'content-length', 'connection'];
      expect(names.map((name) => answer.headers.get(name))).toEqual([undefined, undefined, 'close']);
    });

    it('holds up the answers to requests that are pipelined behind it', async () => {
      const waiting = new Map<string, HttpExchange>();
      const both = new Deferred<void>();
      const client = await start((exchange) => {
        waiting.set(exchange.path, exchange);
        exchange.begin(200, plain);
        if (waiting.size === 2) both.resolve();
      });
      client.socket.write(get('/1') + get('/2'));
      await both.promise;
      const owner = new Writer(100_000, 3);
      const second = waiting.get('/2')!;
      second.owner = owner;
      expect(second.write(new Uint8Array(100_000).fill(1))).toBe(false);
      await turn();
      expect(owner.rooms).toBe(0);
      owner.pieces = 1;
      waiting.get('/1')!.write(bytes('first'));
      waiting.get('/1')!.end();
      expect((await client.answer())?.body.toString()).toBe('first');
      expectPieces((await client.answer())!.body, 100_000, 3);
      expect(owner.rooms).toBeGreaterThan(0);
    });
  });

  describe('to a client that does not read', () => {
    it('pieces are held back, and come when it reads on', async () => {
      const count = 80;
      const owner = new Writer(256 * 1024, count);
      const client = await start((exchange) => owner.start(exchange));
      client.socket.pause();
      client.socket.write(get('/'));
      await owner.blocked.promise;
      // Turns in which nothing else can be taken: the kernel has what it wants.
      for (let left = 20, before = 0; left > 0; left--) {
        if (owner.pieces !== before) left = 20;
        before = owner.pieces;
        await turn();
      }
      expect(owner.bytes).toBeLessThan(KERNEL_BYTES_MAX);
      expect([owner.sent, owner.aborted]).toEqual([0, 0]);
      client.socket.resume();
      expectPieces((await client.answer())!.body, 256 * 1024, count);
      await owner.ended;
      expect([owner.sent, owner.aborted]).toEqual([1, 0]);
      expect(owner.rooms).toBeGreaterThan(1);
    });

    it('small pieces are held back too', async () => {
      const count = 200_000;
      const owner = new Writer(100, count);
      const client = await start((exchange) => owner.start(exchange));
      client.socket.pause();
      client.socket.write(get('/'));
      await owner.blocked.promise;
      expect(owner.bytes).toBeLessThan(KERNEL_BYTES_MAX);
      let received = 0;
      client.socket.removeAllListeners('data');
      client.socket.on('data', (data) => {
        received += data.length;
      });
      client.socket.resume();
      await owner.ended;
      // Each has its size in two digits, and four bytes of line ends.
      await until(() => received > count * 106);
      expect([owner.sent, owner.aborted]).toEqual([1, 0]);
    });

    it('one large piece is sent as it reads', async () => {
      const owner = new Writer(20 * MEGABYTE, 1);
      const client = await start((exchange) => owner.start(exchange));
      client.socket.pause();
      client.socket.write(get('/'));
      await owner.blocked.promise;
      client.socket.resume();
      expectPieces((await client.answer())!.body, 20 * MEGABYTE, 1);
      await owner.ended;
      // Its end was known when there was room.
      expect([owner.sent, owner.aborted, owner.rooms]).toEqual([1, 0, 0]);
    });

    it('and vanishes, the owner is told once', async () => {
      const owner = new Writer(256 * 1024, 1000);
      const client = await start((exchange) => owner.start(exchange));
      client.socket.pause();
      client.socket.write(get('/'));
      await owner.blocked.promise;
      client.socket.resetAndDestroy();
      await owner.ended;
      await fixture.listener.idle();
      expect([owner.sent, owner.aborted]).toEqual([0, 1]);
    });

    it('and does not go on, the connection is cut', async () => {
      const owner = new Writer(256 * 1024, 1000);
      const client = await start((exchange) => owner.start(exchange), { idleTimeoutMs: 200 });
      client.socket.pause();
      client.socket.write(get('/'));
      await owner.ended;
      expect([owner.sent, owner.aborted]).toEqual([0, 1]);
    });
  });

  describe('in the middle of one', () => {
    it('a client that vanishes is told to the owner once, and what is written then has no effect', async () => {
      const owner = new CountingOwner();
      const { client, exchange } = await begun(owner);
      client.socket.resetAndDestroy();
      await owner.ended;
      expect(exchange.write(bytes('late'))).toBe(true);
      exchange.end();
      await fixture.listener.idle();
      expect([owner.sent, owner.aborted]).toEqual([0, 1]);
    });

    it('a client that closes its half is gone', async () => {
      const owner = new CountingOwner();
      const { client } = await begun(owner);
      client.socket.end();
      await owner.ended;
      expect([owner.sent, owner.aborted]).toEqual([0, 1]);
      expect(await client.answer()).toBeNull();
    });

    it('a sink that throws cuts the connection, and the owner is told once', async () => {
      const owner = new CountingOwner();
      const client = await start((exchange) => {
        exchange.owner = owner;
        exchange.readBody({
          onChunk() {
            exchange.begin(200, plain);
            exchange.write(bytes('a'));
            throw new Error('broken sink');
          },
        });
      });
      expect(await client.ask(get('/'))).toBeNull();
      await owner.ended;
      expect([owner.sent, owner.aborted]).toEqual([0, 1]);
      expect(fixture.log.errors.join()).toContain('broken sink');
    });

    it('a handler that throws cuts the connection, and the owner is told once', async () => {
      const owner = new CountingOwner();
      const client = await start((exchange) => {
        exchange.owner = owner;
        exchange.begin(200, plain);
        exchange.write(bytes('a'));
        throw new Error('broken handler');
      });
      expect(await client.ask(get('/'))).toBeNull();
      await owner.ended;
      expect([owner.sent, owner.aborted]).toEqual([0, 1]);
      expect(fixture.log.errors.join()).toContain('broken handler');
    });

    it('an owner that throws when there is room again cuts the connection', async () => {
      const owner = new Writer(256 * 1024, 1000);
      owner.onWritable = () => {
        throw new Error('broken owner');
      };
      const client = await start((exchange) => owner.start(exchange));
      client.socket.write(get('/'));
      expect(await client.answer()).toBeNull();
      await owner.ended;
      expect([owner.sent, owner.aborted]).toEqual([0, 1]);
      expect(fixture.log.errors.join()).toContain('broken owner');
    });

    it('the listener drains: the answer goes on to its end', async () => {
      const owner = new CountingOwner();
      const { client, exchange } = await begun(owner);
      fixture.listener.drain();
      let idle = false;
      const waiting = fixture.listener.idle().then(() => {
        idle = true;
      });
      await turn();
      exchange.write(bytes('b'));
      await turn();
      expect(idle).toBe(false);
      exchange.end();
      await waiting;
      await fixture.listener.close();
      expect((await client.answer())?.body.toString()).toBe('ab');
      expect([owner.sent, owner.aborted]).toEqual([1, 0]);
    });

    it('the listener closes: the connection is cut, and the owner is told once', async () => {
      const owner = new CountingOwner();
      const { client } = await begun(owner);
      await fixture.listener.close();
      await Promise.all([client.closed, owner.ended]);
      expect([owner.sent, owner.aborted]).toEqual([0, 1]);
    });
  });

  test('one that begins while the listener drains says that the connection closes', async () => {
    const given = new Deferred<HttpExchange>();
    const client = await start((exchange) => given.resolve(exchange));
    client.socket.write(get('/'));
    const exchange = await given.promise;
    fixture.listener.drain();
    exchange.begin(200, plain);
    exchange.write(bytes('bye'));
    exchange.end();
    const answer = (await client.answer())!;
    expect([answer.body.toString(), answer.headers.get('connection')]).toEqual(['bye', 'close']);
    await fixture.listener.idle();
  });

  test('skips only tests that exist', async () => {
    fixture = await EngineFixture.start(makeEngine(), () => {});
    expect([...unused]).toEqual([]);
  });
}

/** Turns of the event loop until something is so; the test's own time limit ends it. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await turn();
}
