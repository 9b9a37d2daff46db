import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Answer, type BenchOptions, Contest, loaded, modelMetadata, probe, sideOf } from '../core/contest.js';
import { type Contender, runRounds, type Sample } from '../core/rounds.js';
import { H2Load } from '../grpc/h2load.js';
import { inferRequest, unaryRequest } from '../grpc/messages.js';
import { h2loaded, probedServer } from '../grpc/sides.js';
import type { ServerProcess } from '../server/server-process.js';
import type { Feature, FeatureSide, Place } from './feature.js';
import { SpanReceiver } from './span-receiver.js';

/** What both servers did, round by round. */
export interface Measured {
  readonly feature: Feature;
  readonly on: readonly Sample[];
  readonly off: readonly Sample[];
}

const warmUpSeconds = 2;

interface Started {
  readonly server: ServerProcess;
  readonly contender: Contender;
  /** Of a request over HTTP. */
  readonly answer: Answer;
}

/** Two servers of this build, one with the feature and one without, loaded by turns. Throws where a request failed, or the feature was not on. */
export async function measure(feature: Feature, options: BenchOptions): Promise<Measured> {
  const contest = await Contest.open(options);
  const receiver = await SpanReceiver.start();
  const { directory } = contest;
  const place: Place = { directory, spansUrl: receiver.url, spanRequests: () => receiver.requests };
  try {
    const on = await start(contest, feature, 'on', feature.on(place));
    const off = await start(contest, feature, 'off', feature.off(place));
    const contenders = [on.contender, off.contender];
    await runRounds(contenders, 1, warmUpSeconds);
    const samples = await runRounds(contenders, options.rounds, options.seconds);
    await feature.proof?.(on.server, place, on.answer);
    return { feature, on: samples.get('on')!, off: samples.get('off')! };
  } finally {
    await contest.close();
    receiver.close();
  }
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
