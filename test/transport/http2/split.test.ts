import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as wire from './frames.js';
import type { Pair } from './hpack/dumb-hpack.js';
import { Peer, type Recorder } from './peer.js';

const long: Pair = ['x-long', 'z'.repeat(300)];
const block = wire.block(...wire.requestFields, long);

/** One of everything a client may send. */
const conversation = Buffer.concat([
  wire.preface,
  wire.settings([4, 5000], [1, 100]),
  wire.settingsAck,
  wire.frame(wire.PRIORITY, 0, 9, Buffer.alloc(5)),
  wire.headers(1),
  wire.paddedData(1, 'padded', 10),
  wire.frame(0x70, 0, 0, Buffer.from('unknown')),
  wire.data(1, 'hello'),
  wire.paddedData(1, '', 3),
  wire.ping,
  wire.frame(wire.HEADERS, wire.END_STREAM, 3, block.subarray(0, 100)),
  wire.frame(wire.CONTINUATION, 0, 3, block.subarray(100, 101)),
  wire.frame(wire.CONTINUATION, wire.END_HEADERS, 3, block.subarray(101)),
  wire.windowUpdate(1, 100),
  wire.headers(1, wire.END_STREAM, [['trailer', 'yes']]),
  wire.headers(5),
  wire.data(5, 'to be cancelled'),
  wire.reset(5),
  wire.headers(7),
  wire.data(7, 'with an empty end'),
  wire.data(7, '', wire.END_STREAM),
]);

function summary({ path, fields, body, trailers, events }: Recorder) {
  return { path, fields, body: body.toString(), trailers, events };
}

/** What came of a conversation in such chunks: what streams were told, and every octet that was answered. */
function outcome(chunks: readonly Buffer[]) {
  const peer = new Peer({ answers: true });
  for (const chunk of chunks) peer.connection.receive(chunk);
  return { frames: peer.frames(), streams: [...peer.streams.values()].map(summary), violations: peer.violations };
}

const whole = outcome([conversation]);

describe('chunks of the socket', () => {
  test('the conversation in one chunk', () => {
    expect(whole.violations).toEqual([]);
    expect(whole.streams).toMatchObject([
      { body: 'paddedhello', trailers: [['trailer', 'yes']], events: ['data', 'end'] },
      { fields: [long], events: ['end'] },
      { body: 'to be cancelled', events: ['data', 'reset CANCEL'] },
      { body: 'with an empty end', events: ['data', 'end'] },
    ]);
  });

  test('every octet by itself', () => {
    expect(outcome([...conversation].map((octet) => Buffer.of(octet)))).toEqual(whole);
  });

  test('split in two at every octet', () => {
    for (let at = 1; at < conversation.length; at++) {
      expect(outcome([conversation.subarray(0, at), conversation.subarray(at)])).toEqual(whole);
    }
  });

  test('split anywhere, any number of times', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: conversation.length }), { maxLength: 40 }), (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), conversation.length];
        expect(outcome(places.slice(1).map((end, index) => conversation.subarray(places[index], end)))).toEqual(whole);
      }),
      { numRuns: 300 },
    );
  });

  test('views are of the chunk itself: nothing of DATA is copied', () => {
    const peer = Peer.open();
    const bytes = Buffer.concat([wire.headers(1), wire.data(1, 'in place')]);
    peer.onStream = (_stream) => ({
      onData(stream, chunk, start, end) {
        expect(chunk).toBe(bytes);
        expect(chunk.toString('latin1', start, end)).toBe('in place');
        stream.consume(end - start);
      },
      onEnd() {},
      onReset() {},
      onDrain() {},
    });
    peer.connection.receive(bytes);
    expect.assertions(2);
  });
});
