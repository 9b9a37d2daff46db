import { describe, expect, test } from 'vitest';
import type { Http2Stream } from '../../../src/transport/http2/stream.js';
import * as wire from './frames.js';
import { answerOf, okFields, okTrailers, Peer, type PeerOptions } from './peer.js';

const WINDOW_MAX = 2 ** 31 - 1;

/** Counts how often a view was released. */
class Owner {
  released = 0;

  release(): void {
    this.released++;
  }
}

/** A stream whose request is complete and whose answer has begun. */
function answering(peer: Peer, id: number): Http2Stream {
  peer.send(wire.headers(id, wire.END_STREAM));
  const { stream } = peer.recorder(id);
  stream.respond(okFields);
  return stream;
}

function bytesOf(frames: readonly wire.ReadFrame[], id: number): number {
  return answerOf(frames, id).body.length;
}

describe('RFC 9113, 5.2, 6.9: what we receive', () => {
  const narrow: PeerOptions = {
    consumes: false,
    limits: { streamWindowBytes: 100_000, connectionWindowBytes: 150_000 },
  };
  const chunk = 'x'.repeat(10_000);
  const send = (peer: Peer, id: number, count: number) => {
    for (let sent = 0; sent < count; sent++) peer.send(wire.data(id, chunk));
  };

  test('windows open again when half of them is consumed, and not before', () => {
    const peer = Peer.open(narrow);
    peer.send(wire.headers(1));
    send(peer, 1, 10);
    const { stream } = peer.recorder(1);
    stream.consume(49_999);
    expect(peer.frames()).toEqual([]);
    stream.consume(1);
    expect(peer.frames()).toMatchObject([{ type: wire.WINDOW_UPDATE, streamId: 1, payload: wire.uint32(50_000) }]);
    stream.consume(25_000);
    expect(peer.frames()).toMatchObject([{ type: wire.WINDOW_UPDATE, streamId: 0, payload: wire.uint32(75_000) }]);
  });

  test('an overrun of the stream window costs the stream', () => {
    const peer = Peer.open(narrow);
    peer.send(wire.headers(1));
    send(peer, 1, 10);
    peer.send(wire.data(1, 'x'));
    expect(peer.resets()).toEqual({ 1: 'FLOW_CONTROL_ERROR' });
    expect(peer.recorder(1).events).toEqual(['data', 'reset FLOW_CONTROL_ERROR']);
  });

  test('an overrun of the connection window ends the connection', () => {
    const peer = Peer.open(narrow);
    peer.send(wire.headers(1), wire.headers(3));
    send(peer, 1, 9);
    send(peer, 3, 6);
    peer.send(wire.data(3, 'x'));
    expect(peer.goaway()).toMatchObject({
      code: 'FLOW_CONTROL_ERROR',
      reason: 'DATA overran the window of the connection by 1 bytes',
    });
  });

  test('6.9.1: padding counts, and is consumed by itself', () => {
    const peer = Peer.open({ ...narrow, limits: { streamWindowBytes: 65_535, connectionWindowBytes: 65_535 } });
    peer.send(wire.headers(1));
    for (let sent = 0; sent < 250; sent++) peer.send(wire.paddedData(1, 'xy', 255));
    expect(peer.goaway()).toBeNull();
    expect(peer.recorder(1).events).toEqual(['data']);
  });

  test('what nobody consumed is given back to the connection when its stream ends', () => {
    const peer = Peer.open(narrow);
    peer.send(wire.headers(1));
    send(peer, 1, 9);
    peer.send(wire.reset(1));
    expect(peer.frames()).toMatchObject([{ type: wire.WINDOW_UPDATE, streamId: 0, payload: wire.uint32(90_000) }]);
    peer.recorder(1).stream.consume(90_000);
    expect(peer.frames()).toEqual([]);
  });

  test.each([
    ['its bytes', 10_000, 20],
    ['its padding', 5, 400],
  ])('a stream that ends within a frame gives back %s that is still to come', (_name, bytes, streams) => {
    const peer = Peer.open({ consumes: false, limits: { connectionWindowBytes: 65_535 } });
    for (let id = 1; id <= 2 * streams; id += 2) {
      const frame = wire.paddedData(id, 'x'.repeat(bytes), 255);
      peer.send(wire.headers(id), frame.subarray(0, 12));
      peer.recorder(id).stream.reset(8);
      peer.send(frame.subarray(12));
      peer.frames();
    }
    expect(peer.connection.state).toBe('open');
    expect(peer.connection.receivableBytes).toBeGreaterThan(65_535 / 2);
  });

  test('a stream that holds its bytes back stops itself and not the others', () => {
    const peer = Peer.open({ ...narrow, limits: { streamWindowBytes: 50_000, connectionWindowBytes: 200_000 } });
    peer.send(wire.headers(1), wire.headers(3));
    send(peer, 1, 5);
    for (let round = 0; round < 50; round++) {
      send(peer, 3, 1);
      peer.recorder(3).stream.consume(10_000);
    }
    expect(peer.goaway()).toBeNull();
    expect(peer.recorder(3).body.length).toBe(500_000);
  });

  test('no window is opened for a client that is done', () => {
    const peer = Peer.open({ ...narrow, limits: { streamWindowBytes: 10_000, connectionWindowBytes: 1 << 20 } });
    peer.send(wire.headers(1), wire.data(1, chunk, wire.END_STREAM));
    peer.recorder(1).stream.consume(10_000);
    expect(peer.frames()).toEqual([]);
  });

  test('6.9.2: a window below 65,535 holds from the acknowledgement on, also for open streams', () => {
    const peer = new Peer({ consumes: false, limits: { streamWindowBytes: 1000 } });
    peer.send(wire.preface, wire.settings(), wire.headers(1), wire.data(1, 'x'.repeat(900)));
    peer.send(wire.headers(3), wire.data(3, 'x'.repeat(16_000)));
    peer.send(wire.settingsAck, wire.data(1, 'x'.repeat(100)));
    expect(peer.resets()).toEqual({});
    peer.send(wire.data(1, 'x'), wire.data(3, 'x'));
    expect(peer.resets()).toEqual({ 1: 'FLOW_CONTROL_ERROR', 3: 'FLOW_CONTROL_ERROR' });
  });
});

