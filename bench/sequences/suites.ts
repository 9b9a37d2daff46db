import { rowsOf } from '../core/bodies.js';
import { assertNoFailures, type Contest, modelMetadata } from '../core/contest.js';
import { type GeneratedLoad, generated, generatorFact } from '../core/generated.js';
import type { LimitProcess } from '../core/limit-process.js';
import type { Comparison, Target } from '../core/report.js';
import { type Match, matchSuite, type Suite } from '../core/suite.js';
import type { ServerProcess } from '../server/server-process.js';
import type { Way } from './channel.js';
import type { GeneratorOrder } from './generator-order.js';

const connections = 8;
const generatorScript = '../sequences/generator.js';

type Load = Pick<GeneratorOrder, 'way' | 'state' | 'first' | 'restBytes'> & {
  readonly live: number;
  /** Left out = small numbers. */
  readonly firstInput?: Uint8Array;
};

async function load(
  name: string,
  model: string,
  server: ServerProcess,
  generator: LimitProcess,
  { way, live, firstInput, ...form }: Load,
): Promise<GeneratedLoad> {
  const metadata = await modelMetadata(server.httpPort, model);
  const order: Omit<GeneratorOrder, 'seconds'> = {
    ...form,
    way,
    model,
    port: way === 'grpc' ? server.grpcPort : server.httpPort,
    connections,
    inFlightEach: live / connections,
    inputs: rowsOf(metadata).map(({ head, bytes }, nth) => ({
      ...head,
      base64: Buffer.from(nth === 0 ? (firstInput ?? bytes) : bytes).toString('base64'),
    })),
    outputs: metadata.outputs.map(({ name }) => name),
  };
  return generated(name, server, generator, order);
}

function match(server: ServerProcess, loads: readonly GeneratedLoad[], comparisons: readonly Comparison[]): Match {
  return {
    contenders: loads.map(({ contender }) => contender),
    comparisons,
    // Where the rows of a batch lie depends on who answers first.
    servers: [],
    hasLargeRows: false,
    async facts() {
      await assertNoFailures(server);
      await assertNoSequences(server);
      return loads.map(generatorFact);
    },
  };
}

function against(of: string, to: string, target: Target | null): Comparison {
  return { label: `${of} / ${to}, throughput`, of, to, value: 'rate', target };
}

/** All have ended by their END flag. */
async function assertNoSequences(server: ServerProcess): Promise<void> {
  const page = await (await fetch(`http://127.0.0.1:${server.metricsPort}/metrics`)).text();
  const left = page.split('\n').filter((line) => /^conch_sequences_live\{.*\} [^0]/.test(line));
  const early = page
    .split('\n')
    .filter((line) => /^conch_sequences_ended_total\{.*\} [^0]/.test(line) && !line.includes('reason="end"'));
  if (left.length + early.length > 0)
    throw new Error(`sequences are left, or ended early: ${[...left, ...early].join('\n')}`);
}

/** Steps of so many live sequences, beside as many requests of a model without, with the same tensors. */
function liveSuite(way: Way, live: number): Suite {
  return matchSuite(`${way}-${live}`, async (contest: Contest) => {
    const strategies = ['direct', 'oldest'] as const;
    const models = strategies.map((strategy) => `running_sum_${strategy}_${live}`);
    const folders = ['simple_b64', ...models].map((model) => `bench/models/${model}`);
    const server = await contest.grpcServer('conch', await contest.repository('models', ...folders));
    const generator = contest.limit(generatorScript);
    const sums = Array.from({ length: 16 }, (_, index) => 2 * (index % 7));
    const form = { way, live, first: { datatype: 'INT32', values: sums }, restBytes: 64 } as const;
    const loads = [await load('stateless', 'simple_b64', server, generator, { ...form, state: 'none' })];
    for (const [nth, strategy] of strategies.entries()) {
      loads.push(await load(strategy, models[nth]!, server, generator, { ...form, state: 'server' }));
    }
    return match(
      server,
      loads,
      strategies.map((strategy) => against(strategy, 'stateless', { is: 'at least', value: 0.7 })),
    );
  });
}

/** State that the server keeps, beside the same state as a tensor that the client sends and is sent. */
function stateSuite(size: string, elements: number): Suite {
  return matchSuite(`state-${size}`, async (contest: Contest) => {
    const folders = ['kept', 'carried'].map((kind) => `bench/models/state_${size}_${kind}`);
    const server = await contest.server('net', await contest.repository('models', ...folders));
    const generator = contest.limit(generatorScript);
    const firstInput = new Uint8Array(Float32Array.of(1).buffer);
    const form = { way: 'ws', live: 64, first: { datatype: 'FP32', values: [1] }, firstInput } as const;
    const loads = [
      await load('kept', `state_${size}_kept`, server, generator, { ...form, state: 'server', restBytes: 0 }),
      await load('carried', `state_${size}_carried`, server, generator, {
        ...form,
        state: 'client',
        restBytes: 4 * elements,
      }),
    ];
    return match(server, loads, [against('kept', 'carried', null)]);
  });
}

export const sequenceSuites: readonly Suite[] = [
  liveSuite('grpc', 64),
  liveSuite('grpc', 512),
  liveSuite('ws', 64),
  liveSuite('ws', 512),
  stateSuite('4k', 1024),
  stateSuite('64k', 16_384),
];
