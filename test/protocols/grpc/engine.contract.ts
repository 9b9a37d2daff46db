import { randomBytes } from 'node:crypto';
import { compressionAlgorithms, credentials } from '@grpc/grpc-js';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { monotonicUs } from '../../../src/base/clock.js';
import type { GrpcCall, GrpcEngine, GrpcHandler, GrpcListenOptions } from '../../../src/protocols/grpc/engine.js';
import { selfSigned } from './certificates.js';
import { type BytesClient, GrpcFixture, STREAM, status, TestOwner, UNARY } from './engine-fixture.js';

const MEGABYTE = 1024 * 1024;
const nothing = Buffer.alloc(0);

/** Answers each message with itself, as a stream; as a unary call the first. */
class Echo extends TestOwner {
  override message(call: GrpcCall, message: Buffer): void {
    if (call.path === UNARY) call.reply(message);
    else call.send(message);
  }

  override halfClose(call: GrpcCall): void {
    call.end(status.OK, '');
  }
}

const echo: GrpcHandler['onCall'] = (call) => {
  call.owner = new Echo();
};

/** Takes part in everything and says nothing. */
function silent(owners: TestOwner[]): GrpcHandler['onCall'] {
  return (call) => {
    const owner = new TestOwner();
    owners.push(owner);
    call.owner = owner;
  };
}

export interface GrpcContractOptions {
  readonly makeEngine: () => GrpcEngine;
  /** What an engine cannot do: the test's name and the reason. */
  readonly skip: Readonly<Record<string, string>>;
}

