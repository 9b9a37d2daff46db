import { setTimeout as sleep } from 'node:timers/promises';
import type { Contest } from '../core/contest.js';
import { Random } from '../load/random.js';
import { ObservedServer } from './observed-server.js';
import { SoakClient, type SoakSurroundings } from './soak-client.js';
import { SequenceIds } from './soak-sequence.js';
import { Tally } from './tally.js';

export interface SoakOptions {
  readonly seconds: number;
  /** Live at the same time, over all connections. */
  readonly sequences: number;
  /** Half of them of gRPC, half WebSockets. */
  readonly connections: number;
  readonly seed: number;
}

export interface SoakResult {
  readonly table: readonly (readonly [string, string])[];
  /** Empty = all is well. */
  readonly wrongs: readonly string[];
}

const TICK_MS = 20;
const OBSERVE_MS = 1000;
/** For the last answers, with a backlog that idle sequences hold up. */
const ENDING_MS = 30_000;
/** `max_sequence_idle_microseconds` of the model, and some more. */
const IDLE_MS = 5000 + 3000;
/** Shorter ones only print their memory: V8 grows to its size. */
const MEMORY_JUDGED_SECONDS = 60;
const MOST_GROWTH = 1.1;
/** Of rows: one that is open, and spare ones. An idle model keeps no more. */
const MOST_BLOCKS = 1 + 4;

/** Lets clients of all kinds loose on a server, and looks whether it is as it was when they are gone. */
export async function soak(contest: Contest, options: SoakOptions): Promise<SoakResult> {
  const process = await contest.grpcServer('conch', await contest.repository('models', 'bench/models/soak'));
  const server = new ObservedServer(process);
  const random = new Random(options.seed);
  const tally = new Tally();
  const port = { grpc: process.grpcPort, ws: process.httpPort };
  const surroundings: SoakSurroundings = { port, random, ids: new SequenceIds(random), tally };
  const idleBytes = await tensorMemoryWhenIdle(server, surroundings);
  const clients = Array.from({ length: options.connections }, (_, nth) => {
    const way = nth % 2 === 0 ? 'grpc' : 'ws';
    return new SoakClient(way, options.sequences / options.connections, surroundings);
  });
  for (const client of clients) await client.open();
  await run(clients, server, tally, options.seconds * 1000);
  for (const client of clients) client.stop();
  await finish(clients, tally);
  await checkEnd(server, tally, idleBytes);
  checkMemory(server, tally, options.seconds);
  return { table: await tableOf(server, tally, surroundings.ids), wrongs: tally.wrongs };
}

/** The one block of rows of a model that has run one request, in bytes. */
async function tensorMemoryWhenIdle(server: ObservedServer, surroundings: SoakSurroundings): Promise<number> {
  const client = new SoakClient('grpc', 1, surroundings);
  await client.open();
  client.stop();
  await finish([client], surroundings.tally);
  return (await server.observe()).tensorMemoryBytes;
}

/** Until the time is up, or something is wrong. */
async function run(clients: readonly SoakClient[], server: ObservedServer, tally: Tally, ms: number): Promise<void> {
  const begin = Date.now();
  let nextObservation = begin;
  for (let now = begin; now - begin < ms && tally.wrongs.length === 0; now = Date.now()) {
    for (const client of clients) client.tick(now);
    if (now >= nextObservation) {
      nextObservation += OBSERVE_MS;
      await server.noteMemory();
      await server.liveIds();
    }
    await sleep(TICK_MS);
  }
}

async function finish(clients: readonly SoakClient[], tally: Tally): Promise<void> {
  const begin = Date.now();
  while (tally.wrongs.length === 0) {
    const left = clients.filter(({ isDone }) => !isDone);
    if (left.length === 0) return;
    if (Date.now() - begin > ENDING_MS) tally.wrong(`${left.length} clients are not answered after ${ENDING_MS} ms`);
    for (const client of left) client.tick(Date.now());
    await sleep(TICK_MS);
  }
}

/** All sequences that nobody goes on with end by being idle; then nothing may be left. */
async function checkEnd(server: ObservedServer, tally: Tally, idleBytes: number): Promise<void> {
  const begin = Date.now();
  let ids = await server.liveIds();
  while (ids.length > 0 && Date.now() - begin < IDLE_MS) {
    await sleep(100);
    ids = await server.liveIds();
  }
  if (ids.length > 0) tally.wrong(`${ids.length} sequences are live ${IDLE_MS} ms after the end, among them ${ids[0]}`);
  const { live, started, ended, pending, tensorMemoryBytes } = await server.observe();
  const over = [...ended.values()].reduce((sum, count) => sum + count, 0);
  for (const [place, count] of live) if (count !== 0) tally.wrong(`conch_sequences_live of ${place} is ${count}`);
  if (over !== started) tally.wrong(`${started} sequences have started, ${over} have ended`);
  if (pending !== 0) tally.wrong(`${pending} requests are pending`);
  const mostBytes = idleBytes * MOST_BLOCKS;
  if (tensorMemoryBytes > mostBytes)
    tally.wrong(`${tensorMemoryBytes} bytes of tensor memory are in use, expected ${mostBytes} at most`);
  for (const line of server.complaints) tally.wrong(`the log says ${line}`);
}

function checkMemory(server: ObservedServer, tally: Tally, seconds: number): void {
  const { firstHalf, secondHalf } = server.memory;
  if (seconds < MEMORY_JUDGED_SECONDS || secondHalf <= firstHalf * MOST_GROWTH) return;
  tally.wrong(`resident memory grew from ${mib(firstHalf)} in the first half to ${mib(secondHalf)} in the second`);
}

async function tableOf(server: ObservedServer, tally: Tally, ids: SequenceIds): Promise<(readonly [string, string])[]> {
  const { started, ended } = await server.observe();
  const { firstHalf, secondHalf, last } = server.memory;
  const whole = (value: number) => value.toLocaleString('en-US');
  return [
    ...[...tally.counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => [name, whole(count)] as const),
    ['sequence: id of another used again', whole(ids.reused)],
    ['server: sequences begun', whole(started)],
    ...[...ended].map(([reason, count]) => [`server: ended, ${reason}`, whole(count)] as const),
    ['server: most in slots', whole(server.mostInSlots)],
    ['server: most in the backlog', whole(server.mostInBacklog)],
    ['server: memory, median of the first half', mib(firstHalf)],
    ['server: memory, median of the second half', mib(secondHalf)],
    ['server: memory, last', mib(last)],
  ];
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
