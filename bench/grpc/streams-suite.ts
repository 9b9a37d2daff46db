import { assertNoFailures, type Contest, modelMetadata } from '../core/contest.js';
import type { LimitProcess } from '../core/limit-process.js';
import { cpuMicroseconds } from '../core/proc.js';
import type { Fact } from '../core/report.js';
import { type Contender, quartiles } from '../core/rounds.js';
import type { ServerProcess } from '../core/server-process.js';
import type { Match } from '../core/suite.js';
import type { GeneratorOrder, GeneratorRun } from './generator-order.js';
import { inferRequest } from './messages.js';

const connections = 8;
const inFlightEach = 8;

/** A way to send the same requests, with what the generator itself took for each. */
interface Way {
  readonly contender: Contender;
  readonly generatorCpuUs: number[];
}

function way(name: GeneratorOrder['way'], server: ServerProcess, generator: LimitProcess, messageBase64: string): Way {
  const generatorCpuUs: number[] = [];
  const sample = async (seconds: number) => {
    const order: GeneratorOrder = {
      way: name,
      port: server.grpcPort,
      connections,
      inFlightEach,
      seconds,
      messageBase64,
    };
    const before = await cpuMicroseconds(server.pid);
    const run = await generator.ask<GeneratorRun>(order);
    const cpuUs = ((await cpuMicroseconds(server.pid)) - before) / run.requests;
    generatorCpuUs.push(run.cpuUs / run.requests);
    return { rate: run.requests / run.seconds, p50Us: null, p99Us: null, cpuUs };
  };
  return { contender: { name, sample }, generatorCpuUs };
}

/** Messages on one stream of each connection, and a call for each message: our generator for both, as much in flight. */
export async function setUpStreams(contest: Contest): Promise<Match> {
  const server = await contest.grpcServer('conch', await contest.repository('models', 'bench/models/simple_b64'));
  const message = inferRequest(await modelMetadata(server.httpPort, 'simple_b64'));
  const generator = contest.limit('../grpc/generator.js');
  const base64 = Buffer.from(message).toString('base64');
  const ways = (['stream', 'unary'] as const).map((name) => way(name, server, generator, base64));
  return {
    contenders: ways.map(({ contender }) => contender),
    comparisons: [
      {
        label: 'stream / unary, throughput',
        of: 'stream',
        to: 'unary',
        value: 'rate',
        target: { is: 'at least', value: 1.3 },
      },
    ],
    servers: [server],
    hasLargeRows: false,
    async facts() {
      await assertNoFailures(server);
      return ways.map(generatorFact);
    },
  };
}

function generatorFact({ contender, generatorCpuUs }: Way): Fact {
  const label = `generator of ${contender.name}: CPU each`;
  return { label, value: quartiles(generatorCpuUs).median, unit: 'us', target: null };
}
