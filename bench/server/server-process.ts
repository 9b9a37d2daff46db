import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type Engine = 'auto' | 'uws' | 'net';
export type GrpcEngine = 'conch' | 'grpc-js';

export interface ServerOptions {
  readonly mainFile: string;
  readonly repository: string;
  readonly engine: Engine;
  /** Left out = no gRPC. */
  readonly grpcEngine?: GrpcEngine;
  /** Flags of Node itself, such as `--trace-gc`. */
  readonly nodeFlags?: readonly string[];
  /** Of the server, beside those of ports and engines. */
  readonly flags?: readonly string[];
}

const readyTimeoutMs = 30_000;
const readyPollMs = 2;
/** After SIGTERM; the server itself gives up its in-flight requests earlier. */
const stopTimeoutMs = 10_000;

/** The real server, as its own process on free ports of 127.0.0.1. */
export class ServerProcess {
  readonly engine: Engine;
  /** What it is called in the tables: its engine of gRPC, else that of HTTP. */
  readonly name: string;
  readonly httpPort: number;
  readonly metricsPort: number;
  readonly grpcPort: number;
  /** From the start of the process to the first 200 of `/v2/health/ready`. */
  startMs = 0;
  readonly #child: ChildProcess;
  #output = '';

  private constructor(child: ChildProcess, { engine, grpcEngine }: ServerOptions, ports: Ports) {
    this.#child = child;
    this.engine = engine;
    this.name = grpcEngine ?? engine;
    this.httpPort = ports.http;
    this.metricsPort = ports.metrics;
    this.grpcPort = ports.grpc;
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk) => (this.#output += chunk));
  }

  /** Resolves when the server is ready. Throws with the server's output when it ends before, or is not ready in time. */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    const ports = await freePorts();
    const begin = performance.now();
    const child = spawn(process.execPath, commandLine(options, ports), { stdio: ['ignore', 'pipe', 'pipe'] });
    const server = new ServerProcess(child, options, ports);
    const killAtExit = () => child.kill('SIGKILL');
    process.once('exit', killAtExit);
    child.once('exit', () => process.off('exit', killAtExit));
    await server.#awaitReady(begin + readyTimeoutMs);
    server.startMs = performance.now() - begin;
    return server;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Everything printed so far, on both streams. */
  get output(): string {
    return this.#output;
  }

  async stop(): Promise<void> {
    if (this.#ended) return;
    const end = once(this.#child, 'exit');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), stopTimeoutMs);
    this.#child.kill('SIGTERM');
    await end;
    clearTimeout(timer);
  }

  get #ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async #awaitReady(deadline: number): Promise<void> {
    while (!(await answersReady(this.httpPort))) {
      if (this.#ended) throw new Error(`the server ended before it was ready:\n${this.#output}`);
      if (performance.now() > deadline) {
        await this.stop();
        throw new Error(`the server was not ready within ${readyTimeoutMs} ms:\n${this.#output}`);
      }
      await sleep(readyPollMs);
    }
  }
}

interface Ports {
  readonly http: number;
  readonly metrics: number;
  readonly grpc: number;
}

function commandLine(options: ServerOptions, ports: Ports): string[] {
  const flags = {
    'model-repository': options.repository,
    'http-address': '127.0.0.1',
    'http-port': ports.http,
    'metrics-port': ports.metrics,
    'http-engine': options.engine,
    ...grpcFlags(options.grpcEngine, ports.grpc),
  };
  const serverFlags = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  return [...(options.nodeFlags ?? []), options.mainFile, 'serve', ...serverFlags, ...(options.flags ?? [])];
}

function grpcFlags(engine: GrpcEngine | undefined, port: number): Record<string, string | number | boolean> {
  if (engine === undefined) return { 'allow-grpc': false };
  return { 'grpc-address': '127.0.0.1', 'grpc-port': port, 'grpc-engine': engine };
}

function answersReady(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/v2/health/ready', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('error', () => resolve(false));
  });
}

/** Ports that nobody listens on: all are held until all are known, so they differ. */
async function freePorts(): Promise<Ports> {
  const holders = [createServer(), createServer(), createServer()];
  const ports: number[] = [];
  for (const holder of holders) {
    holder.listen(0, '127.0.0.1');
    await once(holder, 'listening');
    ports.push((holder.address() as AddressInfo).port);
  }
  for (const holder of holders) {
    holder.close();
    await once(holder, 'close');
  }
  return { http: ports[0]!, metrics: ports[1]!, grpc: ports[2]! };
}
