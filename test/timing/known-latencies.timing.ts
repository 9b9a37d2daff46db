import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import type { LoadPlan, LoadResult, RunOptions } from '../../bench/load/library.js';

// The built one: its generator has threads of its own.
const library = new URL('../../dist/bench/load/library.js', import.meta.url).href;
const { runLoad } = (await import(library)) as typeof import('../../bench/load/library.js');

interface Known {
  readonly serviceMs: readonly number[];
  readonly stall?: { readonly afterMs: number; readonly forMs: number };
}

interface Ports {
  readonly httpPort: number;
  readonly grpcPort: number;
}

let server: ChildProcess | undefined;

async function start(known: Known): Promise<Ports> {
  server = fork(new URL('known-server.mjs', import.meta.url), [JSON.stringify(known)]);
  return (await once(server, 'message'))[0] as Ports;
}

afterEach(() => {
  server?.kill();
});

async function run({ httpPort, grpcPort }: Ports, options: Omit<RunOptions, 'model'>): Promise<LoadResult> {
  const url = `127.0.0.1:${options.protocol === 'grpc' ? grpcPort : httpPort}`;
  const { results } = await runLoad({ model: 'known', url, ...options });
  expect(results).toHaveLength(1);
  return results[0]!;
}

function concurrency(start: number): LoadPlan {
  return { kind: 'concurrency', range: { start, end: start, step: 1 }, search: 'linear' };
}

function rate(perSecond: number): LoadPlan {
  const range = { start: perSecond, end: perSecond, step: 1 };
  return { kind: 'rate', range, search: 'linear', distribution: 'constant' };
}

/** Within two in a hundred. */
function expectNear(foundUs: number | undefined, knownMs: number): void {
  expect(foundUs! / 1000).toBeGreaterThanOrEqual(knownMs * 0.98);
  expect(foundUs! / 1000).toBeLessThanOrEqual(knownMs * 1.02);
}

// Of a hundred requests 70 take 600 ms, 25 take 1000 ms, 5 take 1800 ms: p50 is the first, p90 the second, p99 the third.
const serviceMs = Array.from({ length: 20 }, (_, nth) => (nth === 7 ? 1800 : nth % 4 === 2 ? 1000 : 600));
const MEAN_MS = 0.7 * 600 + 0.25 * 1000 + 0.05 * 1800;

function expectKnown({ latency }: LoadResult): void {
  expectNear(latency.percentiles[50], 600);
  expectNear(latency.percentiles[90], 1000);
  expectNear(latency.percentiles[99], 1800);
  expectNear(latency.mean, MEAN_MS);
}

// What others do to the machine meanwhile is no fault of the tool: then it is measured again.
describe.each(['http', 'grpc'] as const)('over %s', { retry: 4 }, (protocol) => {
  test('known service times in a closed loop', async () => {
    const ports = await start({ serviceMs });
    const found = await run(ports, {
      protocol,
      loads: concurrency(40),
      measurement: { requestCount: 200, warmupMs: 0 },
    });
    expect(found.requests).toBe(200);
    expectKnown(found);
    expect(found.failures).toEqual([]);
  });

  test('the same at a rate: nothing waits, so latencies are the service times', async () => {
    const ports = await start({ serviceMs });
    const found = await run(ports, { protocol, loads: rate(50), measurement: { requestCount: 200, warmupMs: 0 } });
    expect(found.requests).toBe(200);
    expectKnown(found);
    expect(found.lateness!.backlog).toBe(0);
  });

  test('a stall of 500 ms is seen by an open loop in all requests that it keeps, and by a closed one in one', async () => {
    const stall = { afterMs: 100, forMs: 500 };
    // 200 requests per second for 5 s: 100 of 1000 meet the stall, and wait from 500 ms down to nothing.
    const open = await run(await start({ serviceMs: [0], stall }), {
      protocol,
      loads: rate(200),
      measurement: { requestCount: 1000, warmupMs: 0 },
    });
    expect(open.latency.percentiles['99.9']).toBeGreaterThanOrEqual(490_000);
    expect(open.latency.percentiles[99]).toBeGreaterThanOrEqual(440_000);
    expect(open.latency.percentiles[95]).toBeGreaterThanOrEqual(240_000);
    expect(open.latency.percentiles[50]).toBeLessThan(100_000);
    server?.kill();
    const closed = await run(await start({ serviceMs: [0], stall }), {
      protocol,
      loads: concurrency(1),
      measurement: { requestCount: 5000, warmupMs: 0 },
    });
    expect(closed.latency.max).toBeGreaterThanOrEqual(490_000);
    expect(closed.latency.percentiles[99]).toBeLessThan(240_000);
  });
});
