import { binaryRequest } from '../core/bodies.js';
import { type Contest, loaded, modelMetadata, probe, sideOf } from '../core/contest.js';
import { type Match, matchSuite, type Suite } from '../core/suite.js';
import { chainOf } from './chain.js';

/** An ensemble of `links` models against the first of them, on one server and with the same connections. */
function chainSuite(links: number, connections: number): Suite {
  return matchSuite(`chain-${links}-${connections}`, async (contest: Contest): Promise<Match> => {
    const { repository, ensemble, link } = await chainOf(links, contest);
    const server = await contest.server('net', repository);
    const contenders = [];
    for (const [name, model] of [
      ['model', link],
      ['chain', ensemble],
    ] as const) {
      const load = await contest.load(name, binaryRequest(await modelMetadata(server.httpPort, model)));
      await probe(server.httpPort, load.request);
      contenders.push(loaded(name, sideOf(server), load, connections));
    }
    const target = { is: 'at least', value: 0.65 } as const;
    return {
      contenders,
      comparisons: [{ label: 'chain / model, throughput', of: 'chain', to: 'model', value: 'rate', target }],
      servers: [server],
      // Batches of two of a step's make one of the next, which has to be gathered: there is no target for that.
      hasLargeRows: true,
    };
  });
}

export const pipelineSuites: readonly Suite[] = [chainSuite(3, 64), chainSuite(3, 16), chainSuite(3, 256)];
