import { describe, expect, test } from 'vitest';
import { type ConnectionView, watchConnection } from '../../../src/transport/http2/connection-watch.js';
import type { Stream } from '../../../src/transport/http2/open-stream.js';
import { watchStream } from '../../../src/transport/http2/stream-watch.js';
import * as wire from './frames.js';
import { okFields, Peer } from './peer.js';

const timeouts = {
  handshakeMs: 100,
  headMs: 150,
  idleMs: 1000,
  maxAgeMs: 20_000,
  maxAgeGraceMs: 70,
  keepaliveMs: 500,
  keepaliveTimeoutMs: 50,
  stallMs: 300,
  bodyMs: 200,
  drainMs: 20,
};

/** A healthy connection at time 10,000. */
const healthy: ConnectionView = {
  isEstablished: true,
  isDraining: false,
  isGoing: false,
  streamCount: 1,
  waitingBytes: 0,
  openedMs: 0,
  bornMs: 0,
  receivedMs: 10_000,
  idleSinceMs: 10_000,
  writtenMs: 10_000,
  drainingSinceMs: 0,
  awaitingSinceMs: -1,
  pingedMs: -1,
};

function verdict(view: Partial<ConnectionView>, nowMs = 10_000, limits: Partial<typeof timeouts> = {}) {
  return watchConnection({ ...healthy, ...view }, nowMs, { ...timeouts, ...limits });
}

describe('a connection', () => {
  test('is left alone while all is well', () => {
    expect(verdict({})).toBe('fine');
  });

  test('has so long for its handshake', () => {
    expect(verdict({ isEstablished: false, openedMs: 9901 })).toBe('fine');
    expect(verdict({ isEstablished: false, openedMs: 9900 })).toBe('no handshake');
  });

  test('has so long for what it began', () => {
    expect(verdict({ awaitingSinceMs: 9851 })).toBe('fine');
    expect(verdict({ awaitingSinceMs: 9850 })).toBe('slow head');
  });

  test('may be without streams so long', () => {
    expect(verdict({ streamCount: 0, idleSinceMs: 9001 })).toBe('fine');
    expect(verdict({ streamCount: 0, idleSinceMs: 9000 })).toBe('idle');
    expect(verdict({ streamCount: 1, idleSinceMs: 9000 })).toBe('fine');
  });

  test('is asked when it has been silent, and given so long to answer', () => {
    expect(verdict({ receivedMs: 9500 })).toBe('ping');
    expect(verdict({ receivedMs: 9500, pingedMs: 9951 })).toBe('fine');
    expect(verdict({ receivedMs: 9500, pingedMs: 9950 })).toBe('no answer');
  });

  test('must take what we write', () => {
    expect(verdict({ waitingBytes: 1, writtenMs: 9701 })).toBe('fine');
    expect(verdict({ waitingBytes: 1, writtenMs: 9700 })).toBe('does not read');
    expect(verdict({ waitingBytes: 0, writtenMs: 9000 })).toBe('fine');
  });

  test('has so long to notice that we are shutting down', () => {
    expect(verdict({ isDraining: true, drainingSinceMs: 9981 })).toBe('fine');
    expect(verdict({ isDraining: true, drainingSinceMs: 9980 })).toBe('drained long enough');
  });

  test('may be so old, and then has so long to finish', () => {
    const receivedMs = 20_000;
    expect(verdict({ receivedMs }, 19_999)).toBe('fine');
    expect(verdict({ receivedMs }, 20_000)).toBe('too old');
    expect(verdict({ receivedMs, isGoing: true, drainingSinceMs: 20_000 }, 20_069)).toBe('fine');
    expect(verdict({ receivedMs, isGoing: true, drainingSinceMs: 20_000 }, 20_070)).toBe('grace is over');
    expect(verdict({ isGoing: true, drainingSinceMs: 1 })).toBe('fine');
  });

  test('0 is no limit', () => {
    const none = {
      maxAgeMs: 0,
      maxAgeGraceMs: 0,
      handshakeMs: 0,
      headMs: 0,
      idleMs: 0,
      keepaliveMs: 0,
      stallMs: 0,
      drainMs: 0,
    };
    const worst = {
      isEstablished: false,
      isDraining: true,
      streamCount: 0,
      waitingBytes: 9,
      openedMs: 0,
      receivedMs: 0,
      idleSinceMs: 0,
      writtenMs: 0,
      awaitingSinceMs: 0,
    };
    expect(verdict(worst, 1e9, none)).toBe('fine');
  });
});