test('6.9.2: bytes consumed before the acknowledgement are given back in the measure of the smaller window', () => {
  const peer = new Peer({ limits: { streamWindowBytes: 1000 } });
  peer.send(wire.preface, wire.settings(), wire.headers(1), wire.data(1, 'x'.repeat(16_000)));
  expect(peer.framesOf(wire.WINDOW_UPDATE).filter(({ streamId }) => streamId === 1)).toEqual([]);
  peer.send(wire.settingsAck);
  expect(peer.framesOf(wire.WINDOW_UPDATE)).toMatchObject([{ streamId: 1, payload: wire.uint32(16_000) }]);
});

describe('RFC 9113, 6.9: WINDOW_UPDATE', () => {
  test('of 0 on a stream costs the stream', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1), wire.windowUpdate(1, 0));
    expect(peer.resets()).toEqual({ 1: 'PROTOCOL_ERROR' });
  });

  test('of 0 on the connection ends it', () => {
    const peer = Peer.open();
    peer.send(wire.windowUpdate(0, 0));
    expect(peer.goaway()?.code).toBe('PROTOCOL_ERROR');
  });

  test('6.9.1: a stream window over 2^31 - 1 costs the stream', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1), wire.windowUpdate(1, WINDOW_MAX - 65_535), wire.headers(3));
    expect(peer.resets()).toEqual({});
    peer.send(wire.windowUpdate(1, 1));
    expect(peer.resets()).toEqual({ 1: 'FLOW_CONTROL_ERROR' });
  });

  test('6.9.1: a connection window over 2^31 - 1 ends the connection', () => {
    const peer = Peer.open();
    peer.send(wire.windowUpdate(0, WINDOW_MAX - 65_535));
    expect(peer.goaway()).toBeNull();
    peer.send(wire.windowUpdate(0, 1));
    expect(peer.goaway()?.code).toBe('FLOW_CONTROL_ERROR');
  });

  test('6.9.2: SETTINGS that lift a window over 2^31 - 1 end the connection', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1), wire.windowUpdate(1, 65_536), wire.settings([4, WINDOW_MAX]));
    expect(peer.goaway()?.code).toBe('FLOW_CONTROL_ERROR');
  });

  test('the reserved bit is ignored', () => {
    const peer = Peer.open();
    peer.send(wire.frame(wire.WINDOW_UPDATE, 0, 0, wire.uint32(0x8000_0001)));
    expect(peer.goaway()).toBeNull();
  });
});

