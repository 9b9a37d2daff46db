import { setTimeout as sleep } from 'node:timers/promises';
import { cpuMicroseconds } from '../server/proc.js';
import type { ServerProcess } from '../server/server-process.js';
import type { LimitProcess } from './limit-process.js';
import type { Fact } from './report.js';
import { type Contender, quartiles } from './rounds.js';

/** What a generator of ours answers to an order. */
export interface GeneratorRun {
  readonly requests: number;
  /** Until the last answer. */
  readonly seconds: number;
  /** Of the generator itself. */
  readonly cpuUs: number;
}

/** A server under load from a generator of ours, with what the generator itself took for each request. */
export interface GeneratedLoad {
  readonly contender: Contender;
  readonly generatorCpuUs: number[];
}

/** @param order what the generator takes, but for the seconds */
export function generated(name: string, server: ServerProcess, generator: LimitProcess, order: object): GeneratedLoad {
  const generatorCpuUs: number[] = [];
  const sample = async (seconds: number) => {
    const before = await cpuMicroseconds(server.pid);
    const run = await generator.ask<GeneratorRun>({ ...order, seconds });
    const cpuUs = ((await cpuMicroseconds(server.pid)) - before) / run.requests;
    generatorCpuUs.push(run.cpuUs / run.requests);
    return { rate: run.requests / run.seconds, p50Us: null, p99Us: null, cpuUs };
  };
  return { contender: { name, sample }, generatorCpuUs };
}

export function generatorFact({ contender, generatorCpuUs }: GeneratedLoad): Fact {
  const label = `generator of ${contender.name}: CPU each`;
  return { label, value: quartiles(generatorCpuUs).median, unit: 'us', target: null };
}

/** One connection of a generator. */
export interface LoadCaller {
  readonly answered: number;
  /** Resolves when all is answered after `stop`; rejects for the first failure. */
  readonly finished: Promise<void>;
  start(inFlight: number): void;
  stop(): void;
  close(): void;
}

/** Loads the server by connections that are made one after another; rejects for the first thing that fails. */
export async function runCallers(
  open: () => Promise<LoadCaller>,
  { connections, inFlightEach, seconds }: { connections: number; inFlightEach: number; seconds: number },
): Promise<GeneratorRun> {
  const callers: LoadCaller[] = [];
  try {
    for (let nth = 0; nth < connections; nth++) callers.push(await open());
    const begin = performance.now();
    const beginCpu = process.cpuUsage();
    for (const caller of callers) caller.start(inFlightEach);
    const end = Promise.all(callers.map((caller) => caller.finished));
    await Promise.race([sleep(seconds * 1000), end]);
    for (const caller of callers) caller.stop();
    await end;
    const { user, system } = process.cpuUsage(beginCpu);
    const took = (performance.now() - begin) / 1000;
    const requests = callers.reduce((sum, { answered }) => sum + answered, 0);
    return { requests, seconds: took, cpuUs: user + system };
  } finally {
    for (const caller of callers) caller.close();
  }
}
