import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe } from 'vitest';
import { loadUws } from '../../src/protocols/http/uws-binary.js';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const mainFile = join(root, 'dist/src/main.js');

export type Engine = 'uws' | 'net';

/** Runs the tests once per HTTP engine; where uWebSockets has no binary for this Node, its tests are skipped by name. */
export function onEachEngine(define: (engine: Engine) => void): void {
  const uws = loadUws();
  const missing = typeof uws === 'string' ? ` (${uws})` : '';
  describe.skipIf(missing !== '')(`engine uws${missing}`, () => define('uws'));
  describe('engine net', () => define('net'));
}

export interface ServerSettings {
  readonly engine?: Engine;
  /** Names of folders in examples/models, test/models, test/javascript_models or test/broken_models: the repository has these. */
  readonly models: readonly string[];
  readonly flags?: readonly string[];
  /** Names of folders, as above, by another name that the repository has them under. */
  readonly copies?: Readonly<Record<string, string>>;
  /** More files, by their paths in the repository. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
  /** Changes to the configurations of models, by their names. */
  readonly edits?: Readonly<Record<string, (config: string) => string>>;
  /** Models made of an ONNX file alone, by their names. */
  readonly onnx?: Readonly<Record<string, Uint8Array>>;
  /** Flags of Node itself. */
  readonly nodeFlags?: readonly string[];
}

/** A process that runs `main.js`, and all that it printed. */
export class MainProcess {
  readonly child: ChildProcess;
  /** Standard output and standard error, as they came. */
  output = '';
  stdout = '';
  /** The exit code, or the signal that ended it. */
  readonly exit: Promise<number | NodeJS.Signals>;
  #onOutput: () => void = () => {};

  /** `env` is added to our own environment. @param program the file that is run */
  constructor(
    args: readonly string[],
    nodeFlags: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
    program = mainFile,
  ) {
    if (!existsSync(program)) throw new Error(`${program} is missing: npm run build`);
    this.child = spawn(process.execPath, [...nodeFlags, program, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: root,
      env: { ...process.env, ...env },
    });
    const killAtExit = () => this.child.kill('SIGKILL');
    process.once('exit', killAtExit);
    this.child.stdout!.on('data', (chunk: Buffer) => {
      this.stdout += chunk;
      this.#take(chunk);
    });
    this.child.stderr!.on('data', (chunk: Buffer) => this.#take(chunk));
    this.exit = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        process.off('exit', killAtExit);
        resolve(code ?? signal!);
        this.#onOutput();
      });
    });
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Resolves with the match when the output has one; rejects when the process ends without. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.output);
      if (match !== null) return match;
      if (this.hasEnded) throw new Error(`the process ended and never printed ${pattern}:\n${this.output}`);
      await new Promise<void>((resolve) => {
        this.#onOutput = resolve;
      });
    }
  }

  #take(chunk: Buffer): void {
    this.output += chunk;
    this.#onOutput();
  }
}

/** The real server as a process of its own, on free ports of 127.0.0.1, with a repository of its own. */
export class ServerProcess {
  readonly main: MainProcess;
  /** The folder of its models; gone when it has ended. */
  readonly repository: string;
  readonly httpPort: number;
  /** 0 = it has none. */
  readonly metricsPort: number;
  readonly grpcPort: number;

  private constructor(main: MainProcess, repository: string, ports: readonly number[]) {
    this.main = main;
    this.repository = repository;
    this.httpPort = ports[0]!;
    this.metricsPort = ports[1]!;
    this.grpcPort = ports[2]!;
  }

  /** Resolves when the server is ready. */
  static async start(settings: ServerSettings): Promise<ServerProcess> {
    const repository = await fillRepository(settings);
    const main = launchOn(repository, settings);
    await main.printed(/^Ready at http/m);
    const ports = ['HTTPService', 'Metrics Service', 'GRPCInferenceService'].map((service) =>
      Number(new RegExp(`Started ${service} at [\\d.]+:(\\d+)`).exec(main.output)?.[1] ?? 0),
    );
    return new ServerProcess(main, repository, ports);
  }

  /** A server that may never be ready. */
  static async launch(settings: ServerSettings): Promise<MainProcess> {
    return launchOn(await fillRepository(settings), settings);
  }

  signal(name: 'SIGTERM' | 'SIGUSR2'): void {
    this.main.child.kill(name);
  }

  /** Ends it with SIGTERM. Throws where it does not end well: an exit code of 0 says that every accepted request was answered. */
  async stop(): Promise<void> {
    this.signal('SIGTERM');
    const code = await this.main.exit;
    const { output } = this.main;
    if (code !== 0 || /bug in Conch|[Aa]ssert/.test(output))
      throw new Error(`the server ended with ${code}:\n${output}`);
  }
}

function launchOn(repository: string, { engine, flags = [], nodeFlags = [] }: ServerSettings): MainProcess {
  const engineFlags = engine === undefined ? [] : [`--http-engine=${engine}`];
  const anyPorts = ['--http-port=0', '--grpc-port=0', '--metrics-port=0'];
  const args = ['--model-repository', repository, ...anyPorts, ...engineFlags, ...flags];
  const main = new MainProcess(args, nodeFlags);
  void main.exit.then(() => rmSync(repository, { recursive: true }));
  return main;
}

async function fillRepository({ models, ...more }: ServerSettings): Promise<string> {
  const repository = await makeRepository(models);
  for (const [model, folder] of Object.entries(more.copies ?? {})) await addCopy(repository, model, folder);
  for (const [path, file] of Object.entries(more.files ?? {})) await addFile(repository, path, file);
  for (const [model, edit] of Object.entries(more.edits ?? {})) await editConfig(repository, model, edit);
  for (const [model, file] of Object.entries(more.onnx ?? {})) await addModel(repository, model, file);
  return repository;
}

/** A new folder with copies of these models. */
export async function makeRepository(models: readonly string[]): Promise<string> {
  const repository = await mkdtemp(join(tmpdir(), 'conch-e2e-'));
  for (const model of models) await copyModel(repository, model, model);
  return repository;
}

async function copyModel(repository: string, name: string, model: string): Promise<void> {
  const folders = ['examples/models', 'test/models', 'test/broken_models', 'test/javascript_models'].map((folder) =>
    join(root, folder, model),
  );
  await cp(folders.find((folder) => existsSync(folder))!, join(repository, name), { recursive: true });
}

async function addCopy(repository: string, name: string, model: string): Promise<void> {
  await copyModel(repository, name, model);
  await editConfig(repository, name, (config) => config.replace(/^name: .*/m, `name: "${name}"`));
}

async function editConfig(repository: string, model: string, edit: (config: string) => string): Promise<void> {
  const file = join(repository, model, 'config.pbtxt');
  const before = await readFile(file, 'utf8');
  const after = edit(before);
  if (after === before) throw new Error(`the edit changes nothing in the configuration of '${model}'`);
  await writeFile(file, after);
}

async function addModel(repository: string, model: string, file: Uint8Array): Promise<void> {
  await addFile(repository, `${model}/1/model.onnx`, file);
}

async function addFile(repository: string, path: string, file: Uint8Array): Promise<void> {
  await mkdir(dirname(join(repository, path)), { recursive: true });
  await writeFile(join(repository, path), file);
}
