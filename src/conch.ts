import type { Backend } from './backends/backend.js';
import { findGpus } from './backends/gpus.js';
import { OnnxRuntimeBackend } from './backends/onnxruntime.js';
import { monotonicUs, systemClock } from './base/clock.js';
import type { Log } from './base/log.js';
import type { ModelConfig } from './config/model-config.js';
import { type Machine, normalizeConfig } from './config/normalize.js';
import type { Options } from './config/options.js';
import { validateConfig } from './config/validate.js';
import { loadModel } from './core/load-model.js';
import type { Model } from './core/model.js';
import { InferenceServer } from './core/server.js';
import { Arena } from './memory/arena.js';
import { BodyBudget } from './protocols/http/body-buffer.js';
import { chooseHttpEngine } from './protocols/http/choose-engine.js';
import type { HttpListener } from './protocols/http/engine.js';
import { httpHandler } from './protocols/http/server.js';
import { ModelManager } from './repository/manager.js';
import { scanRepositories } from './repository/scan.js';
import { type UnderstoodModel, understandModel } from './repository/wanted.js';
import { ServerError } from './types/errors.js';

/** A server that runs: built from options, stopped once. */
export class Conch {
  readonly server: InferenceServer;
  readonly #options: Options;
  readonly #log: Log;
  readonly #arena: Arena;
  readonly #manager: ModelManager<Model>;
  readonly #listeners: HttpListener[] = [];
  #http: HttpListener | null = null;
  #models: ReadonlyMap<string, UnderstoodModel> = new Map();
  #machine: Machine = { gpus: [] };
  readonly #backends: ReadonlyMap<string, Backend>;

  constructor(options: Options, version: string, log: Log) {
    this.#options = options;
    this.#log = log;
    this.#arena = new Arena(options.tensorMemoryByteSize);
    const backends: Backend[] = [new OnnxRuntimeBackend()];
    this.#backends = new Map(backends.map((backend) => [backend.name, backend]));
    const actions = { load: this.#load.bind(this), unload: (model: Model) => model.drain().then(() => model.stop()) };
    this.#manager = new ModelManager<Model>(actions, log);
    const settings = { id: options.id, version, strictReadiness: options.strictReadiness };
    this.server = new InferenceServer(settings, this.#manager);
  }

  /** Port of HTTP; 0 = it is not served. */
  get httpPort(): number {
    return this.#http?.port ?? 0;
  }

  /** Loads all models, then listens. Throws where a repository cannot be read, or with --exit-on-error where a model does not load. */
  async start(): Promise<void> {
    await this.#loadModels();
    this.server.opened();
    if (this.#options.allowHttp) await this.#listenHttp();
  }

  /** Not ready at once; what is in flight is answered within the limit, then everything ends. True = all was answered. */
  async stop(): Promise<boolean> {
    for (const listener of this.#listeners) listener.drain();
    const drained = Promise.all([this.server.drain(), ...this.#listeners.map((listener) => listener.idle())]);
    const inTime = await within(this.#options.exitTimeoutSecs * 1000, drained);
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    if (inTime) await this.server.stop();
    return inTime;
  }

  async #loadModels(): Promise<void> {
    this.#machine = { gpus: await findGpus() };
    const snapshot = await scanRepositories(this.#options.modelRepositories, this.#options.modelConfigName);
    const settings = { machine: this.#machine, autoComplete: !this.#options.disableAutoCompleteConfig };
    const understood = [...snapshot.values()].map((entry) => understandModel(entry, settings));
    this.#models = new Map(understood.map((model) => [model.entry.name, model]));
    for (const { notes } of understood) for (const note of notes) this.#log.warning(note);
    const wanted = understood.map((model) => model.wanted);
    await this.#manager.start(wanted, this.#options.modelLoadThreadCount);
    if (this.#options.exitOnError && !this.#manager.isComplete) {
      await this.server.stop();
      throw new ServerError('INTERNAL', 'failed to load all models');
    }
  }

  async #load(name: string, version: number): Promise<Model> {
    const { entry, config } = this.#models.get(name)!;
    const { directory: versionDirectory } = entry.versions.find((candidate) => candidate.version === version)!;
    const source = { name, version, directory: entry.directory, versionDirectory, config: config as ModelConfig };
    const settings = {
      backends: this.#backends,
      autoComplete: !this.#options.disableAutoCompleteConfig,
      backendConfig: this.#options.backendConfig,
      finish: (completed: ModelConfig) => this.#finish(completed),
    };
    const startUs = monotonicUs();
    const model = await loadModel(source, settings, { arena: this.#arena, clock: systemClock, log: this.#log });
    model.statistics.loadSeconds = (monotonicUs() - startUs) / 1e6;
    return model;
  }

  #finish(completed: ModelConfig): ModelConfig {
    const config = normalizeConfig(completed, this.#machine);
    validateConfig(config, this.#machine, true);
    return config;
  }

  async #listenHttp(): Promise<void> {
    const options = this.#options;
    const { engine, line } = chooseHttpEngine(options.httpEngine);
    this.#log.info(line);
    const limits = { maxInputBytes: options.httpMaxInputSize };
    const handler = httpHandler(this.server, limits, new BodyBudget(options.tensorMemoryByteSize), this.#log);
    this.#http = await engine.listen(
      {
        address: options.httpAddress,
        port: options.httpPort,
        reusePort: options.reuseHttpPort,
        limits: {
          maxBodyBytes: options.httpMaxBodySize,
          maxHeaderBytes: options.httpMaxHeaderSize,
          maxHeaderCount: options.httpMaxHeaderCount,
          maxConnections: options.httpMaxConnections,
          idleTimeoutMs: options.httpIdleTimeoutSecs * 1000,
          bodyTimeoutMs: options.httpBodyTimeoutSecs * 1000,
        },
        log: this.#log,
      },
      handler,
    );
    this.#listeners.push(this.#http);
    this.#log.info(`Started HTTPService at ${options.httpAddress}:${this.#http.port}`);
  }
}

/** True = the work ended within the time; 0 ms = do not wait. */
async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const inTime = await Promise.race([work.then(() => true), late]);
  clearTimeout(timer);
  return inTime;
}
