import { describe, expect, test } from 'vitest';
import * as wire from './frames.js';
import type { Pair } from './hpack/dumb-hpack.js';
import { answerOf, okFields, okTrailers, Peer } from './peer.js';

function endAfter(...frames: Buffer[]) {
  const peer = Peer.open({ answers: true });
  peer.send(...frames);
  return peer.goaway();
}

/** A stream that was answered and ended by both. */
const done = wire.headers(1, wire.END_STREAM);

describe('RFC 9113, 5.1 idle streams', () => {
  test.each([
    ['DATA', wire.data(1, 'x')],
    ['RST_STREAM', wire.reset(1)],
    ['WINDOW_UPDATE', wire.windowUpdate(1, 1)],
    ['DATA on a stream of ours', wire.data(2, 'x')],
    ['WINDOW_UPDATE on a stream of ours', wire.windowUpdate(2, 1)],
  ])('%s ends the connection', (_name, frame) => {
    expect(endAfter(frame)).toMatchObject({
      code: 'PROTOCOL_ERROR',
      reason: expect.stringContaining('the idle stream'),
    });
  });
});

describe('RFC 9113, 5.1 half-closed (remote) streams', () => {
  const open = () => {
    const peer = Peer.open();
    peer.send(wire.headers(1, wire.END_STREAM));
    return peer;
  };

  test.each([
    ['DATA', wire.data(1, 'x')],
    ['HEADERS', wire.headers(1, wire.END_STREAM, [['a', 'b']])],
  ])('%s is a stream error STREAM_CLOSED', (_name, frame) => {
    const peer = open();
    peer.send(frame);
    expect(peer.recorder(1).events).toEqual(['end', 'reset STREAM_CLOSED']);
    expect(peer.resets()).toEqual({ 1: 'STREAM_CLOSED' });
  });

  test('WINDOW_UPDATE, PRIORITY and RST_STREAM are taken', () => {
    const peer = open();
    peer.send(wire.windowUpdate(1, 5), wire.frame(wire.PRIORITY, 0, 1, Buffer.alloc(5)), wire.reset(1));
    expect(peer.recorder(1).events).toEqual(['end', 'reset CANCEL']);
    expect(peer.frames()).toEqual([]);
  });
});

