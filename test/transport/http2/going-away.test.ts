import { describe, expect, test } from 'vitest';
import * as wire from './frames.js';
import { answerOf, Peer } from './peer.js';

/** The server's GOAWAY frames: last stream and error code. */
function goaways(frames: readonly wire.ReadFrame[]): [number, number][] {
  return frames
    .filter(({ type }) => type === wire.GOAWAY)
    .map(({ payload }) => [payload.readUInt32BE(0), payload.readUInt32BE(4)]);
}

function acknowledgePing(frames: readonly wire.ReadFrame[]): Buffer {
  const ping = frames.find(({ type, flags }) => type === wire.PING && flags === 0)!;
  return wire.frame(wire.PING, wire.ACK, 0, ping.payload);
}

describe('RFC 9113, 6.8: shutting down', () => {
  test('the client is warned first, and told the last stream when it knows', () => {
    const peer = Peer.open({ answers: true });
    peer.send(wire.headers(1));
    peer.connection.drain();
    const warning = peer.frames();
    expect(goaways(warning)).toEqual([[2 ** 31 - 1, 0]]);
    peer.send(wire.headers(3), acknowledgePing(warning));
    expect(goaways(peer.frames())).toEqual([[3, 0]]);
    expect(peer.connection.state).toBe('closing');
    expect(peer.connection.isFinished).toBe(false);
  });

  test('what is open is finished, then the connection', () => {
    const peer = Peer.open({ answers: true });
    peer.send(wire.headers(1), wire.headers(3));
    peer.connection.drainNow();
    peer.send(wire.data(3, 'c', wire.END_STREAM), wire.data(1, 'a'));
    expect(peer.connection.isFinished).toBe(false);
    peer.send(wire.data(1, 'b', wire.END_STREAM));
    expect(peer.connection.isFinished).toBe(true);
    expect(answerOf(peer.frames(), 1)).toMatchObject({ body: Buffer.from('ab'), isEnded: true });
  });

  test('later streams are ignored, their frames too', () => {
    const peer = Peer.open({ answers: true });
    peer.send(wire.headers(1));
    peer.connection.drainNow();
    peer.send(wire.headers(3), wire.data(3, 'x'), wire.headers(5, wire.END_STREAM), wire.data(3, 'y', wire.END_STREAM));
    expect([...peer.streams.keys()]).toEqual([1]);
    peer.send(wire.data(1, 'z', wire.END_STREAM));
    const frames = peer.frames();
    expect(frames.every(({ streamId }) => streamId < 3)).toBe(true);
    expect(answerOf(frames, 1).body.toString()).toBe('z');
  });

  test('the last stream that was named never rises', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1));
    peer.connection.drainNow();
    peer.send(wire.headers(3), wire.data(0, 'x'));
    expect(goaways(peer.frames())).toEqual([
      [2 ** 31 - 1, 0],
      [1, 0],
      [1, 1],
    ]);
  });

  test('a connection without streams is finished when its client knows', () => {
    const peer = Peer.open();
    peer.connection.drain();
    expect(peer.connection.isFinished).toBe(false);
    peer.send(acknowledgePing(peer.frames()));
    expect(peer.connection.isFinished).toBe(true);
  });

  test('a connection that has not begun is closed', () => {
    const peer = new Peer();
    peer.connection.drain();
    expect(peer.connection.isFinished).toBe(true);
    expect(goaways(peer.frames())).toEqual([[0, 0]]);
  });

  test('draining twice is draining once', () => {
    const peer = Peer.open();
    peer.connection.drain();
    peer.connection.drain();
    peer.connection.drainNow();
    peer.connection.drainNow();
    expect(goaways(peer.frames())).toHaveLength(2);
  });

  test('a client that goes away itself still gets its answers', () => {
    const peer = Peer.open({ answers: true });
    peer.send(wire.headers(1), wire.frame(wire.GOAWAY, 0, 0, wire.uint32(0, 0)), wire.data(1, 'x', wire.END_STREAM));
    expect(answerOf(peer.frames(), 1)).toMatchObject({ body: Buffer.from('x'), isEnded: true });
  });
});

describe('the socket is gone', () => {
  test('every open stream is told, once', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1), wire.headers(3, wire.END_STREAM));
    peer.connection.lost();
    peer.connection.lost();
    expect(peer.recorder(1).events).toEqual(['reset CANCEL']);
    expect(peer.recorder(3).events).toEqual(['end', 'reset CANCEL']);
    expect(peer.connection.streamCount).toBe(0);
  });

  test('a stream whose answer was complete is not told', () => {
    const peer = Peer.open({ answers: true });
    peer.send(wire.headers(1, wire.END_STREAM));
    peer.connection.lost();
    expect(peer.recorder(1).events).toEqual(['end']);
  });
});