describe('RFC 9113, 5.2, 6.9: what we send', () => {
  test('no more than the window of the stream, and the rest as it opens', () => {
    const peer = Peer.open({ settings: [[4, 10]] });
    const stream = answering(peer, 1);
    expect(stream.write(Buffer.from('0123456789abcdef'))).toBe(false);
    stream.end(okTrailers);
    expect(stream.queuedBytes).toBe(6);
    expect(answerOf(peer.frames(), 1)).toMatchObject({ body: Buffer.from('0123456789'), isEnded: false });
    peer.send(wire.windowUpdate(1, 4));
    expect(answerOf(peer.frames(), 1)).toMatchObject({ body: Buffer.from('abcd'), isEnded: false });
    peer.send(wire.windowUpdate(1, 400));
    const last = answerOf(peer.frames(), 1);
    expect(last).toMatchObject({ body: Buffer.from('ef'), isEnded: true });
    expect(stream.state).toBe('closed');
  });

  test('no more than the window of the connection', () => {
    const peer = Peer.open({ settings: [[4, 1 << 20]] });
    const stream = answering(peer, 1);
    stream.write(Buffer.alloc(100_000));
    expect(bytesOf(peer.frames(), 1)).toBe(65_535);
    peer.send(wire.windowUpdate(0, 1000));
    expect(bytesOf(peer.frames(), 1)).toBe(1000);
    peer.send(wire.windowUpdate(0, 100_000));
    expect(bytesOf(peer.frames(), 1)).toBe(33_465);
  });

  test('6.9.2: SETTINGS move the windows of open streams, below zero too', () => {
    const peer = Peer.open({ settings: [[4, 100]] });
    const stream = answering(peer, 1);
    stream.write(Buffer.alloc(300));
    expect(bytesOf(peer.frames(), 1)).toBe(100);
    peer.send(wire.settings([4, 40]), wire.windowUpdate(1, 60));
    expect(bytesOf(peer.frames(), 1)).toBe(0);
    peer.send(wire.windowUpdate(1, 10));
    expect(bytesOf(peer.frames(), 1)).toBe(10);
    peer.send(wire.settings([4, 200]));
    expect(bytesOf(peer.frames(), 1)).toBe(160);
  });

  test('a window that SETTINGS take away from a stream in the queue stops nobody else', () => {
    const peer = Peer.open({ settings: [[4, 100_000]] });
    const first = answering(peer, 1);
    first.write(Buffer.alloc(100_000));
    const second = answering(peer, 3);
    second.write(Buffer.from('second'));
    peer.frames();
    peer.send(wire.settings([4, 10]), wire.windowUpdate(3, 5), wire.windowUpdate(0, 1000));
    const frames = peer.frames();
    expect(bytesOf(frames, 1)).toBe(0);
    expect(answerOf(frames, 3).body.toString()).toBe('second');
  });

  test('fields need no window', () => {
    const peer = Peer.open({ settings: [[4, 0]] });
    const stream = answering(peer, 1);
    stream.end(okTrailers);
    expect(answerOf(peer.frames(), 1)).toMatchObject({ trailers: { 'grpc-status': '0' }, isEnded: true });
  });

  test('4.2: no frame is longer than the client takes', () => {
    const peer = Peer.open({ settings: [[4, 1 << 20]] });
    peer.send(wire.windowUpdate(0, 1 << 20));
    answering(peer, 1).write(Buffer.alloc(40_000));
    expect(peer.framesOf(wire.DATA).map(({ payload }) => payload.length)).toEqual([16_384, 16_384, 7232]);
    peer.send(wire.settings([5, 30_000]));
    answering(peer, 3).write(Buffer.alloc(40_000));
    expect(peer.framesOf(wire.DATA).map(({ payload }) => payload.length)).toEqual([30_000, 10_000]);
  });

  test('6.10: a field section longer than a frame is continued', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1, wire.END_STREAM));
    peer.recorder(1).stream.end({ bytes: Buffer.alloc(40_000, 0x88), frequent: [] });
    expect(peer.frames().map(({ type, flags, payload }) => [type, flags, payload.length])).toEqual([
      [wire.HEADERS, wire.END_STREAM, 16_384],
      [wire.CONTINUATION, 0, 16_384],
      [wire.CONTINUATION, wire.END_HEADERS, 7232],
    ]);
  });

  test('streams that wait for the connection take turns', () => {
    const peer = Peer.open({ settings: [[4, 1 << 20]] });
    const ids = [1, 3, 5];
    answering(peer, 99).write(Buffer.alloc(65_535));
    for (const id of ids.map((id) => id + 100)) answering(peer, id).write(Buffer.alloc(100_000));
    peer.frames();
    peer.send(wire.windowUpdate(0, 6 * 16_384));
    expect(peer.framesOf(wire.DATA).map(({ streamId }) => streamId)).toEqual([101, 103, 105, 101, 103, 105]);
  });

  test('a client that resets a stream in the queue leaves nothing there', () => {
    const peer = Peer.open({ settings: [[4, 1 << 20]] });
    const owner = new Owner();
    answering(peer, 1).writeView(Buffer.alloc(65_535 + 10_000), owner);
    answering(peer, 3).write(Buffer.from('later'));
    peer.frames();
    peer.send(wire.reset(1));
    expect(owner.released).toBe(1);
    peer.send(wire.windowUpdate(0, 1000));
    const frames = peer.frames();
    expect(bytesOf(frames, 1)).toBe(0);
    expect(answerOf(frames, 3).body.toString()).toBe('later');
  });
});

