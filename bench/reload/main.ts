import { cp, mkdtemp, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { binaryRequest, type ModelMetadata } from '../core/bodies.js';
import { quartiles } from '../core/rounds.js';
import { packageRoot, positive } from '../core/runner.js';
import { writeDenseModel } from '../dense-model.js';
import { residentBytes } from '../server/proc.js';
import { ServerProcess } from '../server/server-process.js';
import { Caller } from './caller.js';
import { openLoop, percentile, Traffic } from './traffic.js';

const usage =
  'Usage: npm run bench:reload -- [--rounds 500] [--seconds 10] [--rate 200]. bench/README.md says what it does.';

/** Its second layer alone has 196 MB of weights. */
const LARGE_SIZES = [256, 7000, 7000, 10];
const CONNECTIONS = 4;
/** Memory is compared from this round on, by medians of as many rounds. */
const SETTLED_ROUND = 100;

interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly rate: number;
}

function parseCommandLine(): Options {
  try {
    const text = (value: string) => ({ type: 'string' as const, default: value });
    const { values } = parseArgs({ options: { rounds: text('500'), seconds: text('10'), rate: text('200') } });
    const number = (name: keyof Options) => positive(`--${name}`, values[name]);
    return { rounds: number('rounds'), seconds: number('seconds'), rate: number('rate') };
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    process.exit(1);
  }
}

/** A server in mode explicit with its repository, as its operators use it. */
class ControlledServer {
  readonly server: ServerProcess;
  readonly repository: string;

  private constructor(server: ServerProcess, repository: string) {
    this.server = server;
    this.repository = repository;
  }

  /** `reloaded` and `steady` are loaded; `visitor` and `large` are not. */
  static async start(): Promise<ControlledServer> {
    const repository = await mkdtemp(join(tmpdir(), 'conch-reload-'));
    const simple = join(packageRoot, 'examples/models/simple');
    for (const name of ['reloaded', 'steady', 'visitor'])
      await cp(join(simple, '1'), join(repository, name, '1'), { recursive: true });
    await writeDenseModel(join(repository, 'large'), LARGE_SIZES);
    const flags = ['--model-control-mode=explicit', '--load-model=reloaded', '--load-model=steady'];
    const mainFile = join(packageRoot, 'dist/src/main.js');
    const server = await ServerProcess.start({ mainFile, repository, engine: 'net', flags });
    return new ControlledServer(server, repository);
  }

  async control(model: string, action: 'load' | 'unload'): Promise<void> {
    const url = `http://127.0.0.1:${this.server.httpPort}/v2/repository/models/${model}/${action}`;
    const response = await fetch(url, { method: 'POST' });
    if (response.status !== 200) throw new Error(`${action} of ${model}: ${response.status} ${await response.text()}`);
    await response.arrayBuffer();
  }

  /** Its file is new: the next load is a reload. It has stood still long enough to be taken at once. */
  async touch(model: string): Promise<void> {
    const file = join(this.repository, model, '1/model.onnx');
    const time = new Date();
    await utimes(file, time, time);
  }

  /** Resolves when nothing of a model is left of what the server tells. */
  async gone(model: string): Promise<void> {
    for (;;) {
      const response = await fetch(`http://127.0.0.1:${this.server.httpPort}/v2/repository/index`, { method: 'POST' });
      const index = (await response.json()) as { name: string; state?: string }[];
      if (index.find(({ name }) => name === model)?.state === 'UNAVAILABLE') return;
    }
  }

  async callers(model: string, count: number): Promise<Caller[]> {
    const response = await fetch(`http://127.0.0.1:${this.server.httpPort}/v2/models/${model}`);
    const request = binaryRequest((await response.json()) as ModelMetadata);
    return Promise.all(Array.from({ length: count }, () => Caller.connect(this.server.httpPort, request)));
  }

  async stop(): Promise<void> {
    await this.server.stop();
    await rm(this.repository, { recursive: true });
  }
}

