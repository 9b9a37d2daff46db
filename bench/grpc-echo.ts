import { type ChildProcess, execFile, fork } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type EchoServer, echoPath, echoServers, serveEcho } from './grpc-echo-servers.js';
import { cpuMicroseconds } from './server/proc.js';

/**
 * Unary echo in the form of gRPC on our HTTP/2 transport, beside node:http2 and grpc-js; each server in a process of its own,
 * `h2load` (Debian: nghttp2-client) beside it.
 *
 *     node dist/bench/grpc-echo.js [rounds] [seconds] [connections] [streams] [bytes]
 */

interface Load {
  readonly seconds: number;
  readonly connections: number;
  readonly streams: number;
  readonly bodyFile: string;
}

interface Reading {
  readonly perSecond: number;
  /** CPU time of the server per request: what neighbours on the machine disturb least. */
  readonly cpuUs: number;
}

const run = promisify(execFile);

/** 5 octets before the message: not compressed, and its length. */
function grpcFrame(bytes: number): Buffer {
  const frame = Buffer.alloc(5 + bytes, 'x');
  frame.writeUInt8(0, 0);
  frame.writeUInt32BE(bytes, 1);
  return frame;
}

async function h2load(port: number, load: Load, seconds: number): Promise<{ requests: number; perSecond: number }> {
  const size = ['-c', String(load.connections), '-m', String(load.streams), '-t', '1', '-D', String(seconds)];
  const fields = ['-H', 'content-type: application/grpc', '-H', 'te: trailers'];
  const url = `http://127.0.0.1:${port}${echoPath}`;
  const { stdout: report } = await run('h2load', [...size, ...fields, '-d', load.bodyFile, url]);
  const rate = /finished in [\d.]+m?s, ([\d.]+) req\/s/.exec(report);
  const requests = /requests: .* (\d+) succeeded, (\d+) failed/.exec(report);
  if (rate === null || requests === null || requests[2] !== '0') throw new Error(`requests failed:\n${report}`);
  return { requests: Number(requests[1]), perSecond: Number(rate[1]) };
}

async function startChild(name: EchoServer): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(fileURLToPath(import.meta.url), ['serve', name]);
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(message as number));
    child.once('exit', (code) => reject(new Error(`the server ${name} ended with code ${code}`)));
  });
  return { child, port };
}

async function measure(name: EchoServer, load: Load): Promise<Reading> {
  const { child, port } = await startChild(name);
  try {
    await h2load(port, load, 1);
    const before = await cpuMicroseconds(child.pid!);
    const { requests, perSecond } = await h2load(port, load, load.seconds);
    return { perSecond, cpuUs: ((await cpuMicroseconds(child.pid!)) - before) / requests };
  } finally {
    child.kill();
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

/** Rounds go through all servers before the next begins, so that a disturbance of the machine meets them alike. */
async function main(rounds: number, load: Omit<Load, 'bodyFile'>, bytes: number): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'conch-grpc-echo-'));
  const bodyFile = join(directory, 'body');
  const readings: Record<EchoServer, Reading[]> = { conch: [], 'node:http2': [], 'grpc-js': [] };
  try {
    await writeFile(bodyFile, grpcFrame(bytes));
    for (let round = 0; round < rounds; round++) {
      for (const name of echoServers) readings[name].push(await measure(name, { ...load, bodyFile }));
    }
  } finally {
    await rm(directory, { recursive: true });
  }
  const { connections, streams, seconds } = load;
  stdout.write(`echo of ${bytes} bytes, ${connections} x ${streams}, median of ${rounds} rounds of ${seconds} s\n`);
  const rateOf = (name: EchoServer) => median(readings[name].map(({ perSecond }) => perSecond));
  for (const name of echoServers) {
    const ratio = (rateOf(name) / rateOf('grpc-js')).toFixed(2);
    const cpu = median(readings[name].map(({ cpuUs }) => cpuUs)).toFixed(2);
    stdout.write(
      `${name.padEnd(11)} ${rateOf(name).toFixed(0).padStart(8)}/s  ${ratio} x grpc-js  ${cpu} us CPU/request\n`,
    );
  }
}

if (argv[2] === 'serve') {
  process.send!(await serveEcho(argv[3] as EchoServer));
} else {
  const [rounds = 3, seconds = 3, connections = 8, streams = 8, bytes = 200] = argv.slice(2).map(Number);
  await main(rounds, { seconds, connections, streams }, bytes);
}
