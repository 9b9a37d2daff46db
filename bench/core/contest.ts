import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuMicroseconds } from '../server/proc.js';
import { type Engine, type GrpcEngine, type ServerOptions, ServerProcess } from '../server/server-process.js';
import type { ModelMetadata } from './bodies.js';
import { LimitProcess, type LimitServerOrder, type Listening } from './limit-process.js';
import { type BatchPlacements, batchPlacements, failedRequests } from './metrics.js';
import type { Contender } from './rounds.js';
import { type LoadRequest, WrkLoad } from './wrk.js';

/** What all suites are run with. */
export interface BenchOptions {
  /** The root of the package. */
  readonly root: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly engines: readonly Engine[];
}

/** An answer of the real server, so that a limit can send one of the same size. */
export interface Answer {
  /** Name, value, name, value; without those that every HTTP implementation writes for itself. */
  readonly headers: readonly string[];
  readonly body: Uint8Array;
}

/** One process that answers on a port: the server, or a limit. */
export interface Side {
  readonly pid: number;
  readonly port: number;
}

/**
 * The processes and files of one suite. Whoever makes one closes it: that stops every process it started and removes its folder.
 */
export class Contest {
  readonly options: BenchOptions;
  readonly directory: string;
  readonly #servers: ServerProcess[] = [];
  readonly #limits: LimitProcess[] = [];

  private constructor(options: BenchOptions, directory: string) {
    this.options = options;
    this.directory = directory;
  }

  static async open(options: BenchOptions): Promise<Contest> {
    return new Contest(options, await mkdtemp(join(tmpdir(), 'conch-bench-')));
  }

  /** A repository that holds copies of these model folders and nothing else. */
  async repository(name: string, ...models: readonly string[]): Promise<string> {
    const repository = join(this.directory, name);
    for (const model of models) {
      await cp(join(this.options.root, model), join(repository, model.slice(model.lastIndexOf('/') + 1)), {
        recursive: true,
      });
    }
    return repository;
  }

  async server(engine: Engine, repository: string, nodeFlags: readonly string[] = []): Promise<ServerProcess> {
    return this.#started({ repository, engine, nodeFlags });
  }

  /** A server that speaks gRPC too. */
  async grpcServer(grpcEngine: GrpcEngine, repository: string): Promise<ServerProcess> {
    return this.#started({ repository, engine: 'net', grpcEngine });
  }

  /** One that speaks both protocols, with flags of its own. */
  async featureServer(repository: string, flags: readonly string[]): Promise<ServerProcess> {
    return this.#started({ repository, engine: 'net', grpcEngine: 'conch', flags });
  }

  async #started(options: Omit<ServerOptions, 'mainFile'>): Promise<ServerProcess> {
    const mainFile = join(this.options.root, 'dist/src/main.js');
    const server = await ServerProcess.start({ mainFile, ...options });
    this.#servers.push(server);
    return server;
  }

  limit(script: string): LimitProcess {
    const limit = new LimitProcess(script);
    this.#limits.push(limit);
    return limit;
  }

  async limitServer(script: string, order: LimitServerOrder): Promise<Side> {
    const limit = this.limit(script);
    const { port } = await limit.ask<Listening>(order);
    return { pid: limit.pid, port };
  }

  load(name: string, request: LoadRequest): Promise<WrkLoad> {
    return WrkLoad.create(request, this.directory, name);
  }

  async close(): Promise<void> {
    for (const server of this.#servers) await server.stop();
    for (const limit of this.#limits) await limit.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}

export async function modelMetadata(port: number, model: string): Promise<ModelMetadata> {
  const response = await fetch(`http://127.0.0.1:${port}/v2/models/${model}`);
  if (response.status !== 200) throw new Error(`metadata of ${model}: ${response.status} ${await response.text()}`);
  return (await response.json()) as ModelMetadata;
}

const ownHeaders = new Set(['connection', 'content-length', 'date', 'keep-alive', 'transfer-encoding', 'uwebsockets']);

/** Sends the request once, outside of the load: it has to succeed before it is worth repeating. */
export async function probe(port: number, request: LoadRequest): Promise<Answer> {
  const { path, headers, body } = request;
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers, body: Buffer.from(body) });
  const answer = new Uint8Array(await response.arrayBuffer());
  if (response.status !== 200) throw new Error(`${path}: ${response.status} ${Buffer.from(answer).toString()}`);
  return { headers: [...response.headers].filter(([name]) => !ownHeaders.has(name)).flat(), body: answer };
}

async function metricsPage(server: ServerProcess): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${server.metricsPort}/metrics`);
  return response.text();
}

/** For loads that do not look into the answers. */
export async function assertNoFailures(server: ServerProcess): Promise<void> {
  const failed = failedRequests(await metricsPage(server));
  if (failed > 0) throw new Error(`${server.name}: ${failed} requests failed inside the server (expected none)`);
}

export async function readPlacements(server: ServerProcess): Promise<BatchPlacements> {
  return batchPlacements(await metricsPage(server));
}

/** A side under load from `wrk`. */
export function loaded(name: string, side: Side, load: WrkLoad, connections: number): Contender {
  return {
    name,
    async sample(seconds) {
      const before = await cpuMicroseconds(side.pid);
      const { requests, seconds: took, p50Us, p99Us } = await load.run(side.port, connections, seconds);
      const cpuUs = ((await cpuMicroseconds(side.pid)) - before) / requests;
      return { rate: requests / took, p50Us, p99Us, cpuUs };
    },
  };
}

/** The real server as a side. */
export function sideOf(server: ServerProcess): Side {
  return { pid: server.pid, port: server.httpPort };
}