/** One model is loaded anew and another one comes and goes, round by round, while requests to two models never stop. */
async function torture(conch: ControlledServer, rounds: number): Promise<void> {
  const { server } = conch;
  const traffic = new Traffic([
    ...(await conch.callers('reloaded', CONNECTIONS)),
    ...(await conch.callers('steady', 1)),
  ]);
  const residents: number[] = [];
  let slowestMs = 0;
  for (let round = 0; round < rounds; round++) {
    const begin = performance.now();
    await conch.touch('reloaded');
    await Promise.all([conch.control('reloaded', 'load'), conch.control('visitor', 'load')]);
    await conch.control('visitor', 'unload');
    await conch.gone('visitor');
    slowestMs = Math.max(slowestMs, performance.now() - begin);
    residents.push(await residentBytes(server.pid));
  }
  await traffic.stop();
  const [settled, last] = [residents.slice(SETTLED_ROUND, 2 * SETTLED_ROUND), residents.slice(-SETTLED_ROUND)].map(
    median,
  );
  const most = Math.max(...residents.slice(SETTLED_ROUND));
  console.log(`${rounds} rounds: one model loaded anew, another loaded and unloaded, with requests to two models`);
  console.log(`  requests            ${traffic.answered}`);
  console.log(`  failed              ${traffic.failures.length}   (to be 0)`);
  for (const failure of traffic.failures.slice(0, 5)) console.log(`    ${failure}`);
  console.log(`  worst answer        ${traffic.worstMs.toFixed(1)} ms`);
  console.log(`  slowest round       ${slowestMs.toFixed(0)} ms`);
  if (settled !== undefined && last !== undefined) {
    const grown = ((last / settled - 1) * 100).toFixed(1);
    console.log(`  memory              ${megabytes(settled)} in rounds 101 to 200, ${megabytes(last)} in the last 100`);
    console.log(`  grown by            ${grown} %   (to be at most 5 %); at most it was ${megabytes(most)}`);
  }
  if (traffic.failures.length > 0) process.exitCode = 1;
}

/** Latency of a small model at a fixed rate, without and with a large model that is loaded and unloaded all the time, by turns. */
async function latency(conch: ControlledServer, { rate, seconds }: Options): Promise<void> {
  const callers = await conch.callers('steady', 16);
  const idle: number[] = [];
  const busy: number[] = [];
  let loads = 0;
  await openLoop(callers, rate, 2);
  for (let turn = 0; turn < 3; turn++) {
    idle.push(...(await openLoop(callers, rate, seconds)));
    let isOver = false;
    const loading = (async () => {
      for (; !isOver; loads++) {
        await conch.control('large', 'load');
        await conch.control('large', 'unload');
        await conch.gone('large');
      }
    })();
    busy.push(...(await openLoop(callers, rate, seconds)));
    isOver = true;
    await loading;
  }
  for (const caller of callers) caller.close();
  const failures = callers.flatMap((caller) => caller.failures);
  const [before, after] = [idle, busy].map((all) => all.sort((a, b) => a - b)) as [number[], number[]];
  const bound = 2 * percentile(before, 0.99) + 1;
  console.log(`\n${rate} requests/s to a small model, while a model of 200 MB was loaded and unloaded ${loads} times`);
  for (const [name, sorted] of [
    ['idle', before],
    ['loading', after],
  ] as const) {
    const at = (share: number) => percentile(sorted, share).toFixed(2);
    console.log(
      `  ${name.padEnd(10)} p50 ${at(0.5)}  p90 ${at(0.9)}  p99 ${at(0.99)}  p99.9 ${at(0.999)}  worst ${at(1)} ms`,
    );
  }
  console.log(
    `  p99 with loads ${percentile(after, 0.99).toFixed(2)} ms   (to be at most ${bound.toFixed(2)} = twice the idle one and 1 ms)`,
  );
  console.log(`  failed ${failures.length}`);
}

/** Undefined = there were not so many rounds. */
function median(values: readonly number[]): number | undefined {
  return values.length < SETTLED_ROUND ? undefined : quartiles(values).median;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

const options = parseCommandLine();
const conch = await ControlledServer.start();
try {
  await torture(conch, options.rounds);
  await latency(conch, options);
} finally {
  await conch.stop();
}
