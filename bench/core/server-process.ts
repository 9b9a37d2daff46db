import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type Engine = 'uws' | 'net';

export interface ServerOptions {
  readonly mainFile: string;
  readonly repository: string;
  readonly engine: Engine;
  /** Flags of Node itself, such as `--trace-gc`. */
  readonly nodeFlags?: readonly string[];
}

const readyTimeoutMs = 30_000;
const readyPollMs = 2;
/** After SIGTERM; the server itself gives up its in-flight requests earlier. */
const stopTimeoutMs = 10_000;

/** The real server, as its own process on free ports of 127.0.0.1. */
export class ServerProcess {
  readonly engine: Engine;
  readonly httpPort: number;
  readonly metricsPort: number;
  /** From the start of the process to the first 200 of `/v2/health/ready`. */
  startMs = 0;
  readonly #child: ChildProcess;
  #output = '';

  private constructor(child: ChildProcess, engine: Engine, httpPort: number, metricsPort: number) {
    this.#child = child;
    this.engine = engine;
    this.httpPort = httpPort;
    this.metricsPort = metricsPort;
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk) => (this.#output += chunk));
  }

  /** Resolves when the server is ready. Throws with the server's output when it ends before, or is not ready in time. */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    const [httpPort, metricsPort] = await freePorts();
    const begin = performance.now();
    const child = spawn(process.execPath, commandLine(options, httpPort, metricsPort), {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const server = new ServerProcess(child, options.engine, httpPort, metricsPort);
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

function commandLine(options: ServerOptions, httpPort: number, metricsPort: number): string[] {
  const flags = {
    'model-repository': options.repository,
    'http-address': '127.0.0.1',
    'http-port': httpPort,
    'metrics-port': metricsPort,
    'allow-grpc': false,
    'http-engine': options.engine,
  };
  const serverFlags = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  return [...(options.nodeFlags ?? []), options.mainFile, 'serve', ...serverFlags];
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

/** Two ports that nobody listens on: both are held until both are known, so they differ. */
async function freePorts(): Promise<[number, number]> {
  const holders = [createServer(), createServer()];
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
  return [ports[0]!, ports[1]!];
}