describe('what we send: one output', () => {
  test('a unary answer is one segment of three frames', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1, wire.END_STREAM));
    peer.recorder(1).answer(Buffer.from('hello'));
    const batch = peer.connection.takeOutput()!;
    expect(batch.segments).toHaveLength(1);
    expect(new wire.FrameLog().read(Buffer.concat(batch.segments)).map(({ type }) => type)).toEqual([1, 0, 1]);
  });

  test('the driver is told once for each batch', () => {
    const peer = Peer.open();
    const before = peer.outputs;
    peer.send(wire.headers(1, wire.END_STREAM), wire.headers(3, wire.END_STREAM));
    peer.recorder(1).answer(Buffer.from('a'));
    peer.recorder(3).answer(Buffer.from('b'));
    expect(peer.outputs).toBe(before + 1);
  });

  test('writes that follow each other are one DATA frame, also with a view behind', () => {
    const peer = Peer.open();
    const stream = answering(peer, 1);
    stream.write(Buffer.from('ab'));
    stream.write(Buffer.from('xxcdxx'), 2, 4);
    stream.writeView(Buffer.alloc(10_000, '.'), new Owner());
    stream.end(okTrailers);
    const frames = peer.framesOf(wire.DATA);
    expect(frames).toHaveLength(1);
    expect(frames[0]!.payload.subarray(0, 6).toString()).toBe('abcd..');
    expect(frames[0]!.payload.length).toBe(10_004);
  });

  test('but never over frames of other streams, or over what was taken', () => {
    const peer = Peer.open();
    const first = answering(peer, 1);
    const second = answering(peer, 3);
    first.write(Buffer.from('a'));
    second.write(Buffer.from('b'));
    first.write(Buffer.from('c'));
    const frames = peer.framesOf(wire.DATA);
    first.write(Buffer.from('d'));
    frames.push(...peer.framesOf(wire.DATA));
    expect(frames.map(({ payload }) => payload.toString())).toEqual(['a', 'b', 'c', 'd']);
  });

  test('copied bytes may change at once', () => {
    const peer = Peer.open({ settings: [[4, 2]] });
    const bytes = Buffer.from('abcd');
    answering(peer, 1).write(bytes);
    bytes.fill('x');
    peer.send(wire.windowUpdate(1, 10));
    expect(answerOf(peer.frames(), 1).body.toString()).toBe('abcd');
  });

  test('views of shared memory are written', () => {
    const peer = Peer.open();
    const stream = answering(peer, 1);
    stream.writeView(new Uint8Array(new SharedArrayBuffer(20_000)).fill(7), new Owner());
    stream.writeView(new Uint8Array(new SharedArrayBuffer(20)).fill(8), new Owner());
    expect(answerOf(peer.frames(), 1).body).toEqual(Buffer.concat([Buffer.alloc(20_000, 7), Buffer.alloc(20, 8)]));
  });

  test('what waits for the socket is bounded, and goes on when the socket took it', () => {
    const peer = Peer.open({ settings: [[4, WINDOW_MAX]] });
    peer.send(wire.windowUpdate(0, WINDOW_MAX - 65_535));
    const stream = answering(peer, 1);
    expect(stream.write(Buffer.alloc(4 << 20))).toBe(false);
    expect(peer.connection.waitingBytes).toBeLessThan(400_000);
    stream.end(okTrailers);
    expect(bytesOf(peer.frames(), 1)).toBe(4 << 20);
    expect(stream.state).toBe('closed');
  });
});

