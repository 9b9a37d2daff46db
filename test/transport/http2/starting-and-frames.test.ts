import { describe, expect, test } from 'vitest';
import * as wire from './frames.js';
import { answerOf, Peer } from './peer.js';

/** The connection's end for what a client sends after its handshake. */
function endAfter(...frames: Buffer[]) {
  const peer = Peer.open();
  peer.send(...frames);
  return peer.goaway();
}

describe('RFC 9113, 3.4 connection preface', () => {
  test('the server begins with SETTINGS, before anything of the client', () => {
    const first = new Peer().frames()[0]!;
    expect(first).toMatchObject({ type: wire.SETTINGS, flags: 0, streamId: 0 });
    const values = Array.from({ length: first.payload.length / 6 }, (_, index) => [
      first.payload.readUInt16BE(6 * index),
      first.payload.readUInt32BE(6 * index + 2),
    ]);
    expect(Object.fromEntries(values)).toEqual({ 3: 1024, 4: 1 << 20, 5: 16_384, 6: 16_384 });
  });

  test('6.9: the window of the connection is opened behind them, never by 0', () => {
    expect(new Peer().frames()[1]).toMatchObject({
      type: wire.WINDOW_UPDATE,
      payload: wire.uint32((4 << 20) - 65_535),
    });
    expect(new Peer({ limits: { connectionWindowBytes: 65_535 } }).frames()).toHaveLength(1);
  });

  test.each([0, 5, 23])('another octet at place %d ends the connection', (place) => {
    const peer = new Peer();
    const bytes = Buffer.from(wire.preface);
    bytes[place]! ^= 1;
    peer.send(bytes);
    expect(peer.goaway()).toMatchObject({
      code: 'PROTOCOL_ERROR',
      reason: 'expected the HTTP/2 preface, found something else',
    });
    expect(peer.connection.isFinished).toBe(true);
  });

  test('HTTP/1.1 is refused', () => {
    const peer = new Peer();
    peer.send(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'));
    expect(peer.goaway()?.code).toBe('PROTOCOL_ERROR');
  });

  test.each([
    ['HEADERS', wire.headers(1, wire.END_STREAM)],
    ['an acknowledgement', wire.settingsAck],
    ['PING', wire.ping],
  ])('%s before SETTINGS ends the connection', (_name, frame) => {
    const peer = new Peer();
    peer.send(wire.preface, frame);
    expect(peer.goaway()).toMatchObject({ code: 'PROTOCOL_ERROR' });
    expect(peer.streams.size).toBe(0);
  });

  test('requests may follow before SETTINGS are acknowledged', () => {
    const peer = new Peer({ answers: true });
    peer.send(wire.preface, wire.settings(), wire.headers(1, wire.END_STREAM));
    expect(answerOf(peer.frames(), 1)).toMatchObject({ fields: { ':status': '200' }, isEnded: true });
    expect(peer.connection.isEstablished).toBe(false);
    peer.send(wire.settingsAck);
    expect(peer.connection.isEstablished).toBe(true);
  });
});

describe('RFC 9113, 4.1 frame format', () => {
  test('frames of unknown types are ignored, on any stream', () => {
    const peer = Peer.open({ answers: true });
    peer.send(wire.frame(0x42, 0xff, 0, Buffer.alloc(100)), wire.frame(0xfe, 0, 77), wire.headers(1, wire.END_STREAM));
    expect(answerOf(peer.frames(), 1).isEnded).toBe(true);
  });

  test('unknown flags and the reserved bit are ignored', () => {
    const peer = Peer.open();
    const frame = wire.frame(wire.PING, 0xfe, 0, Buffer.from('12345678'));
    frame[5] = 0x80;
    peer.send(frame);
    expect(peer.frames()).toMatchObject([{ type: wire.PING, flags: wire.ACK, payload: Buffer.from('12345678') }]);
  });
});

describe('RFC 9113, 4.2 frame size', () => {
  test.each([
    ['DATA', wire.frame(wire.DATA, 0, 1, Buffer.alloc(16_385))],
    ['HEADERS', wire.frame(wire.HEADERS, wire.END_HEADERS, 1, Buffer.alloc(16_385))],
    ['an unknown type', wire.frame(0x77, 0, 0, Buffer.alloc(16_385))],
  ])('%s over SETTINGS_MAX_FRAME_SIZE ends the connection, before it is here', (_name, frame) => {
    const end = endAfter(frame.subarray(0, 9));
    expect(end?.code).toBe('FRAME_SIZE_ERROR');
    expect(end?.reason).toContain('must have at most 16384 bytes, found 16385');
  });

  test('16,384 octets are taken from everybody', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1), wire.frame(wire.DATA, 0, 1, Buffer.alloc(16_384)));
    expect(peer.recorder(1).body.length).toBe(16_384);
  });

  test('a larger frame is taken where we said so', () => {
    const peer = Peer.open({ limits: { maxFrameBytes: 100_000, streamWindowBytes: 200_000 } });
    peer.send(wire.headers(1), wire.frame(wire.DATA, 0, 1, Buffer.alloc(100_000)));
    expect(peer.recorder(1).body.length).toBe(100_000);
  });

  test.each([
    ['6.4 RST_STREAM', wire.frame(wire.RST_STREAM, 0, 1, Buffer.alloc(5)), 'RST_STREAM must have 4 bytes, found 5'],
    [
      '6.5 SETTINGS',
      wire.frame(wire.SETTINGS, 0, 0, Buffer.alloc(7)),
      'SETTINGS must have a multiple of 6 bytes, found 7',
    ],
    [
      '6.5 SETTINGS with ACK',
      wire.frame(wire.SETTINGS, 1, 0, Buffer.alloc(6)),
      'SETTINGS with ACK must be empty, found 6 bytes',
    ],
    ['6.7 PING', wire.frame(wire.PING, 0, 0, Buffer.alloc(7)), 'PING must have 8 bytes, found 7'],
    ['6.8 GOAWAY', wire.frame(wire.GOAWAY, 0, 0, Buffer.alloc(7)), 'GOAWAY must have at least 8 bytes, found 7'],
    [
      '6.9 WINDOW_UPDATE',
      wire.frame(wire.WINDOW_UPDATE, 0, 0, Buffer.alloc(3)),
      'WINDOW_UPDATE must have 4 bytes, found 3',
    ],
  ])('%s of a wrong size ends the connection', (_name, frame, reason) => {
    expect(endAfter(wire.headers(1), frame)).toMatchObject({ code: 'FRAME_SIZE_ERROR', reason });
  });
});