describe('a stream', () => {
  const at = (peer: Peer, nowMs: number, canReceive = true, canSend = true) => {
    const stream = peer.recorder(1).stream as Stream;
    return watchStream(stream, nowMs, timeouts, { canReceive, canSend });
  };
  const slowBody = 'less than 1024 bytes of a body came in 200 ms';
  const stalled = 'less than 1024 bytes of an answer were taken in 300 ms';

  test('owes its body, a kilobyte at a time', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1));
    expect(at(peer, 1000)).toBeNull();
    peer.send(wire.data(1, 'x'.repeat(1024)));
    expect(at(peer, 1150)).toBeNull();
    peer.send(wire.data(1, 'x'.repeat(1023)));
    expect(at(peer, 1349)).toBeNull();
    expect(at(peer, 1350)).toBe(slowBody);
  });

  test('owes nothing when its request is complete, or where its owner says so', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1));
    peer.recorder(1).stream.awaitsBody = false;
    expect([at(peer, 1000), at(peer, 2000)]).toEqual([null, null]);
    peer.recorder(1).stream.awaitsBody = true;
    expect([at(peer, 3000), at(peer, 3199)]).toEqual([null, null]);
    peer.send(wire.data(1, '', wire.END_STREAM));
    expect(at(peer, 4000)).toBeNull();
  });

  test('owes nothing while its window is closed by us', () => {
    const peer = Peer.open({ consumes: false, limits: { streamWindowBytes: 10 } });
    peer.send(wire.headers(1), wire.data(1, '0123456789'));
    expect([at(peer, 1000), at(peer, 2000)]).toEqual([null, null]);
    expect([at(peer, 3000, false), at(peer, 4000, false)]).toEqual([null, null]);
  });

  test('a zero window that stays is a stall', () => {
    const peer = Peer.open({ settings: [[4, 0]] });
    peer.send(wire.headers(1, wire.END_STREAM));
    peer.recorder(1).stream.respond(okFields);
    peer.recorder(1).stream.write(Buffer.alloc(5000));
    expect([at(peer, 1000), at(peer, 1299), at(peer, 1300)]).toEqual([null, null, stalled]);
  });

  test('and so is one that opens byte by byte, but not one that opens', () => {
    const peer = Peer.open({ settings: [[4, 0]] });
    peer.send(wire.headers(1, wire.END_STREAM));
    peer.recorder(1).stream.respond(okFields);
    peer.recorder(1).stream.write(Buffer.alloc(5000));
    at(peer, 1000);
    peer.send(wire.windowUpdate(1, 1024));
    expect(at(peer, 1200)).toBeNull();
    peer.send(wire.windowUpdate(1, 100));
    expect([at(peer, 1400), at(peer, 1500)]).toEqual([null, stalled]);
  });

  test('what waits for the socket is not the fault of the stream', () => {
    const peer = Peer.open({ settings: [[4, 0]] });
    peer.send(wire.headers(1, wire.END_STREAM));
    peer.recorder(1).stream.respond(okFields);
    peer.recorder(1).stream.write(Buffer.alloc(5000));
    expect([at(peer, 1000, true, false), at(peer, 2000, true, false), at(peer, 2100)]).toEqual([null, null, null]);
  });
});
