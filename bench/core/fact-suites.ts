import { residentBytes } from '../server/proc.js';
import type { Engine, ServerProcess } from '../server/server-process.js';
import { binaryRequest } from './bodies.js';
import { type Contest, modelMetadata, probe } from './contest.js';
import { type GcTotals, parseGcTrace } from './gc-trace.js';
import type { Fact } from './report.js';
import { quartiles } from './rounds.js';
import { factSuite, type Suite } from './suite.js';
import type { WrkLoad } from './wrk.js';

const mebibyte = 1024 * 1024;
const loadConnections = 64;
const startRounds = 5;

/** Start to ready, and memory then, with nothing but the example model `simple`. */
async function measureStart(contest: Contest): Promise<Fact[]> {
  const repository = await contest.repository('models', 'examples/models/simple');
  const facts: Fact[] = [];
  for (const engine of contest.options.engines) {
    const startMs: number[] = [];
    const resident: number[] = [];
    for (let round = 0; round < startRounds; round++) {
      const server = await contest.server(engine, repository);
      startMs.push(server.startMs);
      resident.push((await residentBytes(server.pid)) / mebibyte);
      await server.stop();
    }
    facts.push(
      {
        label: `${engine}: start to ready`,
        value: quartiles(startMs).median,
        unit: 'ms',
        target: { is: 'at most', value: 1000 },
      },
      {
        label: `${engine}: memory when ready`,
        value: quartiles(resident).median,
        unit: 'MiB',
        target: { is: 'at most', value: 150 },
      },
    );
  }
  return facts;
}

async function startLoaded(
  contest: Contest,
  engine: Engine,
  nodeFlags: readonly string[],
): Promise<[ServerProcess, WrkLoad]> {
  const repository = await contest.repository('models', 'bench/models/simple_b64');
  const server = await contest.server(engine, repository, nodeFlags);
  const load = await contest.load('load', binaryRequest(await modelMetadata(server.httpPort, 'simple_b64')));
  await probe(server.httpPort, load.request);
  return [server, load];
}

/** What garbage collection costs, from the server's own `--trace-gc` lines. */
async function measureGarbage(contest: Contest): Promise<Fact[]> {
  const { engines, seconds } = contest.options;
  const facts: Fact[] = [];
  for (const engine of engines) {
    const [server, load] = await startLoaded(contest, engine, ['--trace-gc']);
    await load.run(server.httpPort, loadConnections, seconds);
    const before = parseGcTrace(server.output);
    const { requests } = await load.run(server.httpPort, loadConnections, 2 * seconds);
    facts.push(...garbageFacts(engine, before, parseGcTrace(server.output), requests));
    await server.stop();
  }
  return facts;
}

function garbageFacts(engine: Engine, before: GcTotals, after: GcTotals, requests: number): Fact[] {
  const each = 10_000 / requests;
  const allocated = ((after.allocatedBytes - before.allocatedBytes) / mebibyte) * each;
  const pausedMs = (after.pausedMs - before.pausedMs) * each;
  return [
    { label: `${engine}: allocated per 10,000 requests`, value: allocated, unit: 'MiB', target: null },
    { label: `${engine}: collecting per 10,000 requests`, value: pausedMs, unit: 'ms', target: null },
  ];
}

/** Memory after 100,000 requests and after a million: it may not grow with what has been served. */
async function measureMemory(contest: Contest): Promise<Fact[]> {
  const facts: Fact[] = [];
  for (const engine of contest.options.engines) {
    const [server, load] = await startLoaded(contest, engine, []);
    const early = await residentAfter(server, load, 100_000);
    const late = await residentAfter(server, load, 900_000);
    await server.stop();
    facts.push(
      { label: `${engine}: memory after 100,000 requests`, value: early, unit: 'MiB', target: null },
      { label: `${engine}: memory after 1,000,000 requests`, value: late, unit: 'MiB', target: null },
      {
        label: `${engine}: growth`,
        value: (100 * (late - early)) / early,
        unit: '%',
        target: { is: 'at most', value: 5 },
      },
    );
  }
  return facts;
}

/** MiB resident once `count` more requests are done. `wrk` counts seconds, so it runs one at a time until there are enough. */
async function residentAfter(server: ServerProcess, load: WrkLoad, count: number): Promise<number> {
  let done = 0;
  while (done < count) done += (await load.run(server.httpPort, loadConnections, 1)).requests;
  return (await residentBytes(server.pid)) / mebibyte;
}

export const factSuites: readonly Suite[] = [
  factSuite('start', measureStart),
  factSuite('garbage', measureGarbage),
  factSuite('memory', measureMemory),
];