/** What every gRPC engine does, on real sockets. */
export function runGrpcContract({ makeEngine, skip }: GrpcContractOptions): void {
  let fixture: GrpcFixture;
  const unused = new Set(Object.keys(skip));

  async function start(onCall: GrpcHandler['onCall'], options: Partial<GrpcListenOptions> = {}): Promise<BytesClient> {
    fixture = await GrpcFixture.start(makeEngine(), onCall, options);
    return fixture.client();
  }

  function it(title: string, run: () => Promise<void>): void {
    unused.delete(title);
    const reason = skip[title];
    if (reason === undefined) test(title, run, 20_000);
    else test.skip(`${title} (${reason})`, run);
  }

  afterEach(() => fixture.stop());

  describe('calls', () => {
    it('carry path and metadata', async () => {
      const seen: unknown[] = [];
      const client = await start((call) => {
        const all: Record<string, string> = {};
        call.eachMetadata((name, value) => {
          all[name] = value;
        });
        seen.push(
          call.path,
          call.deadlineUs,
          call.metadata('x-a'),
          call.metadata('x-none'),
          call.metadata('x-bin'),
          all,
        );
        echo(call);
      });
      await client.unary(UNARY, nothing, { metadata: { 'x-a': 'one two', 'x-bin': '/wA=' } });
      expect(seen.slice(0, 5)).toEqual([UNARY, 0, 'one two', '', '/wA=']);
      expect(seen[5]).toMatchObject({ 'x-a': 'one two', 'x-bin': '/wA=' });
      expect(Object.keys(seen[5] as object)).not.toContain('te');
    });

    it('of unknown methods are UNIMPLEMENTED, and the handler does not hear of them', async () => {
      const owners: TestOwner[] = [];
      const client = await start(silent(owners));
      for (const path of ['/test.Service/Other', '/other.Service/Unary']) {
        expect((await client.unary(path, nothing)).code).toBe(status.UNIMPLEMENTED);
      }
      expect(owners).toEqual([]);
    });

    it('may be ended at once by the handler', async () => {
      const client = await start((call) => call.end(status.NOT_FOUND, 'not here'));
      expect(await client.unary(UNARY, nothing)).toMatchObject({ code: status.NOT_FOUND, details: 'not here' });
    });

    it('have a text in their status, whatever it holds', async () => {
      const texts = ['plain', '100 % sure?', 'line\nend\r\t', 'größer \u{1f600}', ' blanks ', 'x'.repeat(3000)];
      const client = await start((call) => call.end(status.INVALID_ARGUMENT, texts[Number(call.metadata('nth'))]!));
      for (const [nth, text] of texts.entries()) {
        const metadata = { nth: String(nth) };
        expect((await client.unary(UNARY, nothing, { metadata })).details).toBe(text);
      }
    });

    it('come many at once on several connections', async () => {
      await start(echo);
      const clients = Array.from({ length: 4 }, (_, nth) =>
        fixture.client({ 'grpc.primary_user_agent': `client ${nth}` }),
      );
      const texts = Array.from({ length: 400 }, (_, nth) => `message ${nth}`);
      const asked = texts.map((text, nth) => clients[nth % 4]!.unary(UNARY, Buffer.from(text)));
      const answers = await Promise.all(asked);
      expect(answers.map(({ messages }) => messages.map(String))).toEqual(texts.map((text) => [text]));
    });

    it('whose owner throws end with INTERNAL, the log has the reason, and others go on', async () => {
      const owner = new (class extends TestOwner {
        override message(): void {
          throw new Error('a bug in a test');
        }
      })();
      const client = await start((call) => {
        if (call.path === UNARY) call.owner = owner;
        else echo(call);
      });
      expect((await client.unary(UNARY, nothing)).code).toBe(status.INTERNAL);
      expect(owner.events).toEqual(['message', 'cancel']);
      expect(fixture.log.errors.join()).toContain('a bug in a test');
      expect((await client.unary(STREAM, nothing)).code).toBe(status.OK);
    });
  });

  describe('messages', () => {
    it('of every size come as they were, and go back', async () => {
      const client = await start(echo);
      for (const size of [0, 1, 100, 16_379, 16_384, 65_536, 65_537, 200_000, MEGABYTE, 9 * MEGABYTE + 1]) {
        const message = randomBytes(size);
        const { code, messages } = await client.unary(UNARY, message);
        expect([code, messages.length, messages[0]?.equals(message)]).toEqual([status.OK, 1, true]);
      }
    });

    it('come one after another on a stream, large ones among small, in order', async () => {
      const client = await start(echo);
      const sent = Array.from({ length: 60 }, (_, nth) => randomBytes(nth % 10 === 0 ? 150_000 : nth * 7));
      const stream = client.open(STREAM);
      for (const message of sent) stream.send(message);
      stream.halfClose();
      const { code, messages } = await stream.outcome;
      expect(code).toBe(status.OK);
      expect(messages.map((message, nth) => message.equals(sent[nth]!))).toEqual(sent.map(() => true));
    });

    it('may be sent from memory that is used again', async () => {
      const client = await start((call) => {
        call.owner = new (class extends TestOwner {
          override message(): void {
            const memory = Buffer.alloc(5000);
            for (let nth = 0; nth < 50; nth++) call.send(memory.fill(nth));
            call.reply(memory.fill(50));
            memory.fill(0xff);
          }
        })();
      });
      const { messages } = await client.unary(STREAM, nothing);
      expect(messages).toEqual(Array.from({ length: 51 }, (_, nth) => Buffer.alloc(5000, nth)));
    });

    it('may lie in parts, which are released once', async () => {
      const released: string[] = [];
      const holder = (name: string) => ({ onPartsReleased: () => released.push(name) });
      const parts = [Buffer.from('head'), randomBytes(300_000), Buffer.alloc(0), Buffer.from('tail')];
      const client = await start((call) => {
        call.owner = new (class extends TestOwner {
          override message(): void {
            call.sendParts(parts, holder('first'));
            call.replyParts(parts.toReversed(), holder('second'));
            call.sendParts(parts, holder('late'));
          }
        })();
      });
      const { messages, code } = await client.unary(STREAM, nothing);
      expect(code).toBe(status.OK);
      expect(messages.map((message) => message.equals(Buffer.concat(parts)))).toEqual([true, false]);
      expect(messages[1]!.equals(Buffer.concat(parts.toReversed()))).toBe(true);
      await vi.waitFor(() => expect(released.sort()).toEqual(['first', 'late', 'second']));
    });

    it('larger than the limit end the call with RESOURCE_EXHAUSTED, and no other', async () => {
      const owners: TestOwner[] = [];
      const client = await start(
        (call) => {
          const owner = new Echo();
          owners.push(owner);
          call.owner = owner;
        },
        { maxMessageBytes: 100_000 },
      );
      expect((await client.unary(UNARY, Buffer.alloc(100_000))).code).toBe(status.OK);
      expect((await client.unary(UNARY, Buffer.alloc(100_001))).code).toBe(status.RESOURCE_EXHAUSTED);
      expect(owners[1]!.events).toEqual(['cancel']);
      expect((await client.unary(UNARY, Buffer.alloc(1))).code).toBe(status.OK);
    });

    for (const [name, algorithm] of [
      ['gzip', compressionAlgorithms.gzip],
      ['deflate', compressionAlgorithms.deflate],
    ] as const) {
      it(`compressed with ${name} come plain`, async () => {
        await start(echo);
        const client = fixture.client({ 'grpc.default_compression_algorithm': algorithm });
        for (const message of [nothing, Buffer.from('short'), Buffer.alloc(MEGABYTE, 'abc')]) {
          const { messages } = await client.unary(UNARY, message);
          expect(messages.map((answer) => answer.equals(message))).toEqual([true]);
        }
      });

      it(`that ${name} makes larger than the limit end the call with RESOURCE_EXHAUSTED`, async () => {
        await start(echo, { maxMessageBytes: 100_000 });
        const client = fixture.client({ 'grpc.default_compression_algorithm': algorithm });
        expect((await client.unary(UNARY, Buffer.alloc(99_999))).code).toBe(status.OK);
        expect((await client.unary(UNARY, Buffer.alloc(20 * MEGABYTE))).code).toBe(status.RESOURCE_EXHAUSTED);
        expect((await client.unary(UNARY, Buffer.alloc(1))).code).toBe(status.OK);
      });
    }

    it('of calls that ask for it go out compressed', async () => {
      await start(
        (call) => {
          call.compress = true;
          echo(call);
        },
        { compression: 'high' },
      );
      const message = Buffer.alloc(MEGABYTE, 'abc');
      const { messages } = await fixture.client().unary(UNARY, message);
      expect(messages.map((answer) => answer.equals(message))).toEqual([true]);
      // What is compressed fits in a limit that it would not fit in plain, before it is inflated.
      const limited = fixture.client({ 'grpc.max_receive_message_length': 10_000 });
      expect((await limited.unary(UNARY, message)).details).toMatch(/decompress/);
    });
  });

  describe('the end of the client', () => {
    it('is told as half-close after its last message, and answers still reach it', async () => {
      let owner!: TestOwner;
      const client = await start((call) => {
        owner = new (class extends TestOwner {
          override halfClose(): void {
            setTimeout(() => {
              call.send(Buffer.from('late'));
              call.end(status.OK, '');
            }, 20);
          }
        })();
        call.owner = owner;
      });
      const stream = client.open(STREAM);
      stream.send(Buffer.from('a'));
      stream.send(Buffer.from('b'));
      stream.halfClose();
      expect(await stream.outcome).toMatchObject({ code: status.OK, messages: [Buffer.from('late')] });
      expect(owner.events).toEqual(['message', 'message', 'half-close']);
    });

    it('may come without a message', async () => {
      const owners: TestOwner[] = [];
      const client = await start((call) => {
        silent(owners)(call);
        owners[0]!.halfClose = () => call.end(status.INVALID_ARGUMENT, 'nothing came');
      });
      const stream = client.open(UNARY);
      stream.halfClose();
      expect((await stream.outcome).details).toBe('nothing came');
      expect(owners[0]!.events).toEqual(['half-close']);
    });

    it('by cancelling is told once, and what is said after that is ignored', async () => {
      const owners: TestOwner[] = [];
      const calls: GrpcCall[] = [];
      const client = await start((call) => {
        calls.push(call);
        silent(owners)(call);
      });
      const stream = client.open(STREAM);
      stream.send(Buffer.from('a'));
      await vi.waitFor(() => expect(owners[0]?.messages).toHaveLength(1));
      stream.cancel();
      await vi.waitFor(() => expect(owners[0]!.events.at(-1)).toBe('cancel'));
      let released = 0;
      calls[0]!.send(Buffer.from('x'));
      calls[0]!.replyParts([Buffer.alloc(100_000)], { onPartsReleased: () => released++ });
      calls[0]!.end(status.OK, '');
      expect(released).toBe(1);
      await fixture.listener.idle();
      expect(owners[0]!.events.filter((event) => event !== 'half-close')).toEqual(['message', 'cancel']);
    });

    it('by losing its connection is told to every call', async () => {
      const owners: TestOwner[] = [];
      const client = await start(silent(owners));
      for (let nth = 0; nth < 5; nth++) client.open(STREAM).send(nothing);
      await vi.waitFor(() => expect(owners.map(({ messages }) => messages.length)).toEqual([1, 1, 1, 1, 1]));
      await fixture.listener.close();
      expect(owners.map(({ events }) => events)).toEqual(owners.map(() => ['message', 'cancel']));
    });

    it('by its deadline is DEADLINE_EXCEEDED, and told as cancel', async () => {
      const owners: TestOwner[] = [];
      const deadlinesUs: number[] = [];
      const client = await start((call) => {
        deadlinesUs.push(call.deadlineUs - monotonicUs());
        silent(owners)(call);
      });
      expect((await client.unary(UNARY, nothing, { timeoutMs: 150 })).code).toBe(status.DEADLINE_EXCEEDED);
      await vi.waitFor(() => expect(owners[0]!.events.at(-1)).toBe('cancel'));
      expect(owners[0]!.events.filter((event) => event === 'cancel')).toHaveLength(1);
      expect(deadlinesUs[0]).toBeGreaterThan(20_000);
      expect(deadlinesUs[0]).toBeLessThanOrEqual(151_000);
    });
  });

  describe('after the owner ended a call', () => {
    it('it hears nothing more, whatever the client sends', async () => {
      const owners: TestOwner[] = [];
      const client = await start((call) => {
        const owner = new (class extends TestOwner {
          override message(): void {
            call.end(status.ABORTED, 'enough');
          }
        })();
        owners.push(owner);
        call.owner = owner;
      });
      const stream = client.open(STREAM);
      for (let nth = 0; nth < 100; nth++) stream.send(Buffer.alloc(5000));
      expect(await stream.outcome).toMatchObject({ code: status.ABORTED, details: 'enough' });
      stream.cancel();
      await fixture.listener.idle();
      expect(owners[0]!.events).toEqual(['message']);
    });

    it('the connection serves others', async () => {
      const client = await start((call) => {
        if (call.path === UNARY) call.end(status.UNAVAILABLE, '');
        else echo(call);
      });
      for (let nth = 0; nth < 20; nth++) {
        expect((await client.unary(UNARY, Buffer.alloc(200_000))).code).toBe(status.UNAVAILABLE);
        expect((await client.unary(STREAM, Buffer.from('x'))).messages).toEqual([Buffer.from('x')]);
      }
    });
  });

  describe('back-pressure', () => {
    it('holds a client back whose messages are not taken', async () => {
      let call!: GrpcCall;
      const owner = new (class extends TestOwner {
        override message(): void {
          call.pause();
        }
      })();
      const client = await start((opened) => {
        call = opened;
        call.owner = owner;
      });
      const stream = client.open(STREAM);
      for (let nth = 0; nth < 20; nth++) stream.send(Buffer.alloc(10_000, nth));
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(owner.messages).toHaveLength(1);
      for (let nth = 2; nth <= 20; nth++) {
        call.resume();
        await vi.waitFor(() => expect(owner.messages).toHaveLength(nth));
      }
      expect(owner.messages.map((message) => message[0])).toEqual(Array.from({ length: 20 }, (_, nth) => nth));
    });

    it('tells when a client that did not read reads again', async () => {
      let call!: GrpcCall;
      let sent = 0;
      const message = Buffer.alloc(32 * 1024, 1);
      const fill = () => {
        while (call.isWritable && sent < 400) {
          call.send(message);
          sent++;
        }
        if (sent === 400) call.end(status.OK, '');
      };
      const owner = new (class extends TestOwner {
        override message(): void {
          fill();
        }
        override drained(): void {
          fill();
        }
      })();
      const client = await start((opened) => {
        call = opened;
        call.owner = owner;
      });
      const stream = client.open(STREAM);
      stream.pause();
      stream.send(nothing);
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(call.isWritable).toBe(false);
      const held = sent;
      expect(held).toBeLessThan(200);
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(sent).toBe(held);
      stream.resume();
      expect((await stream.outcome).code).toBe(status.OK);
      expect(stream.messages).toHaveLength(400);
      expect(owner.events).toContain('drain');
    });

    it('of one call leaves others on the connection alone', async () => {
      const client = await start((call) => {
        if (call.path === STREAM) call.pause();
        echo(call);
      });
      const stuck = client.open(STREAM);
      for (let nth = 0; nth < 10; nth++) stuck.send(Buffer.alloc(30_000));
      for (let nth = 0; nth < 20; nth++) {
        expect((await client.unary(UNARY, Buffer.alloc(1000))).code).toBe(status.OK);
      }
      stuck.cancel();
    });
  });

  describe('a listener', () => {
    it('that drains lets calls end, and takes no more', async () => {
      const calls: GrpcCall[] = [];
      const client = await start((call) => {
        calls.push(call);
        call.owner = new Echo();
      });
      const stream = client.open(STREAM);
      stream.send(Buffer.from('before'));
      await vi.waitFor(() => expect(stream.messages).toHaveLength(1));
      fixture.listener.drain();
      let isIdle = false;
      const idle = fixture.listener.idle().then(() => {
        isIdle = true;
      });
      expect(
        (await fixture.client({ 'grpc.initial_reconnect_backoff_ms': 100 }).unary(UNARY, nothing, { timeoutMs: 300 }))
          .code,
      ).not.toBe(status.OK);
      stream.send(Buffer.from('after'));
      await vi.waitFor(() => expect(stream.messages).toHaveLength(2));
      expect(isIdle).toBe(false);
      stream.halfClose();
      expect((await stream.outcome).code).toBe(status.OK);
      await idle;
      expect(calls).toHaveLength(1);
    });

    it('that closes cuts what is open, once', async () => {
      const owners: TestOwner[] = [];
      const client = await start(silent(owners));
      const stream = client.open(STREAM);
      stream.send(nothing);
      await vi.waitFor(() => expect(owners[0]?.messages).toHaveLength(1));
      await fixture.listener.close();
      expect(owners[0]!.events).toEqual(['message', 'cancel']);
      expect((await stream.outcome).code).not.toBe(status.OK);
      await fixture.listener.close();
    });

    it('says which port cannot be had', async () => {
      await start(echo);
      const { port } = fixture.listener;
      const taken = GrpcFixture.start(makeEngine(), echo, { port });
      await expect(taken).rejects.toThrow(`cannot listen on 127.0.0.1:${port}: `);
    });

    it('counts what is open', async () => {
      const owners: TestOwner[] = [];
      const client = await start(silent(owners));
      expect(fixture.listener.connections).toBe(0);
      client.open(STREAM).send(nothing);
      await vi.waitFor(() => expect(owners[0]?.messages).toHaveLength(1));
      expect(fixture.listener.connections).toBe(1);
    });
  });

  describe('with TLS', () => {
    const own = selfSigned('localhost');

    it('serves clients that trust its certificate', async () => {
      await start(echo, { tls: { ...own, root: null, mutual: false } });
      const client = fixture.client({}, credentials.createSsl(own.cert));
      const message = randomBytes(300_000);
      expect((await client.unary(UNARY, message)).messages[0]!.equals(message)).toBe(true);
      const plain = await fixture.client().unary(UNARY, nothing, { timeoutMs: 500 });
      expect(plain.code).not.toBe(status.OK);
    });

    it('asks for certificates of clients, and refuses others', async () => {
      const client = selfSigned('client');
      await start(echo, { tls: { ...own, root: client.cert, mutual: true } });
      const known = fixture.client({}, credentials.createSsl(own.cert, client.key, client.cert));
      expect((await known.unary(UNARY, Buffer.from('x'))).messages).toEqual([Buffer.from('x')]);
      const other = selfSigned('other');
      for (const secure of [credentials.createSsl(own.cert), credentials.createSsl(own.cert, other.key, other.cert)]) {
        const refused = await fixture.client({}, secure).unary(UNARY, nothing, { timeoutMs: 500 });
        expect(refused.code).not.toBe(status.OK);
      }
    });
  });

  describe('vanishing clients', () => {
    it('leave no call behind, at whatever moment, and others their answers', async () => {
      await start((call) => {
        call.owner = new (class extends Echo {
          override message(open: GrpcCall, message: Buffer): void {
            if (message.length % 3 === 0) setTimeout(() => super.message(open, message), message.length % 5);
            else super.message(open, message);
          }
        })();
      });
      const steady = fixture.client();
      for (let round = 0; round < 30; round++) {
        const client = fixture.client({ 'grpc.primary_user_agent': `round ${round}` });
        const streams = Array.from({ length: 8 }, () => client.open(STREAM));
        for (const stream of streams) for (let nth = 0; nth < 5; nth++) stream.send(Buffer.alloc(nth * 3001 + round));
        const asked = steady.unary(UNARY, Buffer.from(`round ${round}`));
        await new Promise((resolve) => setTimeout(resolve, round % 6));
        if (round % 2 === 0) for (const stream of streams) stream.cancel();
        client.close();
        expect((await asked).messages.map(String)).toEqual([`round ${round}`]);
        for (const stream of streams) stream.cancel();
      }
      await vi.waitFor(() => expect(fixture.listener.idle()).resolves.toBeUndefined());
    });
  });

  test('every test to be left out exists', () => expect([...unused]).toEqual([]));
}
