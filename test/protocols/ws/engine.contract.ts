import { once } from 'node:events';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { HttpEngine } from '../../../src/protocols/http/engine.js';
import { type SocketLimits, TEXT } from '../../../src/protocols/web-socket.js';
import { Deferred } from '../http/engine-fixture.js';
import {
  CountingHolder,
  clientFrame,
  echo,
  type Recorder,
  SocketFixture,
  turn,
  until,
  upgradeHead,
} from './socket-fixture.js';

const MEGABYTE = 1024 * 1024;
const ascii = (length: number, from = 0) =>
  Buffer.from(Array.from({ length }, (_, index) => 97 + ((from + index) % 26)));

const clientFrames = (...texts: string[]) => Buffer.concat(texts.map((text) => clientFrame(1, Buffer.from(text))));

/** As tensors lie: in shared memory. */
function sharedBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(new SharedArrayBuffer(length));
  for (let index = 0; index < length; index++) bytes[index] = (index * 31) >> 3;
  return bytes;
}

export interface ContractOptions {
  readonly makeEngine: () => HttpEngine;
  /** What an engine cannot do: the test's name and the reason. */
  readonly skip: Readonly<Record<string, string>>;
}

/** What the WebSockets of every engine do, on real sockets. */
export function runSocketContract({ makeEngine, skip }: ContractOptions): void {
  let fixture: SocketFixture;

  async function start(prepare: (recorder: Recorder) => void = echo, limits: Partial<SocketLimits> = {}) {
    fixture = await SocketFixture.start(makeEngine, limits);
    fixture.handler.prepare = prepare;
    return fixture;
  }

  function it(title: string, run: () => Promise<void>): void {
    const reason = skip[title];
    if (reason === undefined) test(title, run, 20_000);
    else test.skip(`${title} (${reason})`, run);
  }

  afterEach(async () => {
    await fixture.stop();
    // Whatever happened, each connection ended once.
    expect(fixture.handler.recorders.map(({ closes }) => closes)).toEqual(fixture.handler.recorders.map(() => 1));
    expect(fixture.engine.log.errors).toEqual([]);
  });

  describe('an upgrade', () => {
    it('is asked for with path, query and headers, and has the protocol that was chosen', async () => {
      await start();
      const client = fixture.client('/ws?a=b&c', ['first', 'second'], { headers: { Cookie: 'k=v' } });
      await once(client.webSocket, 'open');
      expect(client.webSocket.protocol).toBe('first');
      expect(client.webSocket.extensions).toBe('');
      expect(fixture.handler.requests.at(-1)).toEqual({ path: '/ws', query: 'a=b&c', cookie: 'k=v' });
    });

    it('has headers that came several times as one list', async () => {
      await start();
      const raw = await fixture.engine.connect();
      const lines = 'Cookie: a=1\r\nCookie: b=2\r\nSec-WebSocket-Protocol: first\r\nSec-WebSocket-Protocol: second\r\n';
      await raw.write(upgradeHead('/ws', lines));
      const answer = await raw.answer(true);
      expect([answer!.status, answer!.headers.get('sec-websocket-protocol')]).toEqual([101, 'first']);
      expect(fixture.handler.requests.at(-1)).toEqual({ path: '/ws', query: '', cookie: 'a=1; b=2' });
    });

    it('may have a list of protocols with empty members (RFC 9110, 5.6.1.2)', async () => {
      await start();
      for (const [list, protocol] of [
        ['first,, second,', 'first'],
        ['', undefined],
      ] as const) {
        const raw = await fixture.engine.connect();
        await raw.write(upgradeHead('/ws', `Sec-WebSocket-Protocol: ${list}\r\n`));
        const answer = await raw.answer(true);
        expect([answer!.status, answer!.headers.get('sec-websocket-protocol')]).toEqual([101, protocol]);
      }
    });

    it('that is refused is answered, and the connection goes on', async () => {
      await start();
      const raw = await fixture.engine.connect();
      await raw.write(upgradeHead('/closed'));
      const refused = await raw.answer();
      expect([refused!.status, refused!.body.toString()]).toEqual([403, 'no']);
      await raw.write(upgradeHead('/other'));
      expect((await raw.answer())!.body.toString()).toBe('</other>');
      await raw.write('GET /ws HTTP/1.1\r\nHost: a\r\n\r\n');
      expect((await raw.answer())!.body.toString()).toBe('</ws>');
    });

    it('of another version, or without a proper key, is a request as any other', async () => {
      await start();
      for (const [from, to] of [
        ['Version: 13', 'Version: 8'],
        ['dGhlIHNhbXBsZSBub25jZQ==', 'short'],
        ['Upgrade: websocket', 'Upgrade: other'],
        ['\r\n\r\n', '\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'],
        ['\r\n\r\n', '\r\nSec-WebSocket-Version: 8\r\n\r\n'],
      ] as const) {
        const raw = await fixture.engine.connect();
        await raw.write(upgradeHead('/ws').replace(from, to));
        expect((await raw.answer())!.body.toString(), to).toBe('</ws>');
      }
      expect(fixture.handler.requests).toEqual([]);
    });

    it('may have messages behind it in the same segment', async () => {
      await start(() => {});
      const { recorder } = await fixture.raw({ behind: clientFrames('a', 'b') });
      await until(() => recorder.messages.length === 2);
      expect(recorder.texts()).toEqual(['a', 'b']);
    });
  });

  describe('messages', () => {
    it('come whole, as text or binary, of every length', async () => {
      await start();
      const { client, recorder } = await fixture.pair();
      const lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 300_000];
      const binaryLengths = lengths.map((length) => length + 4);
      for (const length of lengths) client.send(ascii(length).toString());
      for (const length of binaryLengths) client.send(ascii(length));
      const answers = await client.received(lengths.length * 2);
      expect(answers.map(({ isText, bytes }) => [isText, bytes.length])).toEqual([
        ...lengths.map((length) => [true, length]),
        ...binaryLengths.map((length) => [false, length]),
      ]);
      expect(answers.every(({ bytes }) => bytes.equals(ascii(bytes.length)))).toBe(true);
      expect(recorder.messages.map(({ isText }) => isText)).toEqual(answers.map(({ isText }) => isText));
    });

    it('may come in fragments with pings between them, and cut anywhere', async () => {
      await start(() => {});
      const text = fc.record({
        isText: fc.constant(true),
        bytes: fc.string({ unit: 'grapheme' }).map((s) => Buffer.from(s)),
      });
      const binary = fc.record({
        isText: fc.constant(false),
        bytes: fc.uint8Array({ maxLength: 400 }).map((b) => Buffer.from(b)),
      });
      const messages = fc.array(fc.oneof(text, binary), { minLength: 1, maxLength: 8 });
      const cuts = fc.infiniteStream(fc.nat(60));
      await fc.assert(
        fc.asyncProperty(messages, cuts, async (sent, lengths) => {
          const next = () => lengths.next().value as number;
          const frames = sent.flatMap(({ isText, bytes }) => {
            const at = Math.min(next(), bytes.length);
            const opcode = isText ? 1 : 2;
            if (next() % 2 === 0) return [clientFrame(opcode, bytes)];
            return [
              clientFrame(opcode, bytes.subarray(0, at), false),
              clientFrame(9, Buffer.from('ping')),
              clientFrame(0, bytes.subarray(at)),
            ];
          });
          const { socket, recorder } = await fixture.raw();
          const bytes = Buffer.concat(frames);
          for (let at = 0; at < bytes.length; ) {
            const end = Math.min(bytes.length, at + 1 + next() * 5);
            await new Promise((resolve) => socket.write(bytes.subarray(at, end), resolve));
            at = end;
          }
          await until(() => recorder.messages.length === sent.length || recorder.closes > 0);
          expect(recorder.messages).toEqual(sent);
          socket.destroy();
        }),
        { numRuns: 30 },
      );
    });

    it('that came in thousands in one piece do not keep those of others waiting', async () => {
      await start(() => {});
      const many = await fixture.raw();
      const one = await fixture.raw();
      const before = new Deferred<number>();
      const { messages } = many.recorder;
      one.recorder.onEach = () => before.resolve(messages.length);
      // Is in the kernel when it returns.
      many.recorder.onEach = () => messages.length === 1 && one.socket.write(clientFrames('one'));
      const texts = Array.from({ length: 15_000 }, (_, nth) => String(nth));
      many.socket.write(clientFrames(...texts));
      expect(await before.promise).toBeLessThan(2000);
      await until(() => messages.length === texts.length);
      expect(many.recorder.texts()).toEqual(texts);
    });

    it('leave in the order they were sent in, from memory that is used again', async () => {
      const bytes = Buffer.alloc(300);
      await start((recorder) => {
        recorder.onEach = () => {
          for (let nth = 0; nth < 200; nth++) {
            bytes.fill(nth);
            if (nth % 2 === 0) recorder.socket.sendBinary(nth * 0x01_00_01, bytes.subarray(0, nth));
            else recorder.socket.sendText(bytes.fill(0x30 + (nth % 10)).subarray(0, nth));
          }
        };
      });
      const { client } = await fixture.pair();
      client.send('now');
      const answers = await client.received(200);
      answers.forEach(({ isText, bytes: answer }, nth) => {
        expect(isText).toBe(nth % 2 === 1);
        if (isText) expect(answer).toEqual(Buffer.alloc(nth, 0x30 + (nth % 10)));
        else expect([answer.readUInt32LE(), answer.subarray(4)]).toEqual([nth * 0x01_00_01, Buffer.alloc(nth, nth)]);
      });
    });

    it('that are not right end their connection, and no other', async () => {
      await start();
      const { client } = await fixture.pair();
      const wrong = {
        'of an unknown kind': clientFrame(3, Buffer.alloc(1)),
        'with a reserved bit': clientFrame(0x41, Buffer.alloc(1)),
        'no UTF-8': clientFrame(1, Buffer.from([0xff])),
        'a rest without a beginning': clientFrame(0, Buffer.alloc(1)),
        'a long ping': clientFrame(9, Buffer.alloc(126)),
        'a ping in fragments': clientFrame(9, Buffer.alloc(1), false),
      };
      for (const [what, bytes] of Object.entries(wrong)) {
        const { socket, recorder } = await fixture.raw({ after: bytes });
        await until(() => recorder.closes > 0);
        expect(recorder.messages, what).toEqual([]);
        socket.destroy();
      }
      client.send('still there');
      await client.received(1);
      expect(client.texts()).toEqual(['still there']);
    });

    it('that are not masked end their connection', async () => {
      await start();
      const { recorder } = await fixture.raw({ after: Buffer.from('\x81\x07not one', 'latin1') });
      await until(() => recorder.closes > 0);
      expect(recorder.messages).toEqual([]);
    });

    it('that are too large close the connection with 1009', async () => {
      await start(echo, { maxMessageBytes: 2000 });
      const { client } = await fixture.pair();
      client.send(ascii(2000).toString());
      await client.received(1);
      client.send(ascii(2001).toString());
      expect((await client.ended()).code).toBe(1009);
    });

    it('that are too large end the connection, also in fragments', async () => {
      await start(echo, { maxMessageBytes: 2000 });
      const frames = [clientFrame(2, ascii(1500), false), clientFrame(0, ascii(1500))];
      const { recorder } = await fixture.raw({ after: Buffer.concat(frames) });
      await until(() => recorder.closes > 0);
      expect(recorder.messages).toEqual([]);
    });
  });

  describe('large messages in parts', () => {
    it('arrive as one message, and their holder is told once', async () => {
      const parts = [Buffer.from('{"head":1}'), sharedBytes(3 * MEGABYTE), new Uint8Array(0), sharedBytes(7)];
      const holder = new CountingHolder();
      await start();
      const { client, recorder } = await fixture.pair();
      recorder.socket.sendText(Buffer.from('before'));
      recorder.socket.sendParts(10, parts, holder);
      expect(recorder.socket.isWritable).toBe(false);
      recorder.socket.sendText(Buffer.from('behind'));
      const [before, large, behind] = await client.received(3);
      expect([before!.bytes.toString(), behind!.bytes.toString()]).toEqual(['before', 'behind']);
      expect(large!.isText).toBe(false);
      expect(large!.bytes.equals(Buffer.concat([Buffer.from([10, 0, 0, 0]), ...parts]))).toBe(true);
      await until(() => recorder.socket.isWritable);
      expect(holder.released).toBe(1);
    });

    it('may be text', async () => {
      await start();
      const { client, recorder } = await fixture.pair();
      const holder = new CountingHolder();
      recorder.socket.sendParts(TEXT, [ascii(MEGABYTE)], holder);
      const [message] = await client.received(1);
      expect([message!.isText, message!.bytes.equals(ascii(MEGABYTE))]).toEqual([true, true]);
      await until(() => holder.released === 1);
    });

    it('follow one another without end, each when the one before is taken', async () => {
      await start();
      const { client, recorder } = await fixture.pair();
      const part = sharedBytes(700_000);
      const holder = new CountingHolder();
      let left = 20;
      const pump = () => {
        for (; left > 0 && recorder.socket.isWritable; left--) recorder.socket.sendParts(left, [part], holder);
      };
      recorder.onRoom = pump;
      pump();
      const messages = await client.received(20);
      expect(messages.map(({ bytes }) => bytes.readUInt32LE())).toEqual(
        Array.from({ length: 20 }, (_, nth) => 20 - nth),
      );
      expect(messages.every(({ bytes }) => Buffer.from(part).equals(bytes.subarray(4)))).toBe(true);
      await until(() => holder.released === 20);
    });

    it('arrive unharmed on several connections at a time', async () => {
      await start();
      const part = sharedBytes(5 * MEGABYTE + 3);
      const expected = Buffer.from(part);
      const pairs: Awaited<ReturnType<typeof fixture.pair>>[] = [];
      while (pairs.length < 4) pairs.push(await fixture.pair());
      for (const { client, recorder } of pairs) {
        let wanted = 0;
        recorder.onRoom = () => {
          for (; wanted > 0 && recorder.socket.isWritable; wanted--)
            recorder.socket.sendParts(1, [part.subarray(0, 100), part.subarray(100)], new CountingHolder());
        };
        recorder.onEach = () => {
          wanted++;
          recorder.onRoom();
        };
        client.webSocket.on('message', () => {
          if (client.messages.length < 12) client.send('more');
        });
        client.send('first');
      }
      for (const { client } of pairs) {
        const messages = await client.received(12);
        expect(messages.every(({ bytes }) => bytes.subarray(4).equals(expected))).toBe(true);
      }
    });

    it('are let go of when the client vanishes', async () => {
      await start();
      const { client, recorder } = await fixture.pair();
      const holder = new CountingHolder();
      client.webSocket.pause();
      recorder.socket.sendParts(1, [sharedBytes(16 * MEGABYTE)], holder);
      for (let nth = 0; nth < 20; nth++) await turn();
      expect(holder.released).toBe(0);
      client.webSocket.terminate();
      await until(() => recorder.closes === 1);
      expect(holder.released).toBe(1);
      recorder.socket.sendParts(1, [sharedBytes(1)], holder);
      expect(holder.released).toBe(2);
    });

    it('let pings through', async () => {
      await start();
      const { client, recorder } = await fixture.pair();
      const holder = new CountingHolder();
      recorder.socket.sendParts(1, [sharedBytes(8 * MEGABYTE)], holder);
      for (let nth = 0; nth < 8; nth++) {
        client.webSocket.ping();
        recorder.socket.ping();
        await turn();
      }
      const [message] = await client.received(1);
      expect(message!.bytes.length).toBe(8 * MEGABYTE + 4);
      await until(() => client.pongs === 8 && client.pings === 8 && recorder.pings >= 16);
    });
  });

  describe('a client that does not read', () => {
    it('makes the socket one that is not writable, and gets everything when it reads again', async () => {
      await start();
      const { client, recorder } = await fixture.pair();
      const { socket } = recorder;
      client.webSocket.pause();
      const text = ascii(10_000);
      let sent = 0;
      for (; socket.isWritable || sent % 100 !== 0; sent++) {
        socket.sendBinary(sent, text);
        if (sent % 100 === 99) await turn();
      }
      expect(socket.unsentBytes).toBeGreaterThan(fixture.handler.limits.maxUnsentBytes);
      const { drains } = recorder;
      client.webSocket.resume();
      const messages = await client.received(sent);
      expect(messages.map(({ bytes }) => bytes.readUInt32LE())).toEqual(messages.map((_, nth) => nth));
      await until(() => socket.unsentBytes === 0);
      expect([socket.isWritable, recorder.drains > drains]).toEqual([true, true]);
    });
  });

  describe('a client that reads', () => {
    it('makes a socket writable again that was filled in one turn, and that is told', async () => {
      await start();
      const { client, recorder } = await fixture.pair();
      const { socket } = recorder;
      const text = ascii(10_000);
      let sent = 0;
      recorder.onRoom = () => {
        if (sent < 2000) fill();
      };
      const fill = () => {
        while (socket.isWritable) socket.sendBinary(sent++, text);
      };
      fill();
      expect(recorder.drains).toBe(0);
      await until(() => sent >= 2000);
      const messages = await client.received(sent);
      expect(messages.map(({ bytes }) => bytes.readUInt32LE())).toEqual(messages.map((_, nth) => nth));
    });
  });

  describe('pings', () => {
    it('are answered, and told', async () => {
      await start();
      const { client, recorder } = await fixture.pair();
      client.webSocket.ping();
      await until(() => client.pongs === 1 && recorder.pings === 1);
      recorder.socket.ping();
      await until(() => client.pings === 1 && recorder.pings === 2);
    });

    it('of a client that does not read end its connection', async () => {
      await start();
      const { socket, recorder } = await fixture.raw();
      socket.pause();
      const pings = Buffer.concat(Array.from({ length: 1000 }, () => clientFrame(9, Buffer.alloc(125))));
      while (recorder.closes === 0 && recorder.pings < 400_000) {
        if (socket.writableLength === 0) socket.write(pings);
        await turn();
      }
      expect(recorder.closes).toBe(1);
    });
  });

  describe('a close', () => {
    it('has code and reason, and comes behind what was sent', async () => {
      await start();
      const { client, recorder } = await fixture.pair();
      recorder.socket.sendParts(1, [sharedBytes(4 * MEGABYTE)], new CountingHolder());
      recorder.socket.sendText(Buffer.from('last'));
      recorder.socket.close(1001, 'because');
      expect(await client.ended()).toEqual({ code: 1001, reason: 'because' });
      expect(client.messages.map(({ bytes }) => bytes.length)).toEqual([4 * MEGABYTE + 4, 4]);
      await until(() => recorder.closes === 1);
    });

    it('of the client is agreed to', async () => {
      await start();
      const { client, recorder } = await fixture.pair();
      client.webSocket.close(4321, 'enough');
      expect(await client.ended()).toEqual({ code: 4321, reason: 'enough' });
      await until(() => recorder.closes === 1);
    });

    it('of a client that only goes away is told', async () => {
      await start();
      const { client, recorder } = await fixture.pair();
      client.webSocket.terminate();
      await until(() => recorder.closes === 1);
    });

    it('without a word is what terminate does', async () => {
      await start();
      const { client, recorder } = await fixture.pair();
      recorder.socket.terminate();
      expect((await client.ended()).code).toBe(1006);
      await until(() => recorder.closes === 1);
    });

    it('leaves a socket on which nothing has an effect', async () => {
      await start();
      const { client, recorder } = await fixture.pair();
      const { socket } = recorder;
      client.webSocket.terminate();
      await until(() => recorder.closes === 1);
      const holder = new CountingHolder();
      socket.sendText(Buffer.from('a'));
      socket.sendBinary(1, Buffer.from('a'));
      socket.sendParts(1, [Buffer.from('a')], holder);
      socket.ping();
      socket.pause();
      socket.resume();
      socket.close(1000, '');
      socket.terminate();
      expect([holder.released, recorder.closes]).toEqual([1, 1]);
    });
  });

  describe('a pause', () => {
    it('keeps messages back, also those that came in one segment, until it ends', async () => {
      await start((recorder) => {
        recorder.onEach = () => recorder.socket.pause();
      });
      const texts = Array.from({ length: 50 }, (_, nth) => `${nth}`);
      const { recorder } = await fixture.raw({ after: clientFrames(...texts) });
      for (let count = 1; count <= texts.length; count++) {
        await until(() => recorder.messages.length >= count);
        await turn();
        expect(recorder.messages.length).toBe(count);
        recorder.socket.resume();
      }
      await until(() => recorder.messages.length === texts.length);
      expect(recorder.texts()).toEqual(texts);
    });

    it('fills the socket of a client that goes on sending, and no memory of ours', async () => {
      await start((recorder) => recorder.socket.pause());
      const { client, recorder } = await fixture.pair();
      const large = ascii(MEGABYTE);
      for (let nth = 0; nth < 64; nth++) client.send(large);
      for (let nth = 0; nth < 50; nth++) await turn();
      expect(client.webSocket.bufferedAmount).toBeGreaterThan(32 * MEGABYTE);
      recorder.socket.resume();
      await until(() => recorder.messages.length === 64);
    });
  });
}
