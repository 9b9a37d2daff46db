import { describe, expect, test } from 'vitest';
import * as wire from './frames.js';
import { dumbInteger, dumbString, type Pair } from './hpack/dumb-hpack.js';
import { answerOf, okFields, okTrailers, Peer } from './peer.js';

/** Sends what `make` gives until the connection is ended; how often that was. */
function sendUntilEnd(peer: Peer, make: (round: number) => Buffer, roundsMax = 100_000): number {
  for (let round = 0; round < roundsMax; round++) {
    if (peer.connection.isFinished) return round;
    peer.send(make(round));
  }
  return roundsMax;
}

function calm(peer: Peer, what: string): void {
  expect(peer.goaway()).toMatchObject({ code: 'ENHANCE_YOUR_CALM', reason: `too many ${what}` });
}

describe('floods end with ENHANCE_YOUR_CALM', () => {
  test('CVE-2023-44487: rapid reset', () => {
    const peer = Peer.open();
    const rounds = sendUntilEnd(peer, (round) =>
      Buffer.concat([wire.headers(2 * round + 1, wire.END_STREAM), wire.reset(2 * round + 1)]),
    );
    expect(rounds).toBe(1001);
    calm(peer, 'requests reset before their answer');
  });

  test('but not for a client that cancels as much as it takes', () => {
    const peer = Peer.open();
    const rounds = sendUntilEnd(
      peer,
      (round) => {
        const id = 4 * round + 1;
        peer.streams.get(id - 4)?.answer(Buffer.alloc(0));
        peer.frames();
        return Buffer.concat([wire.headers(id, wire.END_STREAM), wire.headers(id + 2), wire.reset(id + 2)]);
      },
      5000,
    );
    expect(rounds).toBe(5000);
  });

  test('nor for one that measures the bandwidth by a PING for each piece of an answer that it reads', () => {
    const peer = Peer.open();
    const rounds = sendUntilEnd(
      peer,
      (round) => {
        peer.streams.get(2 * round - 1)?.answer(Buffer.alloc(10));
        peer.frames();
        return Buffer.concat([wire.ping, wire.windowUpdate(0, 10), wire.headers(2 * round + 1, wire.END_STREAM)]);
      },
      5000,
    );
    expect(rounds).toBe(5000);
  });

  test('nor where the pieces are those of one large answer', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1, wire.END_STREAM));
    peer.streams.get(1)!.answer(Buffer.alloc(64 << 20));
    const pieces = [wire.windowUpdate(0, 65_536), wire.windowUpdate(1, 65_536), wire.ping, wire.ping, wire.ping];
    const rounds = sendUntilEnd(
      peer,
      () => {
        peer.frames();
        return Buffer.concat(pieces);
      },
      1000,
    );
    expect(rounds).toBe(1000);
  });

  test('nor for one that cancels now and then', () => {
    const peer = Peer.open();
    let id = 1;
    for (let second = 0; second < 100; second++, peer.connection.tick(1)) {
      for (let count = 0; count < 100; count++, id += 2) peer.send(wire.headers(id), wire.reset(id));
    }
    expect(peer.connection.isFinished).toBe(false);
  });

  test('CVE-2025-8671: requests made for us to reset', () => {
    const peer = Peer.open();
    const rounds = sendUntilEnd(peer, (round) =>
      Buffer.concat([wire.headers(2 * round + 1), wire.windowUpdate(2 * round + 1, 0)]),
    );
    expect(rounds).toBe(1001);
    calm(peer, 'requests reset before their answer');
  });

  test('streams over the limit, again and again', () => {
    const peer = Peer.open({ limits: { maxConcurrentStreams: 1 } });
    peer.send(wire.headers(1));
    const rounds = sendUntilEnd(peer, (round) => wire.headers(2 * round + 3, wire.END_STREAM));
    expect(rounds).toBe(1001);
    calm(peer, 'requests reset before their answer');
  });

  test('malformed requests, again and again', () => {
    const peer = Peer.open();
    expect(sendUntilEnd(peer, (round) => wire.headers(2 * round + 1, wire.END_STREAM, []))).toBe(1001);
  });

  test.each<[string, Buffer]>([
    ['CVE-2019-9512: PING', wire.ping],
    ['CVE-2019-9515: SETTINGS', wire.settings()],
    ['SETTINGS acknowledged without need', wire.settingsAck],
    ['CVE-2019-9513: PRIORITY', wire.frame(wire.PRIORITY, 0, 7, Buffer.alloc(5))],
    ['frames of unknown type', wire.frame(0x99, 0, 0)],
    ['GOAWAY', wire.frame(wire.GOAWAY, 0, 0, Buffer.alloc(8))],
  ])('%s', (_name, frame) => {
    const peer = Peer.open();
    expect(sendUntilEnd(peer, () => frame)).toBeLessThan(1005);
    calm(peer, 'control frames');
  });

  test('RST_STREAM of a stream that is long closed', () => {
    const peer = Peer.open({ answers: true });
    peer.send(wire.headers(1, wire.END_STREAM));
    expect(sendUntilEnd(peer, () => wire.reset(1))).toBeLessThan(1005);
    calm(peer, 'control frames');
  });

  test.each<[string, Buffer]>([
    ['CVE-2019-9518: empty DATA', wire.data(1, '')],
    ['DATA with padding only', wire.paddedData(1, '', 200)],
  ])('%s', (_name, frame) => {
    const peer = Peer.open();
    peer.send(wire.headers(1));
    expect(sendUntilEnd(peer, () => frame)).toBe(201);
    calm(peer, 'empty DATA frames');
  });

  test('empty DATA on a stream that we reset', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1));
    peer.recorder(1).stream.reset(2);
    expect(sendUntilEnd(peer, () => wire.data(1, ''))).toBe(201);
  });

  test('CVE-2019-9511: a window opened byte by byte', () => {
    const peer = Peer.open({ settings: [[4, 0]] });
    peer.send(wire.headers(1, wire.END_STREAM));
    peer.recorder(1).answer(Buffer.alloc(100_000));
    expect(sendUntilEnd(peer, () => wire.windowUpdate(1, 1))).toBe(1001);
    calm(peer, 'small WINDOW_UPDATE frames for a large answer');
  });

  test('the window of the connection opened byte by byte', () => {
    const peer = Peer.open({ settings: [[4, 1 << 20]] });
    peer.send(wire.headers(1, wire.END_STREAM));
    peer.recorder(1).answer(Buffer.alloc(100_000));
    expect(sendUntilEnd(peer, () => wire.windowUpdate(0, 1))).toBe(1001);
    calm(peer, 'small WINDOW_UPDATE frames for a large answer');
  });

  test('a client that opens small windows for small answers is let be', () => {
    const peer = Peer.open({ answers: true });
    const round = (number: number) =>
      Buffer.concat([wire.headers(2 * number + 1, wire.END_STREAM), wire.windowUpdate(0, 5)]);
    expect(sendUntilEnd(peer, round, 5000)).toBe(5000);
  });

  test('unanswered output grows by no more than what came', () => {
    const peer = Peer.open();
    peer.send(...Array.from({ length: 900 }, () => wire.ping));
    expect(peer.connection.waitingBytes).toBe(900 * 17);
  });
});