describe('RFC 9113, 4.3 field section compression', () => {
  test('what cannot be decoded ends the connection', () => {
    expect(endAfter(wire.frame(wire.HEADERS, wire.END_HEADERS, 1, Buffer.of(0x80)))?.code).toBe('COMPRESSION_ERROR');
  });

  test('4.3.1: the header table made smaller is confirmed at the start of the next block, once', () => {
    const peer = Peer.open({ answers: true });
    peer.send(wire.settings([1, 0]), wire.headers(1, wire.END_STREAM), wire.headers(3, wire.END_STREAM));
    const blocks = peer.framesOf(wire.HEADERS).map(({ payload }) => payload[0]);
    expect(blocks).toEqual([0x20, expect.not.toSatisfy(isSizeUpdate), 0x88, expect.not.toSatisfy(isSizeUpdate)]);
    peer.send(wire.settings([1, 4096]), wire.settings([1, 100]), wire.headers(5, wire.END_STREAM));
    expect(peer.framesOf(wire.HEADERS)[0]!.payload[0]).toBe(0x88);
  });

  test('4.3.1: smaller and larger again within one SETTINGS is smaller', () => {
    const peer = Peer.open({
      answers: true,
      settings: [
        [1, 100],
        [1, 4096],
      ],
    });
    peer.send(wire.headers(1, wire.END_STREAM));
    expect(peer.framesOf(wire.HEADERS)[0]!.payload[0]).toBe(0x20);
  });

  test('the table is kept over streams that are refused', () => {
    const peer = Peer.open({ limits: { maxConcurrentStreams: 1 } });
    const added = Buffer.concat([wire.block(...wire.requestFields), Buffer.from('400178017a', 'hex')]);
    peer.send(wire.headers(1), wire.frame(wire.HEADERS, 5, 3, added), wire.reset(1));
    peer.send(wire.frame(wire.HEADERS, 5, 5, Buffer.concat([wire.block(...wire.requestFields), Buffer.of(0x80 | 62)])));
    expect(peer.recorder(5).fields).toEqual([['x', 'z']]);
  });
});

function isSizeUpdate(octet: unknown): boolean {
  return ((octet as number) & 0xe0) === 0x20;
}

