import { binaryRequest, rowsOf } from '../core/bodies.js';
import { type Contest, loaded, modelMetadata, probe, sideOf } from '../core/contest.js';
import type { Comparison } from '../core/report.js';
import { type Match, matchSuite, type Suite } from '../core/suite.js';
import { H2Load } from '../grpc/h2load.js';
import { inferRequest, unaryPath, unaryRequest } from '../grpc/messages.js';
import { h2loaded, probedServer } from '../grpc/sides.js';
import { v1Message, v1Path, v1Request } from './requests.js';

const MODEL = 'simple_b64';

const comparisons: readonly Comparison[] = [
  { label: 'V1 / V2, requests per second', of: 'V1', to: 'V2', value: 'rate', target: null },
  { label: 'V1 / V2, CPU time for each', of: 'V1', to: 'V2', value: 'cpuUs', target: null },
];

/** The same tensors over both protocols, to one server. */
function httpSuite(connections: number): Suite {
  return matchSuite(`http-${connections}`, async (contest: Contest): Promise<Match> => {
    const server = await contest.server('net', await contest.repository('models', `bench/models/${MODEL}`));
    const model = await modelMetadata(server.httpPort, MODEL);
    const contenders = [];
    for (const [name, request] of [
      ['V2', binaryRequest(model)],
      ['V1', v1Request(model)],
    ] as const) {
      await probe(server.httpPort, request);
      contenders.push(loaded(name, sideOf(server), await contest.load(name, request), connections));
    }
    return { contenders, comparisons, servers: [server], hasLargeRows: false };
  });
}

function grpcSuite(connections: number, streams: number): Suite {
  return matchSuite(`grpc-${connections}x${streams}`, async (contest: Contest): Promise<Match> => {
    const server = await contest.grpcServer('conch', await contest.repository('models', `bench/models/${MODEL}`));
    const model = await modelMetadata(server.httpPort, MODEL);
    const contenders = [];
    for (const [name, path, message] of [
      ['V2', unaryPath, inferRequest(model)],
      ['V1', v1Path, v1Message(model)],
    ] as const) {
      const side = await probedServer(server, message, path);
      // An error of V1 is an answer too, but without tensors.
      const tensorBytes = rowsOf(model).reduce((sum, { bytes }) => sum + bytes.length, 0);
      if (side.answerBytes < tensorBytes)
        throw new Error(`${name} answered ${side.answerBytes} bytes, without tensors`);
      const load = await H2Load.create({ ...unaryRequest(message), path }, contest.directory, name);
      contenders.push(h2loaded(name, side, load, { connections, streams }));
    }
    return { contenders, comparisons, servers: [server], hasLargeRows: false };
  });
}

export const v1Suites: readonly Suite[] = [httpSuite(1), httpSuite(64), grpcSuite(1, 1), grpcSuite(8, 8)];
