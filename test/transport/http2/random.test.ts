import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BufferPool } from '../../../src/transport/http2/buffer-pool.js';
import { Connection } from '../../../src/transport/http2/connection.js';
import { defaultLimits } from '../../../src/transport/http2/limits.js';
import type { Http2Stream } from '../../../src/transport/http2/stream.js';
import * as wire from './frames.js';
import { answerOf, okFields, okTrailers, Peer } from './peer.js';

const streamIds = fc.constantFrom(1, 3, 5, 7, 9);
const flags = fc.constantFrom(0, 1, 4, 5, 8, 9, 0x20, 0x25, 0x2d);
const requestBlock = wire.block(...wire.requestFields);

const goodFrame = fc.oneof(
  streamIds.map((id) => wire.headers(id)),
  streamIds.map((id) => wire.headers(id, wire.END_STREAM)),
  fc
    .tuple(streamIds, fc.nat(300), fc.constantFrom(0, 1))
    .map(([id, length, end]) => wire.data(id, 'd'.repeat(length), end)),
  fc.tuple(streamIds, fc.nat(20), fc.nat(255)).map(([id, length, pad]) => wire.paddedData(id, 'p'.repeat(length), pad)),
  streamIds.map((id) => wire.headers(id, wire.END_STREAM, [['trailer', 'x']])),
  streamIds.map((id) => wire.reset(id)),
  fc
    .tuple(fc.constantFrom(0, 1, 3, 5), fc.integer({ min: 1, max: 70_000 }))
    .map(([id, by]) => wire.windowUpdate(id, by)),
  fc
    .tuple(fc.constantFrom(1, 4, 5), fc.constantFrom(0, 1, 4096, 20_000, 70_000))
    .map(([id, value]) => wire.settings([id, value])),
  fc.constant(wire.ping),
  streamIds.map((id) => wire.frame(wire.HEADERS, 1, id, requestBlock.subarray(0, 20))),
  streamIds.map((id) => wire.frame(wire.CONTINUATION, 4, id, requestBlock.subarray(20))),
);

const anyFrame = fc
  .tuple(
    fc.integer({ min: 0, max: 11 }),
    flags,
    fc.constantFrom(0, 1, 2, 3, 5, 2 ** 31 - 1),
    fc.uint8Array({ maxLength: 30 }),
  )
  .map(([type, flag, id, payload]) => wire.frame(type, flag, id, Buffer.from(payload)));

const frames = fc.array(fc.oneof({ weight: 12, arbitrary: goodFrame }, { weight: 1, arbitrary: anyFrame }), {
  maxLength: 60,
});

/** What a stream may have been told: some data, then at most one end, then at most one reset. */
const legalEvents = /^(data )?(end )?(reset [\w ]+ )?$/;

describe('random frames', () => {
  test('streams are told what is legal, the answer is legal HTTP/2, and nothing is left', () => {
    fc.assert(
      fc.property(frames, fc.boolean(), (sequence, answers) => {
        const peer = Peer.open({ answers });
        const seen: wire.ReadFrame[] = [];
        for (const frame of sequence) {
          peer.send(frame);
          seen.push(...peer.frames());
        }
        peer.connection.lost();
        expect(peer.connection.streamCount).toBe(0);
        expect(peer.connection.waitingBytes).toBe(0);
        for (const { events } of peer.streams.values()) {
          const told = events.filter((event) => event !== 'drain').map((event) => `${event} `);
          expect(told.join('')).toMatch(legalEvents);
        }
        checkAnswers(seen);
      }),
      { numRuns: 3000 },
    );
  });

  test('all that came is given back to the connection in the end', () => {
    fc.assert(
      fc.property(frames, (sequence) => {
        const peer = Peer.open({ consumes: false, limits: { connectionWindowBytes: 65_535 } });
        let left = 65_535;
        for (const frame of sequence) {
          const before = peer.connection.state;
          peer.send(frame);
          if (before !== 'closed' && peer.connection.state !== 'closed' && frame[3] === wire.DATA)
            left -= frame.length - 9;
          for (const { type, streamId, payload } of peer.frames()) {
            if (type === wire.WINDOW_UPDATE && streamId === 0) left += payload.readUInt32BE(0);
          }
        }
        if (peer.connection.state === 'closed') return;
        expect(peer.connection.receivableBytes).toBe(left);
        for (const { stream } of peer.streams.values()) stream.reset(8);
        expect(peer.connection.receivableBytes).toBeGreaterThan(65_535 / 2);
      }),
      { numRuns: 1000 },
    );
  });
});