describe('RFC 9113, 5.1 closed streams', () => {
  test.each([
    ['DATA', wire.data(1, 'x'), 'STREAM_CLOSED'],
    ['HEADERS', wire.headers(1, wire.END_STREAM), 'STREAM_CLOSED'],
  ])('%s behind END_STREAM of both ends the connection', (_name, frame, code) => {
    expect(endAfter(done, frame)).toMatchObject({ code, reason: expect.stringContaining('closed stream 1') });
  });

  test('WINDOW_UPDATE, RST_STREAM and PRIORITY are ignored: the client may not have known', () => {
    expect(
      endAfter(done, wire.windowUpdate(1, 1), wire.reset(1), wire.frame(wire.PRIORITY, 0, 1, Buffer.alloc(5))),
    ).toBeNull();
  });

  test.each([
    ['RST_STREAM of the client', 1, (peer: Peer) => peer.send(wire.reset(1))],
    [
      'RST_STREAM of both',
      0,
      (peer: Peer) => {
        peer.recorder(1).stream.reset(8);
        peer.send(wire.reset(1));
      },
    ],
  ])('DATA behind %s costs the stream alone: Netty sends what it has queued', (_name, resets, reset) => {
    const peer = Peer.open({ limits: { streamWindowBytes: 65_535, connectionWindowBytes: 65_535 } });
    peer.send(wire.headers(1));
    reset(peer);
    peer.frames();
    const events = [...peer.recorder(1).events];
    peer.send(wire.data(1, 'x'.repeat(16_000)), wire.data(1, 'x'.repeat(16_000)), wire.data(1, 'x'.repeat(1000)));
    const frames = peer.frames();
    expect(frames.filter(({ type }) => type === wire.RST_STREAM)).toHaveLength(resets);
    expect(frames.filter(({ type }) => type === wire.WINDOW_UPDATE)).toMatchObject([{ streamId: 0 }]);
    expect(peer.recorder(1).events).toEqual(events);
    peer.send(wire.headers(3, wire.END_STREAM));
    expect(peer.recorder(3).events).toEqual(['end']);
  });

  test('and so do late fields, which keep the table right', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1), wire.reset(1));
    peer.send(wire.frame(wire.HEADERS, 5, 1, Buffer.from('400178017a', 'hex')));
    expect(peer.resets()).toEqual({ 1: 'STREAM_CLOSED' });
    peer.send(wire.frame(wire.HEADERS, 5, 3, Buffer.concat([wire.block(...wire.requestFields), Buffer.of(0x80 | 62)])));
    expect(peer.recorder(3).fields).toEqual([['x', 'z']]);
  });

  test('but not more of it than a window', () => {
    const peer = Peer.open({ limits: { streamWindowBytes: 1000 } });
    peer.send(wire.headers(1), wire.reset(1));
    for (let nth = 0; nth < 3; nth++) peer.send(wire.data(1, 'x'.repeat(600)));
    expect(peer.goaway()?.code).toBe('FLOW_CONTROL_ERROR');
  });

  test('whatever comes for a stream that we reset is dropped, its table entries and windows kept', () => {
    const peer = Peer.open({ limits: { streamWindowBytes: 65_535, connectionWindowBytes: 65_535 } });
    peer.send(wire.headers(1));
    peer.recorder(1).stream.reset(8);
    peer.send(wire.data(1, 'x'.repeat(16_000)), wire.data(1, 'x'.repeat(16_000)), wire.data(1, 'x'.repeat(1000)));
    peer.send(wire.frame(wire.HEADERS, 5, 1, Buffer.from('400178017a', 'hex')));
    const frames = peer.frames();
    expect(frames.filter(({ type }) => type === wire.WINDOW_UPDATE)).toMatchObject([
      { streamId: 0, payload: wire.uint32(33_000) },
    ]);
    expect(peer.recorder(1).events).toEqual([]);
    peer.send(wire.frame(wire.HEADERS, 5, 3, Buffer.concat([wire.block(...wire.requestFields), Buffer.of(0x80 | 62)])));
    expect(peer.recorder(3).fields).toEqual([['x', 'z']]);
  });

  test('but nothing comes behind its END_STREAM', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1));
    peer.recorder(1).stream.reset(8);
    peer.send(wire.data(1, 'x', wire.END_STREAM), wire.data(1, 'x'));
    expect(peer.goaway()?.code).toBe('STREAM_CLOSED');
  });

  test('nor behind late trailers, and late fields that end nothing change nothing', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1));
    peer.recorder(1).stream.reset(8);
    peer.send(wire.headers(1, 0, [['a', 'b']]), wire.data(1, 'x'), wire.headers(1, wire.END_STREAM, [['a', 'b']]));
    expect(peer.goaway()).toBeNull();
    peer.send(wire.data(1, 'x'));
    expect(peer.goaway()?.code).toBe('STREAM_CLOSED');
  });

  test('nor behind an END_STREAM that came before our reset', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1, wire.END_STREAM));
    peer.recorder(1).stream.reset(8);
    peer.send(wire.data(1, 'x'));
    expect(peer.goaway()?.code).toBe('STREAM_CLOSED');
  });

  test('and not more than its window allowed', () => {
    const peer = Peer.open({ limits: { streamWindowBytes: 1000 } });
    peer.send(wire.headers(1));
    peer.recorder(1).stream.reset(8);
    peer.send(wire.data(1, 'x'.repeat(600)), wire.data(1, 'x'.repeat(401)));
    expect(peer.goaway()?.code).toBe('FLOW_CONTROL_ERROR');
  });
});

describe('RFC 9113, 5.1.1 stream identifiers', () => {
  test('an even stream ends the connection', () => {
    expect(endAfter(wire.headers(2))).toMatchObject({
      code: 'PROTOCOL_ERROR',
      reason: 'clients open odd streams, found HEADERS of stream 2',
    });
  });

  test('a stream below the last that was used ends the connection', () => {
    expect(endAfter(wire.headers(5), wire.headers(3))).toMatchObject({
      code: 'PROTOCOL_ERROR',
      reason: 'expected a stream above 5, found HEADERS of stream 3',
    });
  });

  test('a single stream that was left out ends the connection', () => {
    expect(endAfter(wire.headers(1), wire.headers(5), wire.headers(3))?.code).toBe('PROTOCOL_ERROR');
  });

  test('even streams stay idle', () => {
    expect(endAfter(wire.headers(5), wire.windowUpdate(2, 1))?.code).toBe('PROTOCOL_ERROR');
  });

  test('a new stream closes the idle ones below it', () => {
    expect(endAfter(wire.headers(5), wire.data(3, 'x'))?.code).toBe('STREAM_CLOSED');
    expect(endAfter(wire.headers(5), wire.windowUpdate(3, 1))).toBeNull();
  });

  test('the last possible stream is taken', () => {
    const peer = Peer.open({ answers: true });
    peer.send(wire.headers(2 ** 31 - 1, wire.END_STREAM));
    expect(answerOf(peer.frames(), 2 ** 31 - 1).isEnded).toBe(true);
  });
});

