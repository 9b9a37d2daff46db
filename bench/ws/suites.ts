import { binaryRequest, jsonRequest, type ModelMetadata } from '../core/bodies.js';
import { assertNoFailures, type Contest, modelMetadata, probe } from '../core/contest.js';
import type { LimitProcess } from '../core/limit-process.js';
import { cpuMicroseconds } from '../core/proc.js';
import type { Comparison, Fact } from '../core/report.js';
import { type Contender, quartiles } from '../core/rounds.js';
import type { ServerProcess } from '../core/server-process.js';
import { matchSuite, type Suite } from '../core/suite.js';
import type { LoadRequest } from '../core/wrk.js';
import { type GeneratorOrder, type GeneratorRun, ID_DIGITS } from './generator-order.js';

const webSockets = 8;

/** A way to send the same requests, with what the generator itself took for each. */
interface Way {
  readonly contender: Contender;
  readonly generatorCpuUs: number[];
}

/** The body with an id for the generator to fill in, and how much of it is JSON in front of tensors. */
function withId({ path, headers, body }: LoadRequest): Pick<GeneratorOrder, 'path' | 'headBytes' | 'bodyBase64'> {
  const idMember = `"id":"${'0'.repeat(ID_DIGITS)}",`;
  const bytes = Buffer.concat([Buffer.from(`{${idMember}`), body.subarray(1)]);
  const length = headers['Inference-Header-Content-Length'];
  const headBytes = length === undefined ? 0 : Number(length) + idMember.length;
  return { path, headBytes, bodyBase64: bytes.toString('base64') };
}

function way(
  name: GeneratorOrder['way'],
  inFlight: number,
  server: ServerProcess,
  generator: LimitProcess,
  request: LoadRequest,
): Way {
  const generatorCpuUs: number[] = [];
  const connections = name === 'ws' ? webSockets : inFlight;
  const load = { connections, inFlightEach: inFlight / connections, ...withId(request) };
  const sample = async (seconds: number) => {
    const before = await cpuMicroseconds(server.pid);
    const order: GeneratorOrder = { way: name, port: server.httpPort, seconds, ...load };
    const run = await generator.ask<GeneratorRun>(order);
    const cpuUs = ((await cpuMicroseconds(server.pid)) - before) / run.requests;
    generatorCpuUs.push(run.cpuUs / run.requests);
    return { rate: run.requests / run.seconds, p50Us: null, p99Us: null, cpuUs };
  };
  return { contender: { name: `${name} ${server.engine}`, sample }, generatorCpuUs };
}

/** Over 8 WebSockets, and over as many connections of HTTP as there are requests in flight: our generator for both. */
function suite(name: string, inFlight: number, requestOf: (model: ModelMetadata) => LoadRequest): Suite {
  return matchSuite(name, async (contest: Contest) => {
    const repository = await contest.repository('models', 'bench/models/simple_b64');
    const generator = contest.limit('../ws/generator.js');
    const ways: Way[] = [];
    const servers: ServerProcess[] = [];
    for (const engine of contest.options.engines) {
      const server = await contest.server(engine, repository);
      const request = requestOf(await modelMetadata(server.httpPort, 'simple_b64'));
      await probe(server.httpPort, request);
      servers.push(server);
      ways.push(...(['ws', 'http'] as const).map((each) => way(each, inFlight, server, generator, request)));
    }
    return {
      contenders: ways.map(({ contender }) => contender),
      comparisons: servers.map(({ engine }) => comparison(engine)),
      servers,
      hasLargeRows: false,
      async facts() {
        for (const server of servers) await assertNoFailures(server);
        return ways.map(generatorFact);
      },
    };
  });
}

function comparison(engine: string): Comparison {
  const [of, to] = [`ws ${engine}`, `http ${engine}`];
  return { label: `${of} / ${to}, throughput`, of, to, value: 'rate', target: { is: 'at least', value: 1.3 } };
}

function generatorFact({ contender, generatorCpuUs }: Way): Fact {
  const label = `generator of ${contender.name}: CPU each`;
  return { label, value: quartiles(generatorCpuUs).median, unit: 'us', target: null };
}

export const wsSuites: readonly Suite[] = [
  suite('binary-64', 64, binaryRequest),
  suite('binary-256', 256, binaryRequest),
  suite('json-64', 64, jsonRequest),
];