/** gRPC C-core, `frame_ping.cc` and `ping_abuse_policy.cc`; the counting itself is in `ping-policy.test.ts`. */
describe('PING where it is limited', () => {
  const pings = { minIntervalMs: 1000, minIntervalIdleMs: 5000, strikesMax: 2 };
  const tooMany = { code: 'ENHANCE_YOUR_CALM', reason: 'too_many_pings', lastStreamId: 0 };

  test('one strike too many ends the connection, and says so to the letter', () => {
    const peer = Peer.open({ limits: { pings } });
    expect(sendUntilEnd(peer, () => wire.ping)).toBe(4);
    const frames = peer.frames();
    expect(frames.filter(({ type }) => type === wire.PING)).toHaveLength(3);
    expect(frames.at(-1)).toMatchObject({
      type: wire.GOAWAY,
      payload: Buffer.from('\0\0\0\0\0\0\0\x0btoo_many_pings'),
    });
    expect(peer.violations).toEqual(['too_many_pings']);
  });

  test('acknowledgements are no PINGs of the client', () => {
    const peer = Peer.open({ limits: { pings } });
    expect(sendUntilEnd(peer, () => wire.frame(wire.PING, wire.ACK, 0, Buffer.alloc(8)), 100)).toBe(100);
  });

  test('the time between them is longer while no stream is open', () => {
    const roundsEvery = (ms: number, ...frames: Buffer[]) => {
      const peer = Peer.open({ limits: { pings } });
      peer.send(...frames);
      return sendUntilEnd(
        peer,
        () => {
          peer.nowMs += ms;
          return wire.ping;
        },
        20,
      );
    };
    expect([roundsEvery(4999), roundsEvery(5000)]).toEqual([4, 20]);
    expect([roundsEvery(999, wire.headers(1)), roundsEvery(1000, wire.headers(1))]).toEqual([4, 20]);
  });

  test.each<[string, (peer: Peer, id: number) => void]>([
    ['HEADERS', (peer, id) => peer.recorder(id).stream.end(okTrailers)],
    ['DATA', (peer) => peer.recorder(1).stream.write(Buffer.of(1))],
    ['WINDOW_UPDATE', (peer) => peer.send(...Array.from({ length: 4 }, () => wire.data(1, 'x'.repeat(16_000))))],
  ])('%s of ours start the count anew', (_name, speak) => {
    const peer = Peer.open({ limits: { pings, streamWindowBytes: 65_535 } });
    peer.send(wire.headers(1));
    peer.recorder(1).stream.respond(okFields);
    for (let id = 3; id < 43; id += 2) {
      peer.send(wire.headers(id));
      speak(peer, id);
      peer.frames();
      peer.send(wire.ping, wire.ping, wire.ping);
    }
    expect(peer.connection.isFinished).toBe(false);
    peer.send(wire.ping);
    expect(peer.goaway()).toMatchObject({ ...tooMany, lastStreamId: 41 });
  });

  test('nothing else of ours does', () => {
    const peer = Peer.open({ limits: { pings } });
    const rounds = sendUntilEnd(peer, () => {
      peer.frames();
      peer.connection.ping();
      return Buffer.concat([wire.settings(), wire.ping]);
    });
    expect(rounds).toBe(4);
    expect(peer.goaway()).toEqual(tooMany);
  });
});

