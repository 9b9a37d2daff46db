import { binaryRequest } from '../core/bodies.js';
import { assertNoFailures, type Contest, loaded, modelMetadata, probe, sideOf } from '../core/contest.js';
import type { Comparison, Fact, Target } from '../core/report.js';
import type { Contender } from '../core/rounds.js';
import { type Match, matchSuite, type Suite } from '../core/suite.js';
import type { ServerProcess } from '../server/server-process.js';
import { H2Load, type Width } from './h2load.js';
import { inferRequest, unaryRequest } from './messages.js';
import { echoSide, h2loaded, probedServer } from './sides.js';
import { setUpStreams } from './streams-suite.js';

const atLeast = (value: number): Target => ({ is: 'at least', value });

/** The yardstick of the machine, as in bench:core. */
const yardstickConnections = 64;

function against(of: string, to: string, target: Target | null): Comparison {
  return { label: `${of} / ${to}, throughput`, of, to, value: 'rate', target };
}

/** No failures in any of the servers; there are no figures in it. */
function noFailures(...servers: readonly ServerProcess[]): () => Promise<Fact[]> {
  return async () => {
    for (const server of servers) await assertNoFailures(server);
    return [];
  };
}

/** The bare uWebSockets server with the answer that this server gives over HTTP, under `wrk`. */
async function httpEcho(contest: Contest, server: ServerProcess, model: string): Promise<Contender> {
  const load = await contest.load('http', binaryRequest(await modelMetadata(server.httpPort, model)));
  const { headers, body } = await probe(server.httpPort, load.request);
  const bodyBase64 = Buffer.from(body).toString('base64');
  const limit = await contest.limitServer('uws-limit.js', { kind: 'fixed', headers, bodyBase64 });
  return loaded('http echo', limit, load, yardstickConnections);
}

/** Both engines of the server, both echoes without a server, and the yardstick. */
function unarySuite(size: number, target: number): Suite {
  const width: Width = { connections: size, streams: size };
  return matchSuite(`unary-${size}x${size}`, async (contest) => {
    const repository = await contest.repository('models', 'bench/models/simple_b64');
    const conch = await contest.grpcServer('conch', repository);
    const grpcJs = await contest.grpcServer('grpc-js', repository);
    const message = inferRequest(await modelMetadata(conch.httpPort, 'simple_b64'));
    const load = await H2Load.create(unaryRequest(message), contest.directory, 'grpc');
    return {
      contenders: [
        h2loaded('conch', await probedServer(conch, message), load, width),
        h2loaded('grpc-js', await probedServer(grpcJs, message), load, width),
        h2loaded('echo', await echoSide(contest, 'conch', message), load, width),
        h2loaded('grpc-js echo', await echoSide(contest, 'grpc-js', message), load, width),
        await httpEcho(contest, conch, 'simple_b64'),
      ],
      comparisons: [
        against('conch', 'http echo', atLeast(target)),
        against('conch', 'echo', null),
        against('conch', 'grpc-js', null),
      ],
      servers: [conch, grpcJs],
      hasLargeRows: false,
      facts: noFailures(conch, grpcJs),
    };
  });
}

/** One request at a time: the same server over gRPC and over HTTP, by the same generator. */
async function setUpSingle(contest: Contest): Promise<Match> {
  const server = await contest.grpcServer('conch', await contest.repository('models', 'bench/models/simple_b64'));
  const metadata = await modelMetadata(server.httpPort, 'simple_b64');
  const message = inferRequest(metadata);
  const load = await H2Load.create(unaryRequest(message), contest.directory, 'grpc');
  const httpRequest = binaryRequest(metadata);
  const httpLoad = await H2Load.createHttp1(httpRequest, contest.directory, 'http');
  const { body } = await probe(server.httpPort, httpRequest);
  const width: Width = { connections: 1, streams: 1 };
  return {
    contenders: [
      h2loaded('grpc', await probedServer(server, message), load, width),
      h2loaded('http', { ...sideOf(server), answerBytes: body.byteLength }, httpLoad, width),
    ],
    comparisons: [against('grpc', 'http', atLeast(1))],
    servers: [server],
    hasLargeRows: false,
    facts: noFailures(server),
  };
}

/** A tensor sent back, by the server and by the bare echo. */
function identitySuite(size: string, connections: number): Suite {
  const model = `identity_${size}`;
  const width: Width = { connections, streams: 1 };
  return matchSuite(`identity-${size}`, async (contest) => {
    const server = await contest.grpcServer('conch', await contest.repository('models', `bench/models/${model}`));
    const message = inferRequest(await modelMetadata(server.httpPort, model));
    const load = await H2Load.create(unaryRequest(message), contest.directory, 'grpc');
    return {
      contenders: [
        h2loaded('conch', await probedServer(server, message), load, width),
        h2loaded('echo', await echoSide(contest, 'conch', message), load, width),
      ],
      comparisons: [against('conch', 'echo', atLeast(0.7))],
      servers: [server],
      hasLargeRows: true,
      facts: noFailures(server),
    };
  });
}

export const grpcSuites: readonly Suite[] = [
  unarySuite(4, 0.55),
  unarySuite(8, 1.1),
  unarySuite(16, 1.6),
  matchSuite('unary-1x1', setUpSingle),
  matchSuite('streams', setUpStreams),
  identitySuite('600k', 4),
  identitySuite('16m', 2),
];