describe('RFC 9113, 4.3 and 6.10: a field block is not interrupted', () => {
  const begun = wire.frame(wire.HEADERS, 0, 1, wire.block(...wire.requestFields));

  test.each([
    ['DATA', wire.data(1, 'x')],
    ['PING', wire.ping],
    ['HEADERS of another stream', wire.headers(3)],
    ['CONTINUATION of another stream', wire.frame(wire.CONTINUATION, 4, 3)],
    ['an unknown frame', wire.frame(0x55, 0, 0)],
  ])('by %s', (_name, frame) => {
    const end = endAfter(begun, frame);
    expect(end?.code).toBe('PROTOCOL_ERROR');
    expect(end?.reason).toContain('expected CONTINUATION of stream 1, found ');
  });

  test.each([
    ['nothing', []],
    ['a complete HEADERS', [wire.headers(1)]],
    ['DATA', [wire.headers(1), wire.data(1, 'x')]],
  ])('CONTINUATION behind %s ends the connection', (_name, before) => {
    expect(endAfter(...before, wire.frame(wire.CONTINUATION, 4, 1))).toMatchObject({
      code: 'PROTOCOL_ERROR',
      reason: 'expected no CONTINUATION, found CONTINUATION of stream 1',
    });
  });

  test('the parts are one block', () => {
    const peer = Peer.open();
    const block = wire.block(...wire.requestFields, ['x-long', 'y'.repeat(100)]);
    peer.send(wire.frame(wire.HEADERS, wire.END_STREAM, 1, block.subarray(0, 3)));
    peer.send(wire.frame(wire.CONTINUATION, 0, 1), wire.frame(wire.CONTINUATION, 0, 1, block.subarray(3, 60)));
    expect(peer.streams.size).toBe(0);
    peer.send(wire.frame(wire.CONTINUATION, wire.END_HEADERS, 1, block.subarray(60)));
    expect(peer.recorder(1).fields).toEqual([['x-long', 'y'.repeat(100)]]);
    expect(peer.recorder(1).events).toEqual(['end']);
  });
});

describe('RFC 9113, section 6: which frames need a stream', () => {
  test.each([
    ['6.1 DATA', wire.data(0, 'x')],
    ['6.2 HEADERS', wire.headers(0)],
    ['6.3 PRIORITY', wire.frame(wire.PRIORITY, 0, 0, Buffer.alloc(5))],
    ['6.4 RST_STREAM', wire.reset(0)],
    ['6.10 CONTINUATION', wire.frame(wire.CONTINUATION, 4, 0)],
  ])('%s on stream 0 ends the connection', (_name, frame) => {
    expect(endAfter(frame)).toMatchObject({
      code: 'PROTOCOL_ERROR',
      reason: expect.stringContaining('needs a stream'),
    });
  });

  test.each([
    ['6.5 SETTINGS', wire.frame(wire.SETTINGS, 0, 1)],
    ['6.7 PING', wire.frame(wire.PING, 0, 1, Buffer.alloc(8))],
    ['6.8 GOAWAY', wire.frame(wire.GOAWAY, 0, 1, Buffer.alloc(8))],
  ])('%s on a stream ends the connection', (_name, frame) => {
    expect(endAfter(frame)).toMatchObject({
      code: 'PROTOCOL_ERROR',
      reason: expect.stringContaining('needs stream 0'),
    });
  });

  test('6.6, 8.4: PUSH_PROMISE of a client ends the connection', () => {
    const frame = wire.frame(wire.PUSH_PROMISE, 4, 1, wire.uint32(2));
    expect(endAfter(frame)).toMatchObject({ code: 'PROTOCOL_ERROR', reason: 'a client sent PUSH_PROMISE' });
  });
});

describe('RFC 9113, 6.1, 6.2: padding', () => {
  test('is not part of the body, and counts against the windows', () => {
    const peer = Peer.open({ consumes: false });
    peer.send(wire.headers(1), wire.paddedData(1, 'abc', 20, wire.END_STREAM));
    expect(peer.recorder(1)).toMatchObject({ body: Buffer.from('abc'), events: ['data', 'end'] });
  });

  test('6.1: padding not shorter than its payload ends the connection', () => {
    const frame = wire.frame(wire.DATA, wire.PADDED, 1, Buffer.of(3, 0, 0));
    expect(endAfter(wire.headers(1), frame)?.code).toBe('PROTOCOL_ERROR');
    expect(endAfter(wire.headers(1), wire.frame(wire.DATA, wire.PADDED, 1))?.code).toBe('PROTOCOL_ERROR');
  });

  test('6.1: padding may be all there is', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1), wire.paddedData(1, '', 0), wire.paddedData(1, '', 255, wire.END_STREAM));
    expect(peer.recorder(1)).toMatchObject({ body: Buffer.alloc(0), events: ['end'] });
  });

  test('6.2: HEADERS with padding and priority', () => {
    const peer = Peer.open();
    const payload = Buffer.concat([
      Buffer.of(3),
      wire.uint32(0),
      Buffer.of(7),
      wire.block(...wire.requestFields),
      Buffer.alloc(3),
    ]);
    peer.send(
      wire.frame(wire.HEADERS, wire.END_HEADERS | wire.PADDED | wire.PRIORITIZED | wire.END_STREAM, 1, payload),
    );
    expect(peer.recorder(1)).toMatchObject({ path: '/echo', events: ['end'] });
  });

  test.each([
    ['padding longer than HEADERS', wire.frame(wire.HEADERS, 4 | wire.PADDED, 1, Buffer.of(9, 0x82))],
    ['HEADERS with no room for its padding', wire.frame(wire.HEADERS, 4 | wire.PADDED, 1)],
    ['HEADERS with no room for its priority', wire.frame(wire.HEADERS, 4 | wire.PRIORITIZED, 1, Buffer.alloc(4))],
  ])('6.2: %s ends the connection', (_name, frame) => {
    expect(endAfter(frame)?.code).toBe('PROTOCOL_ERROR');
  });
});