describe('RFC 9113, 5.1.2 stream concurrency', () => {
  test('streams over the limit are refused, and may be repeated', () => {
    const peer = Peer.open({ limits: { maxConcurrentStreams: 2 } });
    peer.send(wire.headers(1), wire.headers(3, wire.END_STREAM), wire.headers(5), wire.data(5, 'late'));
    expect(peer.resets()).toEqual({ 5: 'REFUSED_STREAM' });
    expect([...peer.streams.keys()]).toEqual([1, 3]);
    peer.recorder(3).answer(Buffer.alloc(0));
    peer.send(wire.headers(7));
    expect(peer.resets()).toEqual({});
  });

  test('a reset makes room', () => {
    const peer = Peer.open({ limits: { maxConcurrentStreams: 1 } });
    peer.send(wire.headers(1), wire.reset(1), wire.headers(3));
    expect(peer.resets()).toEqual({});
    expect(peer.connection.streamCount).toBe(1);
  });
});

describe('RFC 9113, 5.4.1 connection errors', () => {
  test('every open stream is told, and nothing more is read', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1), wire.headers(3, wire.END_STREAM), wire.data(0, 'x'), wire.headers(5));
    expect(peer.recorder(1).events).toEqual(['reset PROTOCOL_ERROR']);
    expect(peer.recorder(3).events).toEqual(['end', 'reset PROTOCOL_ERROR']);
    expect(peer.streams.has(5)).toBe(false);
    expect(peer.goaway()).toMatchObject({ code: 'PROTOCOL_ERROR', lastStreamId: 3 });
    expect(peer.connection.isFinished).toBe(true);
    peer.send(wire.headers(5));
    expect(peer.frames()).toEqual([]);
  });

  test('what a stream does afterwards is ignored', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1), wire.data(0, 'x'));
    peer.frames();
    const { stream } = peer.recorder(1);
    stream.respond(okFields);
    stream.write(Buffer.from('x'));
    stream.end(okTrailers);
    stream.reset(1);
    stream.consume(5);
    expect(peer.frames()).toEqual([]);
  });
});

