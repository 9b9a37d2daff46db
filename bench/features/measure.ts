import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Answer, type BenchOptions, Contest, loaded, modelMetadata, probe, sideOf } from '../core/contest.js';
import { type Contender, runRounds, type Sample, turnOrder } from '../core/rounds.js';
import { H2Load } from '../grpc/h2load.js';
import { inferRequest, unaryRequest } from '../grpc/messages.js';
import { h2loaded, probedServer } from '../grpc/sides.js';
import type { ServerProcess } from '../server/server-process.js';
import type { Feature, FeatureSide, Place } from './feature.js';
import { SpanReceiver } from './span-receiver.js';

export interface MeasureOptions extends BenchOptions {
  /** Of each server, before the rounds. Code that runs for one request of a thousand takes tens of seconds to be compiled. */
  readonly warmUpSeconds: number;
}

/** What both servers of each pair did: the geometric means of its rounds. */
export interface Measured {
  readonly feature: Feature;
  readonly on: readonly Sample[];
  readonly off: readonly Sample[];
}

interface Started {
  readonly server: ServerProcess;
  readonly contender: Contender;
  /** Of a request over HTTP. */
  readonly answer: Answer;
}

/**
 * Pairs of servers of this build, one with the feature and one without, each pair started anew: two processes with the same flags differ
 * by some percent for as long as they live. Throws where a request failed, or the feature was not on.
 */
export async function measure(feature: Feature, pairs: number, options: MeasureOptions): Promise<Measured> {
  const on: Sample[] = [];
  const off: Sample[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const samples = await measurePair(feature, pair, options);
    on.push(meanOf(samples.get('on')!));
    off.push(meanOf(samples.get('off')!));
  }
  return { feature, on, off };
}

async function measurePair(feature: Feature, pair: number, options: MeasureOptions): Promise<Map<string, Sample[]>> {
  const contest = await Contest.open(options);
  const receiver = await SpanReceiver.start();
  const { directory } = contest;
  const place: Place = { directory, spansUrl: receiver.url, spanRequests: () => receiver.requests };
  try {
    const started = new Map<string, Started>();
    for (const name of turnOrder(['on', 'off'] as const, pair)) {
      started.set(name, await start(contest, feature, name, feature[name](place)));
    }
    const contenders = [...started.values()].map(({ contender }) => contender);
    await runRounds(contenders, 1, options.warmUpSeconds);
    const samples = await runRounds(contenders, options.rounds, options.seconds);
    const { server, answer } = started.get('on')!;
    await feature.proof?.(server, place, answer);
    return samples;
  } finally {
    await contest.close();
    receiver.close();
  }
}

function meanOf(samples: readonly Sample[]): Sample {
  const mean = (value: 'rate' | 'cpuUs') =>
    Math.exp(samples.reduce((sum, sample) => sum + Math.log(sample[value]), 0) / samples.length);
  return { rate: mean('rate'), cpuUs: mean('cpuUs'), p50Us: null, p99Us: null };
}

async function start(contest: Contest, feature: Feature, name: string, side: FeatureSide): Promise<Started> {
  const { model, connections, protocol } = feature;
  const repository = await contest.repository(name, `bench/models/${model}`);
  await appendFile(join(repository, model, 'config.pbtxt'), `\n${side.config}\n`);
  const server = await contest.featureServer(repository, side.flags);
  const metadata = await modelMetadata(server.httpPort, model);
  const request = side.request(metadata);
  await side.prepare?.(server);
  const answer = await probe(server.httpPort, request);
  if (protocol === 'http') {
    const load = await contest.load(name, request);
    return { server, answer, contender: loaded(name, sideOf(server), load, connections) };
  }
  const message = inferRequest(metadata);
  const load = await H2Load.create(unaryRequest(message), contest.directory, name);
  const width = { connections, streams: connections };
  return { server, answer, contender: h2loaded(name, await probedServer(server, message), load, width) };
}