/** Of each stream: HEADERS first, nothing behind its end but RST_STREAM, nothing behind that. */
function checkAnswers(seen: readonly wire.ReadFrame[]): void {
  const standing = new Map<number, 'begun' | 'ended' | 'reset'>();
  for (const { type, flags: frameFlags, streamId } of seen) {
    if (streamId === 0 || type === wire.WINDOW_UPDATE) continue;
    const before = standing.get(streamId);
    expect(before).not.toBe('reset');
    if (type === wire.RST_STREAM) standing.set(streamId, 'reset');
    else {
      expect(before).not.toBe('ended');
      if (type === wire.DATA) expect(before).toBe('begun');
      standing.set(streamId, (frameFlags & wire.END_STREAM) !== 0 ? 'ended' : 'begun');
    }
  }
}

interface Mutation {
  readonly at: number;
  readonly kind: 'flip' | 'drop' | 'double' | 'insert';
  readonly octet: number;
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  at: fc.nat(2000),
  kind: fc.constantFrom('flip', 'drop', 'double', 'insert'),
  octet: fc.integer({ min: 1, max: 255 }),
});

function mutate(bytes: Buffer, { at, kind, octet }: Mutation): Buffer {
  const place = at % bytes.length;
  const parts = [bytes.subarray(0, place), bytes.subarray(place, place + 1), bytes.subarray(place + 1)] as const;
  switch (kind) {
    case 'flip':
      return Buffer.concat([parts[0], Buffer.of(parts[1][0]! ^ octet), parts[2]]);
    case 'drop':
      return Buffer.concat([parts[0], parts[2]]);
    case 'double':
      return Buffer.concat([parts[0], parts[1], parts[1], parts[2]]);
    case 'insert':
      return Buffer.concat([parts[0], Buffer.of(octet), parts[1], parts[2]]);
  }
}

/** Echoes into one pool of buffers, as the connections of a listener do. */
class Echoes {
  readonly #pool = new BufferPool(256, 4);

