import { afterEach, expect, test, vi } from 'vitest';
import type { PreparedRequest, PreparedStep, PreparedStreams } from '../../../../bench/load/encode/prepared-request.js';
import { LoadDriver } from '../../../../bench/load/generator/driver.js';
import { merged } from '../../../../bench/load/generator/group.js';
import type { Material } from '../../../../bench/load/generator/order.js';
import type { SequenceSettings } from '../../../../bench/load/generator/sequence-runs.js';
import type { Load } from '../../../../bench/load/load.js';
import type { Answer, Failure, Wire, WireTarget, WireUser } from '../../../../bench/load/wires/wire.js';

interface Sent {
  readonly wire: PuppetWire;
  readonly slot: number;
  readonly text: string;
  readonly sequenceId: number;
}

/** A connection whose answers the test gives. */
class PuppetWire implements Wire {
  static opened: PuppetWire[] = [];
  static sent: Sent[] = [];
  /** Connections that will not be made. */
  static refusals = 0;
  readonly user: WireUser;
  readonly waiting: Sent[] = [];
  isClosed = false;

  constructor(user: WireUser) {
    this.user = user;
  }

  open(): Promise<void> {
    if (PuppetWire.refusals > 0) {
      PuppetWire.refusals--;
      return Promise.reject(Object.assign(new Error('nobody listens'), { code: 'ECONNREFUSED' }));
    }
    PuppetWire.opened.push(this);
    return Promise.resolve();
  }

  send(slot: number, request: PreparedRequest, sequenceId: number): void {
    if (this.isClosed) throw new Error('sent on a wire that is gone');
    if (this.waiting.some((other) => other.slot === slot)) throw new Error('sent in a slot that is taken');
    const sent = { wire: this, slot, text: request.bytes.toString(), sequenceId };
    this.waiting.push(sent);
    PuppetWire.sent.push(sent);
  }

  /** Answers its oldest request. */
  answer(change: Partial<Answer> = {}): void {
    const { slot } = this.waiting[0]!;
    if (change.isFinal !== false) this.waiting.shift();
    this.user.onAnswer(slot, answerOf(change));
  }

  lose(failure: Failure): void {
    this.isClosed = true;
    while (this.waiting.length > 0) this.answer({ failure });
    this.user.onClosed(failure);
  }

  close(): void {
    this.isClosed = true;
  }
}

function answerOf(change: Partial<Answer>): Answer {
  const bytes = Buffer.alloc(0);
  const usual = {
    isFinal: true,
    isEmpty: false,
    failure: null,
    firstByteMs: performance.now(),
    bytes,
    start: 0,
    end: 0,
    jsonBytes: -1,
  };
  return { ...usual, ...change };
}

function step(name: string): PreparedStep {
  const make = (place: string) => ({
    bytes: Buffer.from(`${name} ${place}`),
    idAt: -1,
    sequenceId: null,
    tensorBytes: 0,
  });
  return {
    requests: { first: make('first'), middle: make('middle'), last: make('last'), only: make('only') },
    expected: null,
  };
}

const target: WireTarget = {
  protocol: 'http',
  host: 'localhost',
  port: 1,
  tls: null,
  headers: [],
  path: '/',
  slots: 1,
  timeoutMs: 1000,
  isDecoupled: false,
};
const streams: PreparedStreams = [[step('a'), step('b')]];

interface Setting {
  readonly slots?: number;
  readonly isDecoupled?: boolean;
  readonly sequences?: SequenceSettings;
  readonly check?: (answer: Answer) => Failure | null;
}

let driver: LoadDriver;
const onExhausted = vi.fn();
const onBroken = vi.fn();
const answered = new Int32Array(2);

function setUp({ slots = 1, isDecoupled = false, sequences, check }: Setting = {}): LoadDriver {
  PuppetWire.opened = [];
  PuppetWire.sent = [];
  PuppetWire.refusals = 0;
  onExhausted.mockClear();
  answered[0] = 0;
  const material: Material = { target: { ...target, slots, isDecoupled }, streams, sequences: sequences ?? null };
  driver = new LoadDriver({
    material,
    part: { nth: 0, of: 1 },
    makeWire: (user) => new PuppetWire(user),
    check: check ?? null,
    answered,
    mayNap: true,
    onExhausted,
    onBroken,
  });
  return driver;
}

async function begin(load: Load, limit = 0): Promise<void> {
  await driver.provide(load);
  driver.begin(load, performance.timeOrigin + performance.now(), limit);
}

function closed(concurrency: number): Load {
  return { kind: 'closed', concurrency };
}

function inFlight(): number {
  return PuppetWire.opened.reduce((sum, { waiting }) => sum + waiting.length, 0);
}

afterEach(() => driver.close());

test('a closed load keeps as many in flight as it says, over connections with one slot', async () => {
  setUp();
  await begin(closed(3));
  expect(PuppetWire.opened).toHaveLength(3);
  for (let nth = 0; nth < 100; nth++) {
    expect(inFlight()).toBe(3);
    PuppetWire.opened[nth % 3]!.answer();
  }
  const window = driver.take();
  expect(window.requests).toBe(100);
  expect(answered[0]).toBe(100);
});

