import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { memoryUsed } from './metrics.js';
import { Random } from './random.js';
import { ask, bytesOf, type HttpRequest, post } from './requests.js';
import { ServerProcess } from './server.js';
import { until } from './until.js';

/** The numbers of the answers in the order in which they came, and the text of an error. */
type Heard = (number | string)[];

interface Event {
  readonly NTH?: number;
  readonly error?: string;
}

describe('decoupled models written in JavaScript', () => {
  let server: ServerProcess;
  let idleBytes = 0;
  const sockets: Socket[] = [];

  beforeAll(async () => {
    server = await ServerProcess.start({ models: ['repeat'] });
    idleBytes = await memoryUsed(server);
  });

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    // Blocks of rows are kept for the next requests.
    await until('all memory is given back', async () => (await memoryUsed(server)) <= idleBytes + 4096);
  });

  afterAll(() => server.stop());

  const request = (count: number, how: string): HttpRequest =>
    post('/v2/models/repeat/generate_stream', JSON.stringify({ COUNT: count, HOW: how }));

  async function hear(count: number, how: string): Promise<Heard> {
    const { body } = await ask(server.httpPort, request(count, how));
    const text = body.toString();
    const events = text === '' ? [] : text.trim().split('\n\n');
    return events.map((event) => {
      const { NTH, error } = JSON.parse(event.slice('data: '.length)) as Event;
      return NTH ?? error ?? 'neither';
    });
  }

  /** Asks on a connection whose answers are read as the test likes. */
  function open(count: number, how: string): Socket {
    const socket = connect(server.httpPort, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(bytesOf(request(count, how)));
    sockets.push(socket);
    return socket;
  }

  const upTo = (count: number) => Array.from({ length: count }, (_, nth) => nth);

  test.each([
    ['plain', 3, [0, 1, 2]],
    ['plain', 0, []],
    ['plain', 500, [...upTo(500)]],
    ['final', 3, [0, 1, 2]],
    ['later', 100, [...upTo(100)]],
    ['unawaited', 50, [...upTo(50)]],
    ['growing', 5, [...upTo(5)]],
    ['some', 0, [7]],
    ['fails', 2, [0, 1, 'enough']],
    ['failsLater', 3, [3, 'too late']],
    ['throws', 1, [0, 'thrown between answers']],
    ['wrong', 1, ["output 'NTH' of model 'repeat' was made with shape [1,2], expected [1,1]"]],
    ['after', 1, []],
  ])('%s, %i times', async (how, count, expected) => {
    expect(await hear(count, how)).toEqual(expected);
  });

  test('what follows the last answer is refused', async () => {
    await hear(1, 'after');
    await server.main.printed(/after the end: the request has ended: nothing can follow its last answer/);
  });

  test('many requests at once: each hears its own answers in order', async () => {
    const hows = ['plain', 'later', 'unawaited', 'final'];
    const heard = await Promise.all(upTo(40).map((nth) => hear(nth + 1, hows[nth % 4]!)));
    for (const [nth, answers] of heard.entries()) expect(answers).toEqual(upTo(nth + 1));
  });

  test('an instance serves others while a request of it is open; its client goes, and it hears of that', async () => {
    const socket = open(1, 'endless');
    let bytes = 0;
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    await until('some answers came', () => bytes > 500_000);
    expect(await hear(3, 'plain')).toEqual([0, 1, 2]);
    socket.destroy();
    await server.main.printed(/endless ended, cancelled: true/);
  });

  test('a client that does not read holds its model up, and does not fill the memory', async () => {
    const socket = open(1, 'endless');
    socket.pause();
    const grown = async () => (await memoryUsed(server)) > idleBytes + 50_000;
    await until('its answers wait', grown);
    expect(await hear(300, 'plain')).toEqual(upTo(300));
    expect(await memoryUsed(server)).toBeLessThan(idleBytes + 1_000_000);
    expect(await grown()).toBe(true);
  });

  test('a request that runs hears that its client is gone', async () => {
    const socket = open(1, 'waits');
    await server.main.printed(/instance 'repeat_0': waits"$/m);
    socket.destroy();
    await server.main.printed(/waits no more/);
    expect(await hear(1, 'plain')).toEqual([0]);
  });

  test('clients that come and go at random: each hears its answers, or nothing; nothing is left', async () => {
    const random = new Random(7);
    const hows = ['plain', 'later', 'unawaited', 'final', 'growing'];
    const visit = async () => {
      for (let round = 0; round < 12; round++) {
        const how = hows[random.below(hows.length)]!;
        const count = 1 + random.below(how === 'growing' ? 4 : 40);
        if (random.below(3) > 0) {
          expect(await hear(count, how)).toEqual(upTo(count));
          continue;
        }
        const socket = open(count, random.below(4) === 0 ? 'endless' : how);
        await Promise.race([once(socket, 'data'), once(socket, 'close')]);
        socket.destroy();
      }
    };
    await Promise.all(Array.from({ length: 16 }, visit));
    expect(await hear(3, 'plain')).toEqual([0, 1, 2]);
  });

  test('an instance that dies between two answers fails its request once', async () => {
    const both = await Promise.all([hear(1, 'dies'), hear(1, 'dies')]);
    for (const heard of both) {
      expect(heard.at(-1)).toMatch(/instance 'repeat_0' of model 'repeat' died/);
      expect(heard.slice(0, -1).every((it) => it === 0)).toBe(true);
    }
    await until('it is back', async () => (await hear(1, 'plain'))[0] === 0);
  });
});
