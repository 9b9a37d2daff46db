import { binaryRequest, jsonRequest, type ModelMetadata } from '../core/bodies.js';
import { assertNoFailures, type Contest, modelMetadata, probe } from '../core/contest.js';
import { type GeneratedLoad, generated, generatorFact } from '../core/generated.js';
import type { LimitProcess } from '../core/limit-process.js';
import type { Comparison } from '../core/report.js';
import { matchSuite, type Suite } from '../core/suite.js';
import type { LoadRequest } from '../core/wrk.js';
import type { ServerProcess } from '../server/server-process.js';
import { type GeneratorOrder, ID_DIGITS } from './generator-order.js';

const webSockets = 8;

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
): GeneratedLoad {
  const connections = name === 'ws' ? webSockets : inFlight;
  const load = { connections, inFlightEach: inFlight / connections, ...withId(request) };
  const order: Omit<GeneratorOrder, 'seconds'> = { way: name, port: server.httpPort, ...load };
  return generated(`${name} ${server.engine}`, server, generator, order);
}

/** Over 8 WebSockets, and over as many connections of HTTP as there are requests in flight: our generator for both. */
function suite(name: string, inFlight: number, requestOf: (model: ModelMetadata) => LoadRequest): Suite {
  return matchSuite(name, async (contest: Contest) => {
    const repository = await contest.repository('models', 'bench/models/simple_b64');
    const generator = contest.limit('../ws/generator.js');
    const ways: GeneratedLoad[] = [];
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

export const wsSuites: readonly Suite[] = [
  suite('binary-64', 64, binaryRequest),
  suite('binary-256', 256, binaryRequest),
  suite('json-64', 64, jsonRequest),
];
