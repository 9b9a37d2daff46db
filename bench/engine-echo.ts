import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import { silentLog } from '../src/base/log.js';
import type { HttpEngine, HttpExchange, HttpLimits } from '../src/protocols/http/engine.js';
import { NetEngine } from '../src/protocols/http/net.js';
import { UwsEngine } from '../src/protocols/http/uws.js';
import { loadUws } from '../src/protocols/http/uws-binary.js';
import { type LoadRequest, WrkLoad } from './core/wrk.js';
import { cpuMicroseconds } from './server/proc.js';

/**
 * How much of bare uWebSockets is left behind our engine interface: POST echo of 200 bytes, one server process, `wrk` beside it.
 *
 *     node dist/bench/engine-echo.js [rounds] [seconds]
 */

/** `bare` is uWebSockets with nothing of ours: the same answer, without a look at the headers. */
const servers = ['bare', 'uws', 'net'] as const;
type ServerName = (typeof servers)[number];

const CONNECTIONS = 64;
const answerHeaders = ['Content-Type', 'application/octet-stream'] as const;

const load: LoadRequest = {
  path: '/v2/models/simple/infer',
  headers: { 'Content-Type': 'application/octet-stream', 'Inference-Header-Content-Length': '72', Accept: '*/*' },
  body: Buffer.alloc(200, 'x'),
};

const limits: HttpLimits = {
  maxBodyBytes: 2 ** 20,
  maxHeaderBytes: 16 * 1024,
  maxHeaderCount: 100,
  maxConnections: 1000,
  idleTimeoutMs: 60_000,
  bodyTimeoutMs: 30_000,
};

const echoSink = {
  onChunk(exchange: HttpExchange, chunk: Uint8Array, last: boolean): void {
    if (last) exchange.reply(200, answerHeaders, chunk);
  },
};

async function serveEngine(engine: HttpEngine): Promise<number> {
  const options = { address: '127.0.0.1', port: 0, reusePort: false, limits, log: silentLog };
  const listener = await engine.listen(options, (exchange) => exchange.readBody(echoSink));
  return listener.port;
}

function uwsOrThrow() {
  const uws = loadUws();
  if (typeof uws === 'string') throw new Error(uws);
  return uws;
}

function serveBare(): Promise<number> {
  const uws = uwsOrThrow();
  const app = uws.App().post('/*', (response) => {
    response.onAborted(() => {});
    response.onData((chunk, last) => {
      if (!last) return;
      response.cork(() => {
        response.writeStatus('200 OK').writeHeader(answerHeaders[0], answerHeaders[1]).end(chunk);
      });
    });
  });
  return new Promise((resolve) => {
    app.listen('127.0.0.1', 0, (socket) => resolve(socket === false ? 0 : uws.us_socket_local_port(socket)));
  });
}

function serve(name: ServerName): Promise<number> {
  switch (name) {
    case 'bare':
      return serveBare();
    case 'uws':
      return serveEngine(new UwsEngine(uwsOrThrow()));
    case 'net':
      return serveEngine(new NetEngine());
  }
}

async function startChild(name: ServerName): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(fileURLToPath(import.meta.url), ['serve', name]);
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(message as number));
    child.once('exit', (code) => reject(new Error(`the server ${name} ended with code ${code}`)));
  });
  return { child, port };
}

interface Reading {
  readonly perSecond: number;
  /** CPU time of the server per request: what neighbours on the machine disturb least. */
  readonly cpuUs: number;
}

async function measure(name: ServerName, load: WrkLoad, seconds: number): Promise<Reading> {
  const { child, port } = await startChild(name);
  try {
    await load.run(port, CONNECTIONS, 1);
    const before = await cpuMicroseconds(child.pid!);
    const { requests, seconds: measured } = await load.run(port, CONNECTIONS, seconds);
    return { perSecond: requests / measured, cpuUs: ((await cpuMicroseconds(child.pid!)) - before) / requests };
  } finally {
    child.kill();
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

/** Rounds go through all servers before the next begins, so that a disturbance of the machine meets them alike. */
async function main(rounds: number, seconds: number): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'conch-echo-'));
  const readings: Record<ServerName, Reading[]> = { bare: [], uws: [], net: [] };
  try {
    const wrk = await WrkLoad.create(load, directory, 'echo');
    for (let round = 0; round < rounds; round++) {
      for (const name of servers) readings[name].push(await measure(name, wrk, seconds));
    }
  } finally {
    await rm(directory, { recursive: true });
  }
  stdout.write(`POST echo of 200 bytes, ${CONNECTIONS} connections, median of ${rounds} rounds of ${seconds} s\n`);
  const rateOf = (name: ServerName) => median(readings[name].map(({ perSecond }) => perSecond));
  for (const name of servers) {
    const rate = rateOf(name);
    const cpu = median(readings[name].map(({ cpuUs }) => cpuUs));
    stdout.write(
      `${name.padEnd(6)} ${rate.toFixed(0).padStart(8)}/s  ${(rate / rateOf('bare')).toFixed(3)} of bare  ${cpu.toFixed(2)} us CPU/request\n`,
    );
  }
}

if (argv[2] === 'serve') process.send!(await serve(argv[3] as ServerName));
else await main(Number(argv[2] ?? 5), Number(argv[3] ?? 3));