describe('field blocks are bounded', () => {
  const begun = wire.frame(wire.HEADERS, 0, 1, wire.block(...wire.requestFields));

  test('CVE-2024-27316: CONTINUATION without end', () => {
    const peer = Peer.open();
    peer.send(begun);
    const rounds = sendUntilEnd(peer, () => wire.frame(wire.CONTINUATION, 0, 1, Buffer.alloc(16_384)));
    expect(rounds).toBe(4);
    expect(peer.goaway()).toMatchObject({
      code: 'ENHANCE_YOUR_CALM',
      reason: expect.stringContaining('a header block may have 65536 bytes'),
    });
  });

  test('also where they are one frame', () => {
    const peer = Peer.open({ limits: { maxFrameBytes: 1 << 18 } });
    peer.send(wire.frame(wire.HEADERS, wire.END_HEADERS, 1, Buffer.alloc(65_537, 0x82)));
    expect(peer.goaway()).toMatchObject({
      code: 'ENHANCE_YOUR_CALM',
      reason: 'a header block may have 65536 bytes, found 65537 or more',
    });
  });

  test('CONTINUATION without bytes', () => {
    const peer = Peer.open();
    peer.send(begun);
    expect(sendUntilEnd(peer, () => wire.frame(wire.CONTINUATION, 0, 1))).toBe(65);
    expect(peer.goaway()).toMatchObject({
      code: 'ENHANCE_YOUR_CALM',
      reason: 'a header block has more than 64 CONTINUATION frames',
    });
  });

  test('but each block has its own count', () => {
    const peer = Peer.open();
    for (let id = 1; id < 10; id += 2) {
      peer.send(wire.frame(wire.HEADERS, wire.END_STREAM, id, wire.block(...wire.requestFields)));
      for (let count = 0; count < 39; count++) peer.send(wire.frame(wire.CONTINUATION, 0, id));
      peer.send(wire.frame(wire.CONTINUATION, wire.END_HEADERS, id));
    }
    expect(peer.streams.size).toBe(5);
  });

  test('RFC 9113, 10.5.1: a field section over the limit is answered 431, and its connection lives', () => {
    const peer = Peer.open();
    const long: Pair[] = Array.from({ length: 3 }, (_, index): Pair => [`x-${index}`, 'y'.repeat(6000)]);
    const block = wire.block(...wire.requestFields, ...long);
    peer.send(
      wire.frame(wire.HEADERS, 0, 1, block.subarray(0, 16_000)),
      wire.frame(wire.CONTINUATION, 4, 1, block.subarray(16_000)),
    );
    expect(answerOf(peer.frames(), 1)).toMatchObject({ fields: { ':status': '431' }, isEnded: true });
    expect(peer.streams.size).toBe(0);
    peer.send(wire.headers(3));
    expect(peer.streams.size).toBe(1);
  });

  test('an HPACK bomb costs what its octets cost', () => {
    const peer = Peer.open();
    const field = [dumbInteger(0x40, 6, 0), dumbString('x'), dumbString('y'.repeat(4000))];
    peer.send(wire.frame(wire.HEADERS, 5, 1, Buffer.concat([wire.block(...wire.requestFields), ...field])));
    const bomb = Buffer.concat([wire.block(...wire.requestFields), Buffer.alloc(16_000, 0x80 | 62)]);
    const before = process.memoryUsage().heapUsed;
    for (let id = 3; id < 203; id += 2) peer.send(wire.frame(wire.HEADERS, 5, id, bomb));
    expect(answerOf(peer.frames(), 201).fields).toEqual({ ':status': '431' });
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 << 20);
  });

  test('trailers over the limit cost their stream', () => {
    const peer = Peer.open();
    peer.send(
      wire.headers(1),
      wire.headers(
        1,
        wire.END_STREAM,
        Array.from({ length: 2 }, (_, at): Pair => [`t${at}`, 'y'.repeat(8100)]),
      ),
    );
    peer.send(
      wire.headers(3),
      wire.frame(wire.HEADERS, 1, 3, Buffer.alloc(16_000, 0x80 | 2)),
      wire.frame(wire.CONTINUATION, 4, 3, Buffer.alloc(16_000, 0x80 | 2)),
    );
    expect(peer.resets()).toEqual({ 3: 'PROTOCOL_ERROR' });
  });
});

describe('memory of what is over', () => {
  test('streams that were reset are forgotten, the oldest first', () => {
    const peer = Peer.open({ limits: { maxConcurrentStreams: 1 } });
    for (let id = 1; id < 3000; id += 2) {
      peer.send(wire.headers(id));
      peer.recorder(id).stream.reset(8);
      peer.frames();
    }
    peer.send(wire.data(2999, 'late'), wire.data(1001, 'late'));
    expect(peer.connection.isFinished).toBe(false);
    peer.send(wire.data(1, 'too late'));
    expect(peer.goaway()?.code).toBe('STREAM_CLOSED');
  });

  test('an answer that comes after the cancel reaches nobody', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1, wire.END_STREAM), wire.reset(1), wire.headers(3, wire.END_STREAM));
    peer.recorder(1).answer(Buffer.from('for the first'));
    peer.recorder(3).stream.respond(okFields);
    expect(peer.framesOf(wire.DATA)).toEqual([]);
  });
});
