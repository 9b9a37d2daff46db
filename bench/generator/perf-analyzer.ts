import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Contender, Sample } from '../core/rounds.js';
import { type Match, matchSuite, type Suite } from '../core/suite.js';
import type { LoadReport } from '../load/report.js';
import { cpuMicroseconds } from '../server/proc.js';
import type { ServerProcess } from '../server/server-process.js';

const MODEL = 'simple_b64';

/** Three windows, whatever they say. */
const WINDOWS = 3;

/** Both load the real server over a protocol, as their users would call them; latencies and rate are what they print. */
export function perfAnalyzerSuite(program: string, protocol: 'http' | 'grpc', concurrency: number): Suite {
  return matchSuite(`perf-analyzer-${protocol}-${concurrency}`, async (contest): Promise<Match> => {
    const repository = await contest.repository('repository', `bench/models/${MODEL}`);
    const server = await contest.grpcServer('conch', repository);
    const port = protocol === 'grpc' ? server.grpcPort : server.httpPort;
    const common = ['-m', MODEL, '-u', `127.0.0.1:${port}`, '-i', protocol];
    const load = ['--concurrency-range', String(concurrency)];
    const contenders = [
      perfAnalyzer(server, program, [...common, ...load, '--async']),
      conchBench(server, join(contest.options.root, 'dist/src/main.js'), [...common, ...load]),
    ];
    return {
      contenders,
      comparisons: [
        {
          label: 'throughput, conch bench / perf_analyzer',
          of: 'conch bench',
          to: 'perf_analyzer',
          value: 'rate',
          target: { is: 'at least', value: 1 },
        },
      ],
      servers: [],
      hasLargeRows: false,
    };
  });
}

function perfAnalyzer(server: ServerProcess, program: string, flags: readonly string[]): Contender {
  return contender('perf_analyzer', server, async (seconds) => {
    const windows = ['-p', String(Math.round((seconds * 1000) / WINDOWS)), '-r', String(WINDOWS), '-s', '999'];
    const { stdout } = await promisify(execFile)(program, [...flags, ...windows, '--percentile', '99']);
    const read = (pattern: RegExp) => {
      const match = pattern.exec(stdout);
      if (match === null) throw new Error(`perf_analyzer printed no ${pattern.source}:\n${stdout}`);
      return Number(match[1]);
    };
    return {
      rate: read(/Throughput: ([0-9.]+) infer\/sec/),
      p50Us: read(/p50 latency: ([0-9]+) usec/),
      p99Us: read(/p99 latency: ([0-9]+) usec/),
    };
  });
}

function conchBench(server: ServerProcess, mainFile: string, flags: readonly string[]): Contender {
  return contender('conch bench', server, async (seconds) => {
    const folder = await mkdtemp(join(tmpdir(), 'conch-bench-'));
    try {
      const file = join(folder, 'report.json');
      const windows = [
        '-p',
        String(Math.round((seconds * 1000) / WINDOWS)),
        '-r',
        String(WINDOWS),
        '-s',
        '999',
        '--json',
        file,
      ];
      await promisify(execFile)(process.execPath, [mainFile, 'bench', ...flags, ...windows, '--quiet']);
      const [result] = (JSON.parse(await readFile(file, 'utf8')) as LoadReport).results;
      const { throughput, latency } = result!;
      return { rate: throughput, p50Us: latency.percentiles[50]!, p99Us: latency.percentiles[99]! };
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}

/** CPU time is that of the server; start and warm-up of the generator are in it. */
function contender(
  name: string,
  { pid }: ServerProcess,
  run: (seconds: number) => Promise<Omit<Sample, 'cpuUs'>>,
): Contender {
  return {
    name,
    async sample(seconds) {
      const before = await cpuMicroseconds(pid);
      const sample = await run(seconds);
      return { ...sample, cpuUs: ((await cpuMicroseconds(pid)) - before) / (sample.rate * seconds) };
    },
  };
}