describe('RFC 9113, 6.3 and RFC 7540, 5.3.1: priorities', () => {
  test('are ignored, also on idle and closed streams', () => {
    const peer = Peer.open({ answers: true });
    const priority = (id: number) => wire.frame(wire.PRIORITY, 0, id, Buffer.concat([wire.uint32(7), Buffer.of(1)]));
    peer.send(priority(9), wire.headers(1, wire.END_STREAM), priority(1), wire.headers(3, wire.END_STREAM));
    expect(answerOf(peer.frames(), 3).isEnded).toBe(true);
  });

  test('a stream that depends on itself is reset', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1), wire.frame(wire.PRIORITY, 0, 1, Buffer.concat([wire.uint32(1), Buffer.of(0)])));
    expect(peer.resets()).toEqual({ 1: 'PROTOCOL_ERROR' });
  });

  test('a stream that begins by depending on itself is reset', () => {
    const peer = Peer.open();
    const payload = Buffer.concat([wire.uint32(3), Buffer.of(0), wire.block(...wire.requestFields)]);
    peer.send(wire.frame(wire.HEADERS, wire.END_HEADERS | wire.PRIORITIZED, 3, payload));
    expect(peer.resets()).toEqual({ 3: 'PROTOCOL_ERROR' });
    expect(peer.streams.size).toBe(0);
  });

  test('PRIORITY of a wrong size costs its stream', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1), wire.headers(3), wire.frame(wire.PRIORITY, 0, 1, Buffer.alloc(4)));
    expect(peer.resets()).toEqual({ 1: 'FRAME_SIZE_ERROR' });
    expect(peer.recorder(1).events).toEqual(['reset FRAME_SIZE_ERROR']);
  });
});

describe('RFC 9113, 6.5 SETTINGS', () => {
  test('are acknowledged, each', () => {
    const peer = Peer.open();
    peer.send(wire.settings(), wire.settings([4, 1000], [0x77, 1]));
    expect(peer.frames()).toMatchObject([
      { type: wire.SETTINGS, flags: wire.ACK, payload: Buffer.alloc(0) },
      { type: wire.SETTINGS, flags: wire.ACK },
    ]);
  });

  test.each<[string, [number, number], string]>([
    ['ENABLE_PUSH of 2', [2, 2], 'PROTOCOL_ERROR'],
    ['INITIAL_WINDOW_SIZE of 2^31', [4, 2 ** 31], 'FLOW_CONTROL_ERROR'],
    ['MAX_FRAME_SIZE of 16,383', [5, 16_383], 'PROTOCOL_ERROR'],
    ['MAX_FRAME_SIZE of 2^24', [5, 2 ** 24], 'PROTOCOL_ERROR'],
  ])('6.5.2: %s ends the connection', (_name, pair, code) => {
    expect(endAfter(wire.settings(pair))).toMatchObject({
      code,
      reason: expect.stringMatching(/^expected .* found \d+$/),
    });
  });
});

describe('RFC 9113, 6.7 PING', () => {
  test('is answered with its payload', () => {
    const peer = Peer.open();
    peer.send(wire.ping);
    expect(peer.frames()).toMatchObject([{ type: wire.PING, flags: wire.ACK, payload: Buffer.from('12345678') }]);
  });

  test('an answer is not answered', () => {
    const peer = Peer.open();
    peer.send(wire.frame(wire.PING, wire.ACK, 0, Buffer.from('12345678')));
    expect(peer.frames()).toEqual([]);
  });
});
