import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { binaryRequest } from '../core/bodies.js';
import { assertNoFailures, loaded, modelMetadata, probe, sideOf } from '../core/contest.js';
import type { Sample } from '../core/rounds.js';
import { WrkLoad } from '../core/wrk.js';
import { type Engine, ServerProcess } from '../server/server-process.js';
import type { Checkout } from './checkout.js';
import { type Comparison, type Figure, type SideName, sidesInOrder } from './rounds.js';

const MODEL = 'simple_b64';
const CONNECTIONS = 64;
const WARM_UP_SECONDS = 2;

export interface LoadOrder {
  /** Of the working tree, whose model both sides serve. */
  readonly root: string;
  /** A folder for what is needed meanwhile. */
  readonly directory: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly engine: Engine;
}

/** Both servers under the same load, round by round: each time a fresh one, and only one at a time. */
export async function compareLoad(
  sides: Readonly<Record<SideName, Checkout>>,
  order: LoadOrder,
  onRound: (done: number) => void,
): Promise<Comparison> {
  const repository = join(order.directory, 'models');
  mkdirSync(repository);
  cpSync(join(order.root, 'bench/models', MODEL), join(repository, MODEL), { recursive: true });
  const samples: Record<SideName, Sample[]> = { a: [], b: [] };
  for (let round = 0; round < order.rounds; round++) {
    for (const side of sidesInOrder(round)) samples[side].push(await loadOnce(sides[side], repository, order));
    onRound(round + 1);
  }
  return { figures: loadFigures(samples.a, samples.b), skipped: [] };
}

async function loadOnce(side: Checkout, repository: string, order: LoadOrder): Promise<Sample> {
  const mainFile = join(side.root, 'dist/src/main.js');
  const server = await ServerProcess.start({ mainFile, repository, engine: order.engine });
  try {
    const request = binaryRequest(await modelMetadata(server.httpPort, MODEL));
    const load = await WrkLoad.create(request, order.directory, 'load');
    await probe(server.httpPort, request);
    const contender = loaded(side.label, sideOf(server), load, CONNECTIONS);
    await contender.sample(WARM_UP_SECONDS);
    const sample = await contender.sample(order.seconds);
    await assertNoFailures(server);
    return sample;
  } finally {
    await server.stop();
  }
}

export function loadFigures(a: readonly Sample[], b: readonly Sample[]): Figure[] {
  const figure = (name: string, unit: string, better: Figure['better'], of: (sample: Sample) => number): Figure => ({
    name,
    unit,
    better,
    a: a.map(of),
    b: b.map(of),
  });
  return [
    figure('rate', '1/s', 'higher', ({ rate }) => rate),
    figure('CPU time of a request', 'us', 'lower', ({ cpuUs }) => cpuUs),
    figure('p50', 'us', 'lower', ({ p50Us }) => p50Us ?? Number.NaN),
    figure('p99', 'us', 'lower', ({ p99Us }) => p99Us ?? Number.NaN),
  ];
}