test('connections with several slots are as few as will do', async () => {
  setUp({ slots: 4 });
  await begin(closed(10));
  expect(PuppetWire.opened).toHaveLength(3);
  expect(inFlight()).toBe(10);
});

test('a greater load takes more connections, a smaller one leaves places free', async () => {
  setUp();
  await begin(closed(2));
  await begin(closed(5));
  expect(inFlight()).toBe(5);
  await begin(closed(1));
  for (const wire of PuppetWire.opened) wire.answer();
  expect(inFlight()).toBe(1);
});

test('so many requests as the limit says are sent', async () => {
  setUp();
  await begin(closed(2), 5);
  for (let nth = 0; nth < 5; nth++) PuppetWire.opened.find(({ waiting }) => waiting.length > 0)!.answer();
  expect(PuppetWire.sent).toHaveLength(5);
  expect(inFlight()).toBe(0);
  expect(onExhausted).toHaveBeenCalled();
});

test('a window of so many requests ends with the last answer, whenever it is asked for', async () => {
  setUp();
  await begin(closed(1), 1);
  PuppetWire.opened[0]!.answer();
  const answeredMs = performance.now();
  await vi.waitUntil(() => performance.now() >= answeredMs + 5, { interval: 1 });
  const { beginMs, endMs } = await driver.drain();
  expect(endMs).toBeGreaterThan(beginMs);
  expect(endMs - performance.timeOrigin).toBeLessThanOrEqual(answeredMs);
});

test('drained: what is in flight is awaited, nothing more is sent, and a new load finds all places', async () => {
  setUp();
  await begin(closed(2));
  const drained = driver.drain();
  PuppetWire.opened[0]!.answer();
  PuppetWire.opened[1]!.answer();
  expect((await drained).requests).toBe(2);
  expect(PuppetWire.sent).toHaveLength(2);
  await begin(closed(2));
  expect(PuppetWire.opened).toHaveLength(2);
  expect(inFlight()).toBe(2);
});

test('an open load sends when it is due; latency counts from then, although no place was free', async () => {
  setUp();
  await begin({ kind: 'open', arrivals: { kind: 'constant', ratePerSecond: 200 }, maxInFlight: 1 });
  await vi.waitUntil(() => PuppetWire.sent.length === 1, { interval: 1 });
  const [wire] = PuppetWire.opened;
  // The server is silent for as long as ten requests take to be due.
  const silentUntilMs = performance.now() + 50;
  await vi.waitUntil(() => performance.now() >= silentUntilMs, { interval: 1 });
  const beforeMs = performance.now();
  for (let nth = 0; nth < 10; nth++) wire!.answer();
  const tookMs = performance.now() - beforeMs;
  const window = merged([driver.take()]);
  expect(window.requests).toBe(10);
  // Their latencies are 50, 45, ... 5 ms, and not 50 and then next to nothing.
  expect(window.latencyUs.maxValue).toBeGreaterThanOrEqual(49_900);
  expect(window.latencyUs.getValueAtPercentile(50)).toBeGreaterThanOrEqual(19_900);
  expect(window.latencyUs.maxValue - window.latencyUs.minNonZeroValue).toBeGreaterThanOrEqual(44_800 - tookMs * 1000);
  // All but the first.
  expect(window.late).toBeGreaterThanOrEqual(8);
});

test('what is due and has not left is the backlog', async () => {
  setUp();
  await begin({ kind: 'open', arrivals: { kind: 'intervals', gapsUs: [0, 0, 0, 0, 10_000_000] }, maxInFlight: 1 });
  expect(driver.take().backlog).toBe(3);
  PuppetWire.opened[0]!.answer();
  expect(driver.take().backlog).toBe(2);
});

test('a profile that is over is exhausted when all is answered', async () => {
  setUp();
  const phases = [{ seconds: 0.02, fromPerSecond: 100, toPerSecond: 100 }];
  await begin({
    kind: 'open',
    arrivals: { kind: 'profile', phases, distribution: 'constant', seed: 1 },
    maxInFlight: 2,
  });
  await vi.waitUntil(() => PuppetWire.sent.length === 2, { interval: 1 });
  expect(onExhausted).not.toHaveBeenCalled();
  for (const wire of PuppetWire.opened) wire.answer();
  expect(onExhausted).toHaveBeenCalled();
});

const sequences: SequenceSettings = {
  alive: 2,
  length: 3,
  lengthVariationPercent: 0,
  firstId: 1,
  lastId: 1000,
  seed: 1,
};

test('on a connection with room for more, no more sequences are alive than are asked for', async () => {
  setUp({ sequences, slots: 8 });
  await begin(closed(2));
  const [wire] = PuppetWire.opened;
  for (let nth = 0; nth < 6; nth++) wire!.answer();
  expect(PuppetWire.sent.map(({ sequenceId }) => sequenceId)).toEqual([1, 2, 1, 2, 1, 2, 3, 4]);
});