describe('RFC 9113, 8.1 messages', () => {
  test('a request with body and trailers', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1), wire.data(1, 'ab'), wire.data(1, 'c'), wire.headers(1, wire.END_STREAM, [['sum', '3']]));
    expect(peer.recorder(1)).toMatchObject({
      events: ['data', 'end'],
      trailers: [['sum', '3']],
      stream: { state: 'half-closed (remote)' },
    });
    expect(peer.recorder(1).body.toString()).toBe('abc');
  });

  test('an empty DATA frame may end the body (grpc-js does)', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1), wire.data(1, 'ab'), wire.data(1, '', wire.END_STREAM));
    expect(peer.recorder(1)).toMatchObject({ events: ['data', 'end'], trailers: null });
  });

  test.each<[string, Pair[], number]>([
    ['trailers without END_STREAM', [['a', 'b']], 0],
    ['pseudo-headers in trailers', [[':path', '/']], wire.END_STREAM],
    ['upper case in trailers', [['A', 'b']], wire.END_STREAM],
  ])('%s: stream error PROTOCOL_ERROR', (_name, fields, flags) => {
    const peer = Peer.open();
    peer.send(wire.headers(1), wire.headers(3), wire.headers(1, flags, fields));
    expect(peer.resets()).toEqual({ 1: 'PROTOCOL_ERROR' });
    expect(peer.recorder(3).events).toEqual([]);
  });

  test('an answer that ends before its request stops the request with NO_ERROR', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1), wire.data(1, 'ab'));
    peer.recorder(1).answer(Buffer.from('enough'));
    const frames = peer.frames();
    expect(answerOf(frames, 1)).toMatchObject({ body: Buffer.from('enough'), isEnded: true });
    expect(frames.at(-1)).toMatchObject({ type: wire.RST_STREAM, streamId: 1, payload: wire.uint32(0) });
    peer.send(wire.data(1, 'still sending', wire.END_STREAM));
    expect(peer.recorder(1).events).toEqual(['data']);
    expect(peer.goaway()).toBeNull();
  });

  test('while the end of such an answer waits for its window, the rest of the request is taken and dropped', () => {
    const peer = Peer.open({ consumes: false, settings: [[4, 3]], limits: { connectionWindowBytes: 65_535 } });
    peer.send(wire.headers(1), wire.data(1, 'ab'));
    peer.recorder(1).answer(Buffer.from('enough'));
    for (let sent = 0; sent < 10; sent++) peer.send(wire.data(1, 'x'.repeat(10_000)));
    peer.send(wire.data(1, '', wire.END_STREAM));
    expect(peer.recorder(1).events).toEqual(['data']);
    peer.send(wire.windowUpdate(1, 100));
    expect(answerOf(peer.frames(), 1)).toMatchObject({ body: Buffer.from('enough'), isEnded: true });
    expect(peer.resets()).toEqual({});
  });

  test('an answer may be one field section', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1, wire.END_STREAM));
    peer.recorder(1).stream.end(okFields);
    expect(peer.frames()).toMatchObject([{ type: wire.HEADERS, flags: wire.END_STREAM | wire.END_HEADERS }]);
  });

  test('an answer may have no trailers', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1, wire.END_STREAM), wire.headers(3, wire.END_STREAM));
    for (const id of [1, 3]) {
      peer.recorder(id).stream.respond(okFields);
      if (id === 1) peer.recorder(id).stream.write(Buffer.from('x'));
      peer.recorder(id).stream.end(null);
    }
    expect(peer.framesOf(wire.DATA)).toMatchObject([
      { streamId: 1, flags: wire.END_STREAM, payload: Buffer.from('x') },
      { streamId: 3, flags: wire.END_STREAM, payload: Buffer.alloc(0) },
    ]);
  });
});

test('RFC 9113, 8.1: an answer without trailers ends its own stream, whoever wrote last', () => {
  const peer = Peer.open();
  peer.send(wire.headers(1, wire.END_STREAM), wire.headers(3, wire.END_STREAM));
  for (const id of [1, 3]) {
    peer.recorder(id).stream.respond(okFields);
    peer.recorder(id).stream.write(Buffer.from('x'));
  }
  peer.recorder(1).stream.end(null);
  expect(peer.framesOf(wire.DATA)).toMatchObject([
    { streamId: 1, flags: 0 },
    { streamId: 3, flags: 0 },
    { streamId: 1, flags: wire.END_STREAM, payload: Buffer.alloc(0) },
  ]);
});

describe('RFC 9113, 8.1.1 content-length', () => {
  const declared = (length: string): Pair[] => [...wire.requestFields, ['content-length', length]];

  test.each<[string, Buffer[]]>([
    ['more than declared', [wire.headers(1, 0, declared('3')), wire.data(1, 'ab'), wire.data(1, 'cd')]],
    ['less than declared', [wire.headers(1, 0, declared('3')), wire.data(1, 'ab', wire.END_STREAM)]],
    [
      'less than declared, with trailers',
      [wire.headers(1, 0, declared('3')), wire.headers(1, wire.END_STREAM, [['a', 'b']])],
    ],
    ['no body where one is declared', [wire.headers(1, wire.END_STREAM, declared('3'))]],
    ['two lengths', [wire.headers(1, 0, [...declared('3'), ['content-length', '3']])]],
    ['a negative length', [wire.headers(1, 0, declared('-1'))]],
    ['no number', [wire.headers(1, 0, declared('3x'))]],
    ['an empty length', [wire.headers(1, 0, declared(''))]],
    ['a length beyond all bounds', [wire.headers(1, 0, declared('9'.repeat(30)))]],
  ])('%s: stream error PROTOCOL_ERROR', (_name, frames) => {
    const peer = Peer.open();
    peer.send(...frames);
    expect(peer.resets()).toEqual({ 1: 'PROTOCOL_ERROR' });
    expect(peer.streams.get(1)?.events ?? []).not.toContain('end');
  });

  test('a body as long as declared, padding not counted', () => {
    const peer = Peer.open();
    peer.send(wire.headers(1, 0, declared('3')), wire.paddedData(1, 'abc', 9, wire.END_STREAM));
    expect(peer.recorder(1).events).toEqual(['data', 'end']);
  });
});

