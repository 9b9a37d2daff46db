import { join } from 'node:path';
import { writeDenseModel } from '../dense-model.js';
import { cpuMicroseconds } from '../server/proc.js';
import type { ServerProcess } from '../server/server-process.js';
import { bareRequest, binaryRequest, jsonRequest, type ModelMetadata } from './bodies.js';
import { type Contest, loaded, modelMetadata, probe, sideOf } from './contest.js';
import type { LoopLoaded, LoopRun } from './limit-process.js';
import type { Comparison, Target } from './report.js';
import type { Contender } from './rounds.js';
import { type Match, matchSuite, type Suite } from './suite.js';
import type { LoadRequest } from './wrk.js';

const atLeast = (value: number): Target => ({ is: 'at least', value });
const atMost = (value: number): Target => ({ is: 'at most', value });

interface EchoCase {
  readonly name: string;
  readonly model: string;
  readonly connections: number;
  readonly request: (model: ModelMetadata) => LoadRequest;
  /** What the bare server does: send a fixed answer of the same size, or the body itself from shared memory. */
  readonly limit: 'fixed' | 'copy';
  readonly value: Comparison['value'];
  readonly target: Target;
}

/** The server with each engine against a bare uWebSockets server. */
function echoSuite(echo: EchoCase): Suite {
  return matchSuite(echo.name, async (contest) => {
    const repository = await contest.repository('models', `bench/models/${echo.model}`);
    const servers = await startEngines(contest, repository);
    const first = servers[0]!;
    const load = await contest.load('load', echo.request(await modelMetadata(first.httpPort, echo.model)));
    const answer = await probe(first.httpPort, load.request);
    const limit = await contest.limitServer('uws-limit.js', {
      kind: echo.limit,
      headers: answer.headers,
      bodyBase64: echo.limit === 'fixed' ? Buffer.from(answer.body).toString('base64') : '',
    });
    const sides = servers.map((server) => loaded(server.engine, sideOf(server), load, echo.connections));
    return {
      contenders: [...sides, loaded('limit', limit, load, echo.connections)],
      comparisons: servers.map(({ engine }) => against(engine, 'limit', echo.value, echo.target)),
      servers,
      hasLargeRows: echo.limit === 'copy',
    };
  });
}

async function startEngines(contest: Contest, repository: string): Promise<ServerProcess[]> {
  const servers: ServerProcess[] = [];
  for (const engine of contest.options.engines) servers.push(await contest.server(engine, repository));
  return servers;
}

function against(of: string, to: string, value: Comparison['value'], target: Target): Comparison {
  const what = value === 'rate' ? 'throughput' : 'median latency';
  return { label: `${of} / ${to}, ${what}`, of, to, value, target };
}

function simpleCase(connections: number, target: Target): EchoCase {
  const name = `simple-${connections}`;
  return { name, model: 'simple_b64', connections, request: binaryRequest, limit: 'fixed', value: 'rate', target };
}

function identityCase(size: string): EchoCase {
  return {
    name: `identity-${size}`,
    model: `identity_${size}`,
    connections: 4,
    request: binaryRequest,
    limit: 'copy',
    value: 'rate',
    target: atLeast(0.75),
  };
}

const denseConnections = [64, 256] as const;
const denseMaxBatch = 64;
const denseModel = 'dense';

/** The compute-bound model: against the bare loop, against fastify, and against itself with fewer connections. */
async function setUpDense(contest: Contest): Promise<Match> {
  const repository = join(contest.directory, 'models');
  const modelFile = await writeDenseModel(join(repository, denseModel));
  const servers = await startEngines(contest, repository);
  const metadata = await modelMetadata(servers[0]!.httpPort, denseModel);
  const load = await contest.load('load', binaryRequest(metadata));
  await probe(servers[0]!.httpPort, load.request);
  const bareLoad = await contest.load('bare', bareRequest(metadata, '/infer'));
  const fastify = await contest.limitServer('fastify-server.js', { kind: 'model', modelFile });
  const contenders = denseConnections.flatMap((connections) => [
    ...servers.map((server) => loaded(`${server.engine} ${connections}`, sideOf(server), load, connections)),
    loaded(`fastify ${connections}`, fastify, bareLoad, connections),
  ]);
  return {
    contenders: [await bareLoop(contest, modelFile), ...contenders],
    comparisons: denseComparisons(servers),
    servers,
    hasLargeRows: false,
  };
}

function denseComparisons(servers: readonly ServerProcess[]): Comparison[] {
  return servers.flatMap(({ engine }) => [
    ...denseConnections.flatMap((connections) => [
      against(`${engine} ${connections}`, 'loop', 'rate', atLeast(0.75)),
      against(`${engine} ${connections}`, `fastify ${connections}`, 'rate', atLeast(3)),
    ]),
    against(`${engine} 256`, `${engine} 64`, 'rate', atLeast(1)),
  ]);
}

async function bareLoop(contest: Contest, modelFile: string): Promise<Contender> {
  const limit = contest.limit('ort-limit.js');
  await limit.ask<LoopLoaded>({ kind: 'load', modelFile, maxBatch: denseMaxBatch });
  return {
    name: 'loop',
    async sample(seconds) {
      const before = await cpuMicroseconds(limit.pid);
      const run = await limit.ask<LoopRun>({ kind: 'run', seconds });
      const cpuUs = ((await cpuMicroseconds(limit.pid)) - before) / run.rows;
      return { rate: run.rows / run.seconds, p50Us: null, p99Us: null, cpuUs };
    },
  };
}

export const matchSuites: readonly Suite[] = [
  echoSuite(simpleCase(16, atLeast(0.5))),
  echoSuite(simpleCase(64, atLeast(0.7))),
  echoSuite(simpleCase(256, atLeast(0.8))),
  echoSuite({ ...simpleCase(64, atLeast(0.45)), name: 'simple-json-64', request: jsonRequest }),
  echoSuite({ ...simpleCase(1, atMost(3)), value: 'p50Us' }),
  matchSuite('dense', setUpDense),
  echoSuite(identityCase('600k')),
  echoSuite(identityCase('16m')),
];
