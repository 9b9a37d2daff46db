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
import { BodyBudget } from './protocols/body-buffer.js';
import { chooseGrpcEngine } from './protocols/grpc/choose-engine.js';
import type { GrpcListener } from './protocols/grpc/engine.js';
import { GrpcService } from './protocols/grpc/service.js';
import { readTls } from './protocols/grpc/tls.js';
import { chooseHttpEngine } from './protocols/http/choose-engine.js';
import type { HttpEngine, HttpHandler, HttpListener } from './protocols/http/engine.js';
import { metricsHandler } from './protocols/http/metrics.js';
import { httpHandler } from './protocols/http/server.js';
import { JsonPool } from './protocols/json-pool.js';
import type { SocketHandler } from './protocols/web-socket.js';
import { SocketService, type SocketServiceLimits } from './protocols/ws/service.js';
import { ModelManager } from './repository/manager.js';
import { scanRepositories } from './repository/scan.js';
import { type UnderstoodModel, understandModel } from './repository/wanted.js';
import { latencyDetail, ServerTelemetry } from './server-telemetry.js';
import { ServerError } from './types/errors.js';

/** A server that runs: built from options, stopped once. */
export class Conch {
  readonly server: InferenceServer;
  readonly #options: Options;
  readonly #log: Log;
  readonly #arena: Arena;
  readonly #manager: ModelManager<Model>;
  #http: HttpListener | null = null;
  #sockets: SocketService | null = null;
  #grpc: GrpcListener | null = null;
  #grpcService: GrpcService | null = null;
  #metrics: HttpListener | null = null;
  #telemetry: ServerTelemetry | null = null;
  #models: ReadonlyMap<string, UnderstoodModel> = new Map();
  #machine: Machine = { gpus: [] };
  #isStopping = false;
  readonly #jsonPool = new JsonPool();
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

  /** Port of gRPC; 0 = it is not served. */
  get grpcPort(): number {
    return this.#grpc?.port ?? 0;
  }

  get metricsPort(): number {
    return this.#metrics?.port ?? 0;
  }

  /** Loads all models, then listens. Throws where a repository cannot be read, or with --exit-on-error where a model does not load. */
  async start(): Promise<void> {
    await this.#loadModels();
    if (this.#isStopping) return;
    this.server.opened();
    const budget = new BodyBudget(this.#options.tensorMemoryByteSize);
    if (this.#options.allowGrpc) await this.#listenGrpc(budget);
    const { engine, line } = chooseHttpEngine(this.#options.httpEngine);
    this.#log.info(line);
    if (this.#options.allowHttp) await this.#listenHttp(engine, budget);
    if (this.#options.allowMetrics) await this.#listenMetrics(engine);
  }

  /** Not ready at once; what is in flight is answered within the limit, then everything ends. True = all was answered. */
  async stop(): Promise<boolean> {
    this.#isStopping = true;
    this.#http?.drain();
    this.#grpc?.drain();
    const answered = this.server.drain();
    this.#grpcService?.drain();
    this.#sockets?.drain();
    const drained = Promise.all([answered, this.#http?.idle(), this.#sockets?.idle(), this.#grpc?.idle()]);
    const inTime = await within(this.#options.exitTimeoutSecs * 1000, drained);
    await Promise.all([this.#http?.close(), this.#grpc?.close(), this.#jsonPool.close()]);
    this.#sockets?.stop();
    if (inTime) await this.server.stop();
    this.#telemetry?.stop();
    await this.#metrics?.close();
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
      latencyDetail: (config: ModelConfig) => latencyDetail(this.#options, config),
      finish: (completed: ModelConfig) => this.#finish(completed),
    };
    const startUs = monotonicUs();
    const { sequenceMaxBacklog } = this.#options;
    const surroundings = { arena: this.#arena, clock: systemClock, log: this.#log, sequenceMaxBacklog };
    const model = await loadModel(source, settings, surroundings);
    model.statistics.loadSeconds = (monotonicUs() - startUs) / 1e6;
    return model;
  }

  #finish(completed: ModelConfig): ModelConfig {
    const config = normalizeConfig(completed, this.#machine);
    validateConfig(config, this.#machine, true);
    return config;
  }

  async #listenGrpc(budget: BodyBudget): Promise<void> {
    const options = this.#options;
    const { engine, line } = chooseGrpcEngine(options.grpcEngine);
    this.#log.info(line);
    this.#grpcService = new GrpcService(this.server, budget, this.#log);
    const listenOptions = {
      address: options.grpcAddress,
      port: options.grpcPort,
      reusePort: options.reuseGrpcPort,
      tls: options.grpcUseSsl ? readTls(options) : null,
      maxMessageBytes: options.grpcMaxMessageSize,
      compression: options.grpcInferResponseCompressionLevel,
      keepalive: options.grpcKeepalive,
      budget,
      log: this.#log,
    };
    this.#grpc = await engine.listen(listenOptions, this.#grpcService);
    this.#log.info(`Started GRPCInferenceService at ${options.grpcAddress}:${this.#grpc.port}`);
  }

  async #listenHttp(engine: HttpEngine, budget: BodyBudget): Promise<void> {
    const { httpAddress, httpPort, httpMaxInputSize } = this.#options;
    const handler = httpHandler(this.server, { maxInputBytes: httpMaxInputSize }, budget, this.#jsonPool, this.#log);
    this.#sockets = new SocketService(
      this.server,
      socketLimits(this.#options),
      this.#options.ws.allowOrigins,
      this.#jsonPool,
    );
    this.#http = await this.#listen(engine, httpAddress, httpPort, handler, this.#sockets);
    this.#log.info(`Started HTTPService at ${httpAddress}:${this.#http.port}`);
  }

  async #listenMetrics(engine: HttpEngine): Promise<void> {
    const { metricsAddress, metricsPort } = this.#options;
    this.#telemetry = new ServerTelemetry(this.#options, this.server, {
      tensorBytesUsed: () => this.#arena.used,
      tensorBytesTotal: this.#arena.capacity,
      connections: () => this.#http?.connections ?? 0,
      sockets: () => this.#sockets?.counts ?? null,
    });
    this.#metrics = await this.#listen(engine, metricsAddress, metricsPort, metricsHandler(this.#telemetry.registry));
    this.#log.info(`Started Metrics Service at ${metricsAddress}:${this.#metrics.port}`);
  }

  #listen(
    engine: HttpEngine,
    address: string,
    port: number,
    handler: HttpHandler,
    sockets: SocketHandler | null = null,
  ): Promise<HttpListener> {
    const options = this.#options;
    const limits = {
      maxBodyBytes: options.httpMaxBodySize,
      maxHeaderBytes: options.httpMaxHeaderSize,
      maxHeaderCount: options.httpMaxHeaderCount,
      maxConnections: options.httpMaxConnections,
      idleTimeoutMs: options.httpIdleTimeoutSecs * 1000,
      bodyTimeoutMs: options.httpBodyTimeoutSecs * 1000,
    };
    return engine.listen({ address, port, reusePort: options.reuseHttpPort, limits, log: this.#log }, handler, sockets);
  }
}

function socketLimits({ ws, httpMaxInputSize }: Options): SocketServiceLimits {
  return {
    maxConnections: ws.maxConnections,
    maxMessageBytes: ws.maxMessageSize,
    maxInFlight: ws.maxInFlight,
    maxUnsentBytes: ws.maxUnsentSize,
    idleTimeoutMs: ws.idleTimeoutSecs * 1000,
    pingIntervalMs: ws.pingIntervalSecs * 1000,
    maxInputBytes: httpMaxInputSize,
  };
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