describe('RFC 9113, 8.2 and 8.3: malformed requests are stream errors PROTOCOL_ERROR', () => {
  const without = (name: string) => wire.requestFields.filter((pair) => pair[0] !== name);
  const plus = (...more: Pair[]): Pair[] => [...wire.requestFields, ...more];

  test.each<[string, Pair[]]>([
    ['8.2: upper case', plus(['X-Upper', 'a'])],
    ['8.2.1: a blank in a name', plus(['x y', 'a'])],
    ['8.2.1: a colon in a name', plus(['x:y', 'a'])],
    ['8.2.1: octets over 0x7f in a name', plus(['x\xe4', 'a'])],
    ['8.2.1: an empty name', plus(['', 'a'])],
    ['8.2.1: NUL in a value', plus(['x', 'a\0b'])],
    ['8.2.1: CR in a value', plus(['x', 'a\rb'])],
    ['8.2.1: LF in a value', plus(['x', 'a\nb'])],
    ['8.2.1: a blank before a value of HTTP/2 itself', plus(['host', ' test'])],
    ['8.2.1: a tab behind a value of HTTP/2 itself', [...without(':path'), [':path', '/\t']]],
    ['8.2.2: connection', plus(['connection', 'close'])],
    ['8.2.2: proxy-connection', plus(['proxy-connection', 'close'])],
    ['8.2.2: keep-alive', plus(['keep-alive', '5'])],
    ['8.2.2: transfer-encoding', plus(['transfer-encoding', 'chunked'])],
    ['8.2.2: upgrade', plus(['upgrade', 'websocket'])],
    ['8.2.2: te but trailers', plus(['te', 'gzip'])],
    ['8.3: an unknown pseudo-header', [...wire.requestFields, [':unknown', 'x']]],
    ['8.3: a pseudo-header of responses', [...wire.requestFields, [':status', '200']]],
    ['8.3: a pseudo-header behind a field', [['a', 'b'], ...wire.requestFields]],
    ['8.3: a pseudo-header twice', plus([':path', '/other'])],
    ['8.3.1: no :method', without(':method')],
    ['8.3.1: no :scheme', without(':scheme')],
    ['8.3.1: no :path', without(':path')],
    ['8.3.1: an empty :path', [...without(':path'), [':path', '']]],
    ['8.3.1: a :path that does not start with a slash', [...without(':path'), [':path', 'echo']]],
    ['8.3.1: user information in :authority', [...without(':authority'), [':authority', 'me@test']]],
    ['8.3.1: a host that differs from :authority', plus(['host', 'other'])],
    ['no field at all', []],
  ])('%s', (_name, fields) => {
    const peer = Peer.open();
    peer.send(wire.headers(1, 0, fields), wire.headers(3));
    expect(peer.resets()).toEqual({ 1: 'PROTOCOL_ERROR' });
    expect([...peer.streams.keys()]).toEqual([3]);
    expect(peer.violations[0]).toMatch(/^stream 1: /);
  });

  test.each<[string, Pair[]]>([
    ['8.2.1: blanks around a value that means nothing to HTTP/2', plus(['x', ' a\t'], ['y', ' '])],
    ['8.2.1: a blank and octets over 0x7f within a value', plus(['x', 'a b \xe4'])],
    ['8.2.2: te: trailers', plus(['te', 'trailers'])],
    ['8.3.1: no :authority', without(':authority')],
    ['8.3.1: host equals :authority', plus(['host', 'TEST'])],
    [
      '8.3.1: OPTIONS *',
      [
        [':method', 'OPTIONS'],
        [':scheme', 'http'],
        [':path', '*'],
      ],
    ],
  ])('but not %s', (_name, fields) => {
    const peer = Peer.open();
    peer.send(wire.headers(1, wire.END_STREAM, fields));
    expect(peer.recorder(1).events).toEqual(['end']);
  });

  test('8.5: CONNECT is answered 501', () => {
    const peer = Peer.open();
    peer.send(
      wire.headers(1, 0, [
        [':method', 'CONNECT'],
        [':authority', 'a:1'],
      ]),
    );
    const frames = peer.frames();
    expect(answerOf(frames, 1)).toMatchObject({ fields: { ':status': '501' }, isEnded: true });
    expect(frames.at(-1)).toMatchObject({ type: wire.RST_STREAM, payload: wire.uint32(0) });
  });
});
