import { assertNoFailures, type Contest, modelMetadata } from '../core/contest.js';
import { generated, generatorFact } from '../core/generated.js';
import type { Match } from '../core/suite.js';
import type { GeneratorOrder } from './generator-order.js';
import { inferRequest } from './messages.js';

const connections = 8;
const inFlightEach = 8;

/** Messages on one stream of each connection, and a call for each message: our generator for both, as much in flight. */
export async function setUpStreams(contest: Contest): Promise<Match> {
  const server = await contest.grpcServer('conch', await contest.repository('models', 'bench/models/simple_b64'));
  const message = inferRequest(await modelMetadata(server.httpPort, 'simple_b64'));
  const generator = contest.limit('../grpc/generator.js');
  const messageBase64 = Buffer.from(message).toString('base64');
  const load = { port: server.grpcPort, connections, inFlightEach, messageBase64 };
  const ways = (['stream', 'unary'] as const).map((way) => {
    const order: Omit<GeneratorOrder, 'seconds'> = { way, ...load };
    return generated(way, server, generator, order);
  });
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