describe('what we send: views', () => {
  test('a view is released when the socket took it, and once', () => {
    const peer = Peer.open();
    const owner = new Owner();
    answering(peer, 1).writeView(Buffer.alloc(20_000), owner);
    peer.connection.takeOutput();
    expect(owner.released).toBe(0);
    peer.connection.settleOutput();
    expect(owner.released).toBe(1);
    peer.connection.lost();
    expect(owner.released).toBe(1);
  });

  test('a view that waits for a window is released behind its last byte', () => {
    const peer = Peer.open({ settings: [[4, 15_000]] });
    const owner = new Owner();
    answering(peer, 1).writeView(Buffer.alloc(20_000), owner);
    peer.frames();
    expect(owner.released).toBe(0);
    peer.send(wire.windowUpdate(1, 5000));
    peer.frames();
    expect(owner.released).toBe(1);
  });

  test.each<[string, (peer: Peer) => void]>([
    ['the client resets its stream', (peer) => peer.send(wire.reset(1))],
    ['we reset its stream', (peer) => peer.recorder(1).stream.reset(2)],
    ['the connection fails', (peer) => peer.send(wire.data(0, 'x'))],
    ['the socket is gone', (peer) => peer.connection.lost()],
  ])('a view, half of it on its way, is not released before the socket is done with it when %s', (_name, end) => {
    const peer = Peer.open({ settings: [[4, 15_000]] });
    const owner = new Owner();
    answering(peer, 1).writeView(Buffer.alloc(20_000), owner);
    peer.connection.takeOutput();
    end(peer);
    if (_name !== 'the socket is gone') {
      expect(owner.released).toBe(0);
      peer.connection.settleOutput();
      peer.frames();
    }
    expect(owner.released).toBe(1);
  });

  test('a view written to a closed stream is released at once', () => {
    const peer = Peer.open();
    const stream = answering(peer, 1);
    peer.send(wire.reset(1));
    const owner = new Owner();
    expect(stream.writeView(Buffer.alloc(10), owner)).toBe(true);
    expect(owner.released).toBe(1);
    expect(peer.frames().filter(({ type }) => type === wire.DATA)).toEqual([]);
  });
});

describe('what we send: back-pressure', () => {
  test('a write that waits says false, and the owner hears when all is gone', () => {
    const peer = Peer.open({ settings: [[4, 3]] });
    const stream = answering(peer, 1);
    expect(stream.write(Buffer.from('ab'))).toBe(true);
    expect(stream.write(Buffer.from('cd'))).toBe(false);
    expect(stream.write(Buffer.from('ef'))).toBe(false);
    peer.send(wire.windowUpdate(1, 2));
    expect(peer.recorder(1).events).toEqual(['end']);
    peer.send(wire.windowUpdate(1, 2));
    expect(peer.recorder(1).events).toEqual(['end', 'drain']);
    peer.send(wire.windowUpdate(1, 2));
    expect(stream.write(Buffer.from('gh'))).toBe(true);
    expect(answerOf(peer.frames(), 1).body.toString()).toBe('abcdefgh');
  });
});
