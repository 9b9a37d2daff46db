import { decodeFromCompressedBase64 } from 'hdr-histogram-js';
import { expect, test } from 'vitest';
import type { Load } from '../../../../bench/load/load.js';
import { buildResult } from '../../../../bench/load/measure/build-result.js';
import type { Look } from '../../../../bench/load/measure/observer.js';
import { countersOf, histogramOf, windowOf } from '../windows.js';

const closed: Load = { kind: 'closed', concurrency: 2 };
const open: Load = { kind: 'open', arrivals: { kind: 'constant', ratePerSecond: 5 }, maxInFlight: 9 };
const subject = { load: closed, name: '2', batchSize: 4, isDecoupled: false, percentile: null };
const blind: Look = { counters: null, process: null, metrics: null };

const first = windowOf({
  requests: 3,
  responses: 3,
  latencyUs: histogramOf(100, 200, 300),
  failures: new Map([['timeout', { count: 1, message: 'first' }]]),
  sendUs: 30,
  cpuUs: 1e6,
  sequences: 1,
});
const second = windowOf({
  beginMs: 1000,
  endMs: 3000,
  requests: 1,
  responses: 2,
  latencyUs: histogramOf(4000),
  failures: new Map([
    ['timeout', { count: 2, message: 'second' }],
    ['HTTP 503', { count: 5, message: 'busy' }],
  ]),
  receiveUs: 8,
  cpuUs: 2e6,
  sequences: 2,
  late: 7,
  lateUs: histogramOf(1500),
  backlog: 3,
});

test('windows are merged: counts and histograms add up, of each failure the first message stays', () => {
  const result = buildResult(subject, { windows: [first, second], looks: [blind, blind, blind], isStable: true });
  expect(result).toMatchObject({
    load: closed,
    name: '2',
    isStable: true,
    seconds: 3,
    requests: 4,
    throughput: 16 / 3,
    responsesPerSecond: 5 / 3,
    sequencesPerSecond: 1,
    failures: [
      { kind: 'timeout', count: 3, message: 'first' },
      { kind: 'HTTP 503', count: 5, message: 'busy' },
    ],
    firstResponse: null,
    betweenResponses: null,
    lateness: null,
    client: { sendUs: 7.5, receiveUs: 2, cpuUs: 750_000, utilization: 0.5 },
    models: [],
    process: null,
    metrics: null,
  });
});

test('latency: mean, deviation, ends, percentiles and the one that was asked for, the histogram itself', () => {
  const windows = [first, second];
  const { latency } = buildResult(
    { ...subject, percentile: 30 },
    { windows, looks: [blind, blind, blind], isStable: true },
  );
  // Exact below 2048, three digits above.
  expect(latency).toMatchObject({ count: 4, min: 100, percentiles: { 30: 200, 50: 200 } });
  expect(Object.keys(latency.percentiles)).toEqual(['30', '50', '90', '95', '99', '99.9']);
  expect(latency.percentiles[99]! / 4000).toBeCloseTo(1, 3);
  expect(latency.max / 4000).toBeCloseTo(1, 3);
  expect(latency.mean / 1150).toBeCloseTo(1, 3);
  expect(latency.deviation / Math.sqrt((1050 ** 2 + 950 ** 2 + 850 ** 2 + 2850 ** 2) / 4)).toBeCloseTo(1, 3);
  const decoded = decodeFromCompressedBase64(latency.histogram, 64, false);
  expect(decoded.totalCount).toBe(4);
  expect(decoded.getValueAtPercentile(75)).toBe(300);
});

test('a window without requests has no latency, and divides by nothing', () => {
  const looks = [blind, blind];
  const result = buildResult(subject, { windows: [windowOf({ endMs: 0 })], looks, isStable: false });
  expect(result).toMatchObject({
    throughput: 0,
    latency: { count: 0, min: 0, max: 0, mean: 0, percentiles: { 50: 0 } },
  });
  expect(result.client).toEqual({ sendUs: 0, receiveUs: 0, cpuUs: 0, utilization: 0 });
});

test('open loads say what was late; decoupled models when the first answer came', () => {
  const window = { ...second, firstResponseUs: histogramOf(50), betweenResponsesUs: histogramOf(70, 80) };
  const about = { ...subject, load: open, isDecoupled: true };
  const result = buildResult(about, { windows: [first, window], looks: [blind, blind, blind], isStable: true });
  expect(result.lateness).toMatchObject({ late: 7, backlog: 3, delay: { count: 1, mean: 1500 } });
  expect(result.firstResponse).toMatchObject({ count: 1, mean: 50 });
  expect(result.betweenResponses).toMatchObject({ count: 2, mean: 75 });
});

test('of the server: the difference between the looks before and after, for each request', () => {
  const before = countersOf('m', { inferences: 10, executions: 10, success: { count: 10, ns: 1e6 } });
  const after = countersOf('m', {
    inferences: 18,
    executions: 12,
    success: { count: 14, ns: 1e6 + 8000 },
    queue: { count: 14, ns: 4000 },
    fail: { count: 1, ns: 5 },
    cacheHit: { count: 2, ns: 6000 },
  });
  const looks: Look[] = [
    { counters: [before], process: { cpuSeconds: 10, memoryBytes: 1 }, metrics: null },
    { counters: [after], process: { cpuSeconds: 10.5, memoryBytes: 2 }, metrics: null },
  ];
  const { models, process } = buildResult(subject, { windows: [first], looks, isStable: true });
  expect(models).toMatchObject([
    {
      model: 'm',
      inferences: 8,
      executions: 2,
      requests: 4,
      failed: 1,
      requestUs: 2,
      queueUs: 1,
      cacheHits: 2,
      cacheHitUs: 3,
    },
  ]);
  expect(process).toEqual({ cpuCores: 0.5, memoryBytes: 2 });
});

test('metrics: means over all samples of the windows that count', () => {
  const look = (sum: number, count: number, max: number): Look => ({
    ...blind,
    metrics: new Map([['gpu', { sum, count, max }]]),
  });
  const looks = [look(1e9, 1, 1e9), look(10, 1, 10), look(20, 4, 8)];
  const { metrics } = buildResult(subject, { windows: [first, second], looks, isStable: true });
  expect(metrics).toEqual({ gpu: { mean: 6, max: 10 } });
});

test('the timeline: pieces of all windows, rates by how long each is, a short rest with the one before', () => {
  const piece = (requests: number, failures = 0) => ({ requests, failures, sumUs: requests * 10, maxUs: 12 });
  const windows = [
    windowOf({ beginMs: 5000, endMs: 5230, pieces: [piece(10), piece(20), piece(3)] }),
    windowOf({ beginMs: 5230, endMs: 5380, pieces: [piece(0, 4)] }),
  ];
  const { timeline } = buildResult(subject, { windows, looks: [blind, blind, blind], isStable: true });
  expect(timeline.map(({ atSeconds }) => atSeconds)).toEqual([0, 0.1, 0.23, 0.33]);
  expect(timeline.map((point) => Math.round(point.requestsPerSecond))).toEqual([100, 177, 0, 0]);
  expect(timeline.map((point) => Math.round(point.failuresPerSecond))).toEqual([0, 0, 40, 0]);
  expect(timeline[1]).toMatchObject({ meanUs: 10, maxUs: 12 });
});