  connect(): { connection: Connection; log: wire.FrameLog } {
    const host = {
      onStream: (_stream: Http2Stream) => new EchoHandler(),
      onOutput() {},
      readMs: () => 0,
      onViolation() {},
    };
    return { connection: new Connection(defaultLimits, this.#pool, host), log: new wire.FrameLog() };
  }
}

class EchoHandler {
  #body = Buffer.alloc(0);

  onData(stream: Http2Stream, bytes: Buffer, start: number, end: number): void {
    this.#body = Buffer.concat([this.#body, bytes.subarray(start, end)]);
    stream.consume(end - start);
  }

  onEnd(stream: Http2Stream): void {
    stream.respond(okFields);
    stream.write(this.#body);
    stream.end(okTrailers);
  }

  onReset(): void {}

  onDrain(): void {}
}

describe('random mutations of a good connection', () => {
  const good = Buffer.concat([
    wire.preface,
    wire.settings(),
    wire.settingsAck,
    ...[1, 3, 5].flatMap((id) => [wire.headers(id), wire.data(id, `body of ${id} `.repeat(20)), wire.data(id, '', 1)]),
    wire.ping,
    wire.windowUpdate(0, 1000),
  ]);

  test('neither throw nor touch the answers of another connection', () => {
    fc.assert(
      fc.property(
        fc.array(mutation, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 200 }),
        (mutations, step) => {
          const echoes = new Echoes();
          const broken = echoes.connect();
          const healthy = echoes.connect();
          healthy.connection.receive(Buffer.concat([wire.preface, wire.settings(), wire.settingsAck]));
          const bytes = mutations.reduce(mutate, good);
          const answers: wire.ReadFrame[] = [];
          const batches: Buffer[] = [];
          let id = 1;
          for (let at = 0; at < bytes.length; at += step, id += 2) {
            broken.connection.receive(bytes.subarray(at, at + step));
            healthy.connection.receive(Buffer.concat([wire.headers(id), wire.data(id, `healthy ${id}`, 1)]));
            for (const batch of [broken.connection.takeOutput(), healthy.connection.takeOutput()]) {
              if (batch !== null) batches.push(Buffer.concat(batch.segments));
            }
            answers.push(...healthy.log.read(batches.at(-1)!));
            healthy.connection.settleOutput();
          }
          broken.connection.lost();
          for (let asked = 1; asked < id; asked += 2) {
            expect(answerOf(answers, asked)).toMatchObject({ body: Buffer.from(`healthy ${asked}`), isEnded: true });
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});

type Step =
  | { readonly kind: 'write' | 'view'; readonly stream: number; readonly length: number }
  | { readonly kind: 'window'; readonly stream: number; readonly by: number }
  | { readonly kind: 'settings'; readonly window: number }
  | { readonly kind: 'end' | 'reset'; readonly stream: number }
  | { readonly kind: 'settle' };

const someStream = fc.constantFrom(1, 3, 5);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom('write' as const, 'view' as const), stream: someStream, length: fc.nat(40_000) }),
  fc.record({
    kind: fc.constant('window' as const),
    stream: fc.constantFrom(0, 1, 3, 5),
    by: fc.integer({ min: 1, max: 60_000 }),
  }),
  fc.record({ kind: fc.constant('settings' as const), window: fc.nat(100_000) }),
  fc.record({ kind: fc.constantFrom('end' as const, 'reset' as const), stream: someStream }),
  fc.record({ kind: fc.constant('settle' as const) }),
);

/** A client that keeps account of windows and bodies, and of views that are lent. */
class Accountant {
  readonly peer = Peer.open();
  readonly windows = new Map([0, 1, 3, 5].map((id) => [id, 65_535]));
  readonly written = new Map([1, 3, 5].map((id) => [id, Buffer.alloc(0)]));
  readonly read = new Map([1, 3, 5].map((id) => [id, Buffer.alloc(0)]));
  readonly gone = new Set<number>();
  readonly lent: { released: number }[] = [];
  #initial = 65_535;
  #untaken = 0;
  readonly #log = new wire.FrameLog();

  constructor() {
    for (const id of [1, 3, 5]) {
      this.peer.send(wire.headers(id, wire.END_STREAM));
      this.stream(id).respond(okFields);
    }
  }

  stream(id: number): Http2Stream {
    return this.peer.recorder(id).stream;
  }

  /** Output is read at once, so that windows are known when it was written; it is settled whenever. */
  runAndTake(item: Step, index: number): void {
    this.#run(item, index);
    this.take();
  }

  #run(item: Step, index: number): void {
    switch (item.kind) {
      case 'write':
      case 'view':
        this.#write(item.kind, item.stream, Buffer.alloc(item.length, index));
        break;
      case 'window':
        this.windows.set(item.stream, this.windows.get(item.stream)! + item.by);
        this.peer.send(wire.windowUpdate(item.stream, item.by));
        break;
      case 'settings':
        for (const id of [1, 3, 5]) this.windows.set(id, this.windows.get(id)! + item.window - this.#initial);
        this.#initial = item.window;
        this.peer.send(wire.settings([4, item.window]));
        break;
      case 'end':
        if (!this.gone.has(item.stream)) this.stream(item.stream).end(okTrailers);
        this.gone.add(item.stream);
        break;
      case 'reset':
        this.gone.add(item.stream);
        this.peer.send(wire.reset(item.stream));
        break;
      case 'settle':
        this.settle();
    }
  }

  take(): boolean {
    const batch = this.peer.connection.takeOutput();
    if (batch === null) return false;
    this.#untaken++;
    for (const { type, streamId, payload } of this.#log.read(Buffer.concat(batch.segments))) {
      if (type !== wire.DATA) continue;
      for (const id of [0, streamId]) {
        this.windows.set(id, this.windows.get(id)! - payload.length);
        expect(this.windows.get(id)).toBeGreaterThanOrEqual(0);
      }
      this.read.set(streamId, Buffer.concat([this.read.get(streamId)!, payload]));
    }
    return true;
  }

  settle(): void {
    if (this.#untaken === 0) return;
    this.#untaken--;
    this.peer.connection.settleOutput();
  }

  #write(kind: 'write' | 'view', id: number, bytes: Buffer): void {
    if (!this.gone.has(id)) this.written.set(id, Buffer.concat([this.written.get(id)!, bytes]));
    if (kind === 'write') {
      if (!this.gone.has(id)) this.stream(id).write(bytes);
      return;
    }
    const loan = { released: 0, release: () => void loan.released++ };
    if (this.gone.has(id) && this.stream(id).state !== 'closed') return;
    this.lent.push(loan);
    this.stream(id).writeView(bytes, loan);
  }
}

describe('random answers under random windows', () => {
  test('bodies arrive in order, windows are kept, every view comes back once', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const client = new Accountant();
        for (const [index, item] of steps.entries()) client.runAndTake(item, index);
        while (client.take()) client.settle();
        for (const id of [1, 3, 5]) {
          const read = client.read.get(id)!;
          expect(read.equals(client.written.get(id)!.subarray(0, read.length))).toBe(true);
        }
        client.peer.connection.lost();
        expect(client.lent.every(({ released }) => released === 1)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test('with windows opened wide all of it arrives', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const client = new Accountant();
        const kept = steps.filter(({ kind }) => kind !== 'reset');
        for (const [index, item] of kept.entries()) client.runAndTake(item, index);
        for (const id of [0, 1, 3, 5]) client.runAndTake({ kind: 'window', stream: id, by: 20_000_000 }, 0);
        do client.settle();
        while (client.take());
        for (const id of [1, 3, 5]) expect(client.read.get(id)!.equals(client.written.get(id)!)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