test('each place carries a sequence, a step at a time, then the next one', async () => {
  setUp({ sequences });
  await begin(closed(2));
  for (let nth = 0; nth < 4; nth++) for (const wire of PuppetWire.opened) wire.answer();
  const steps = PuppetWire.sent.filter(({ wire }) => wire === PuppetWire.opened[0]);
  expect(steps.map(({ sequenceId, text }) => `${sequenceId} ${text}`)).toEqual([
    '1 a first',
    '1 b middle',
    '1 a last',
    '3 a first',
    '3 b middle',
  ]);
  expect(driver.take().sequences).toBe(2);
});

test('drained: sequences that have begun get their last step, also those that wait for it', async () => {
  setUp({ sequences });
  await begin(closed(2));
  await begin(closed(1));
  for (const wire of PuppetWire.opened) wire.answer();
  expect(inFlight()).toBe(1);
  const drained = driver.drain();
  expect(inFlight()).toBe(2);
  expect(PuppetWire.sent.at(-1)!.text).toBe('b last');
  for (const wire of PuppetWire.opened) while (wire.waiting.length > 0) wire.answer();
  expect(PuppetWire.sent.map(({ text }) => text)).toEqual(['a first', 'a first', 'b middle', 'b last', 'a last']);
  const window = await drained;
  // Steps that only end a sequence are no requests of the load.
  expect(window.requests).toBe(3);
  expect(window.sequences).toBe(0);
});

test('an open load has so many sequences alive, and gives each its step in turn', async () => {
  setUp({ sequences, slots: 8 });
  const gapsUs = [0, 0, 0, 0, 0, 0, 10_000_000];
  await begin({ kind: 'open', arrivals: { kind: 'intervals', gapsUs }, maxInFlight: 100 });
  expect(PuppetWire.sent.map(({ sequenceId }) => sequenceId)).toEqual([1, 2]);
  const [wire] = PuppetWire.opened;
  for (let nth = 0; nth < 4; nth++) wire!.answer();
  expect(PuppetWire.sent.map(({ sequenceId }) => sequenceId)).toEqual([1, 2, 1, 2, 1, 2]);
});

test('a failure ends a sequence, with its last step, and not the load', async () => {
  setUp({ sequences });
  await begin(closed(1));
  PuppetWire.opened[0]!.answer({ failure: { kind: 'HTTP 400', message: 'no' } });
  await vi.waitUntil(() => PuppetWire.sent.length === 2, { interval: 1 });
  PuppetWire.opened[0]!.answer();
  await vi.waitUntil(() => PuppetWire.sent.length === 3, { interval: 1 });
  expect(PuppetWire.sent.map(({ sequenceId, text }) => `${sequenceId} ${text}`)).toEqual([
    '1 a first',
    '1 b last',
    '2 a first',
  ]);
  const window = driver.take();
  expect(window.requests).toBe(0);
  expect(window.failures).toEqual(new Map([['HTTP 400', { count: 1, message: 'no' }]]));
});

test('a lost connection is made again, and its place goes on', async () => {
  setUp();
  await begin(closed(2));
  PuppetWire.refusals = 2;
  PuppetWire.opened[0]!.lose({ kind: 'connection reset', message: 'ECONNRESET' });
  await vi.waitUntil(() => PuppetWire.opened.length === 3, { interval: 1 });
  await vi.waitUntil(() => inFlight() === 2, { interval: 1 });
  expect(driver.take().failures).toEqual(
    new Map([
      ['connection reset', { count: 1, message: 'ECONNRESET' }],
      ['no connection', { count: 2, message: 'nobody listens' }],
    ]),
  );
});

test('drained while a connection is lost', async () => {
  setUp();
  await begin(closed(1));
  const drained = driver.drain();
  PuppetWire.opened[0]!.lose({ kind: 'connection reset', message: 'ECONNRESET' });
  expect((await drained).failures.size).toBe(1);
});

test('answers of a decoupled model: the first, the gaps, the end that says nothing', async () => {
  setUp({ isDecoupled: true });
  await begin(closed(1));
  const [wire] = PuppetWire.opened;
  wire!.answer({ isFinal: false });
  wire!.answer({ isFinal: false });
  wire!.answer({ isEmpty: true });
  const window = merged([driver.take()]);
  expect(window.requests).toBe(1);
  expect(window.responses).toBe(2);
  expect(window.firstResponseUs.totalCount).toBe(1);
  expect(window.betweenResponsesUs.totalCount).toBe(1);
});

test('an answer that is not as it should be makes its request fail', async () => {
  setUp({ check: () => ({ kind: 'wrong output', message: 'OUTPUT0 is 1, expected 2' }) });
  await begin(closed(1));
  PuppetWire.opened[0]!.answer();
  await vi.waitUntil(() => PuppetWire.sent.length === 2, { interval: 1 });
  expect(driver.take().failures).toEqual(
    new Map([['wrong output', { count: 1, message: 'OUTPUT0 is 1, expected 2' }]]),
  );
});

test('a server that is not there is told at once', async () => {
  setUp();
  PuppetWire.refusals = 1;
  await expect(driver.provide(closed(1))).rejects.toThrow('nobody listens');
});
