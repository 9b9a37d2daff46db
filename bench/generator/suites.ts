import type { LimitServerOrder } from '../core/limit-process.js';
import type { Comparison } from '../core/report.js';
import { type Match, matchSuite, type Suite } from '../core/suite.js';
import { ourContender, wrkContender } from './contenders.js';
import { perfAnalyzerSuite } from './perf-analyzer.js';

/** As of a small inference: two tensors of 16 INT32 with their head. */
const REQUEST = {
  path: '/v2/models/echo/infer',
  headers: { 'Content-Type': 'application/octet-stream' },
  body: Buffer.alloc(400, 1),
};
const ANSWER = Buffer.alloc(300, 2);

/** Generators against a bare server that answers at once, or after so many milliseconds. */
function generatorSuite(name: string, connections: number, delayMs: number, comparisons: readonly Comparison[]): Suite {
  return matchSuite(name, async (contest): Promise<Match> => {
    const order: LimitServerOrder = {
      kind: 'fixed',
      headers: ['Content-Type', 'application/octet-stream'],
      bodyBase64: ANSWER.toString('base64'),
      delayMs,
    };
    const { port } = await contest.limitServer('./uws-limit.js', order);
    const load = await contest.load(name, REQUEST);
    const child = contest.limit('../generator/child.js');
    const contenders = [wrkContender(load, port, connections), ourContender(child, REQUEST, port, connections)];
    return { contenders, comparisons, servers: [], hasLargeRows: false };
  });
}

const cpu: Comparison = {
  label: 'requests per CPU second, conch bench / wrk',
  of: 'wrk',
  to: 'conch bench',
  value: 'cpuUs',
  target: { is: 'at least', value: 0.7 },
};

function latency(value: 'p50Us' | 'p99Us'): Comparison[] {
  const label = `${value.slice(0, 3)}, conch bench / wrk`;
  const sides = { of: 'conch bench', to: 'wrk', value } as const;
  return [
    { label, ...sides, target: { is: 'at least', value: 0.9 } },
    { label, ...sides, target: { is: 'at most', value: 1.1 } },
  ];
}

/** Where NVIDIA's program is; left out = it is not compared with. */
const { PERF_ANALYZER } = process.env;

export const generatorSuites: readonly Suite[] = [
  generatorSuite('echo-64', 64, 0, [cpu]),
  generatorSuite('echo-1', 1, 0, [cpu]),
  generatorSuite('delay-2ms-16', 16, 2, [...latency('p50Us'), ...latency('p99Us')]),
  generatorSuite('delay-20ms-64', 64, 20, [...latency('p50Us'), ...latency('p99Us')]),
  ...(PERF_ANALYZER === undefined ? [] : perfAnalyzerSuites(PERF_ANALYZER)),
];

function perfAnalyzerSuites(program: string): Suite[] {
  return [16, 64].flatMap((concurrency) => [
    perfAnalyzerSuite(program, 'http', concurrency),
    perfAnalyzerSuite(program, 'grpc', concurrency),
  ]);
}
