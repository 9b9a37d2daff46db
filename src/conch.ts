import { findGpus } from './backends/gpus.js';
import { JavaScriptBackend } from './backends/javascript.js';
import { OnnxRuntimeBackend } from './backends/onnxruntime.js';
import { TensorFlowBackend } from './backends/tensorflow.js';
import { systemClock } from './base/clock.js';
import type { Log, ServerLog } from './base/log.js';
import type { Mark } from './config/marks.js';
import type { Machine } from './config/normalize.js';
import type { Options } from './config/options.js';
import { LocalStore } from './core/cache/local-store.js';
import { RedisStore } from './core/cache/redis-store.js';
import { ResponseCache } from './core/cache/response-cache.js';
import type { ResponseStore } from './core/cache/response-store.js';
import type { ServedModel } from './core/served-model.js';
import { InferenceServer } from './core/server.js';
import { Arena } from './memory/arena.js';
import { ModelActions } from './model-actions.js';
import { ApiKeys } from './protocols/api-keys.js';
import { BodyBudget } from './protocols/body-buffer.js';
import { chooseGrpcEngine } from './protocols/grpc/choose-engine.js';
import type { GrpcListener } from './protocols/grpc/engine.js';
import { restrictGrpc } from './protocols/grpc/restricted.js';
import { GrpcService } from './protocols/grpc/service.js';
import { readTls } from './protocols/grpc/tls.js';
import { HeaderForward } from './protocols/header-forward.js';
import { chooseHttpEngine } from './protocols/http/choose-engine.js';
import type { HttpEngine, HttpHandler, HttpListener } from './protocols/http/engine.js';
import { metricsHandler } from './protocols/http/metrics.js';
import { restrictHttp, restrictSockets } from './protocols/http/restricted.js';
import { httpHandler, v1HealthHandler } from './protocols/http/server.js';
import { JsonPool } from './protocols/json-pool.js';
import { V1Server } from './protocols/v1-server.js';
import type { SocketHandler } from './protocols/web-socket.js';
import { SocketService, type SocketServiceLimits } from './protocols/ws/service.js';
import { ModelManager } from './repository/manager.js';
import { marksOfFile } from './repository/marks-of-file.js';
import { ModelRepository, type RepositorySettings } from './repository/model-repository.js';
import { Poller } from './repository/poller.js';
import { openRepository, syncAtStart } from './repository/remote/open-repository.js';
import type { RepositorySource } from './repository/remote/source.js';
import { RateLimitGates } from './schedulers/rate-limit/instance-gates.js';
import { ServerTelemetry } from './server-telemetry.js';
import { buildTracing } from './telemetry/trace/build-tracing.js';
import type { Tracing } from './telemetry/trace/tracing.js';
import { ServerError } from './types/errors.js';

/** A server that runs: built from options, stopped once. */
export class Conch {
  readonly server: InferenceServer;
  /** What the protocol of the TensorRT Inference Server counts. */
  readonly #v1: V1Server;
  readonly #options: Options;
  readonly #log: ServerLog;
  readonly #arena: Arena;
  /** Null = no answers are kept. */
  readonly #store: ResponseStore | null;
  /** Null = `--rate-limit=off`. */
  readonly #gates: RateLimitGates | null;
  readonly #repository: ModelRepository<ServedModel>;
  readonly #poller: Poller;
  readonly #tracing: Tracing;
  #http: HttpListener | null = null;
  #sockets: SocketService | null = null;
  #grpc: GrpcListener | null = null;
  #grpcService: GrpcService | null = null;
  #health: HttpListener | null = null;
  #metrics: HttpListener | null = null;
  #telemetry: ServerTelemetry | null = null;
  /** Filled before the first model is loaded. */
  readonly #machine: { gpus: Machine['gpus'] } = { gpus: [] };
  readonly #sources: RepositorySource[] = [];
  /** Of the sources: where their models lie. */
  readonly #folders: string[] = [];
  #isStopping = false;
  readonly #jsonPool = new JsonPool();

  constructor(options: Options, version: string, log: ServerLog) {
    this.#options = options;
    this.#log = log;
    this.#arena = new Arena(options.tensorMemoryByteSize);
    this.#store = openStore(options, log);
    this.#gates = options.rateLimit === null ? null : new RateLimitGates(options.rateLimit);
    const onnx = new OnnxRuntimeBackend();
    const surroundings = {
      options,
      machine: this.#machine,
      backends: [onnx, new TensorFlowBackend(onnx), new JavaScriptBackend()],
      arena: this.#arena,
      log,
      find: (name: string, version: string) => this.server.find(name, version),
      cache: this.#store === null ? null : new ResponseCache(this.#store, systemClock),
      gatekeeper: this.#gates,
    };
    const actions = new ModelActions(surroundings);
    const limits = { threads: options.modelLoadThreadCount, retries: options.modelLoadRetryCount };
    const manager = new ModelManager<ServedModel>(actions, limits, log);
    this.#repository = new ModelRepository(this.#repositorySettings(), manager, log);
    const poll = () => this.#repository.poll();
    this.#poller = new Poller({ folders: this.#folders, pollSecs: options.repositoryPollSecs }, poll, log);
    const { id, strictReadiness, allowClientShm } = options;
    const marksOf = ({ name, config }: ServedModel): ReadonlyMap<string, Mark> | null => {
      const entry = manager.sourceOf(name);
      return entry === null ? null : marksOfFile(config, entry, this.#machine);
    };
    this.#tracing = buildTracing(options.trace, log);
    const settings = { id, version, strictReadiness, allowClientShm, marksOf, tracing: this.#tracing, log };
    this.server = new InferenceServer(settings, manager, this.#repository);
    this.#v1 = new V1Server(this.server, process.env.TENSORRT_SERVER_VERSION ?? version);
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

  /** Loads all models, then listens, then follows the folders where the mode says so. Throws where a repository cannot be read, or with --exit-on-error where a model does not load. */
  async start(): Promise<void> {
    await this.#loadModels();
    if (this.#isStopping) return;
    this.server.opened();
    const budget = new BodyBudget(this.#options.tensorMemoryByteSize);
    if (this.#options.allowGrpc) await this.#listenGrpc(budget);
    const { engine, line } = await chooseHttpEngine(this.#options.httpEngine);
    this.#log.info(line);
    if (this.#options.allowHttp) await this.#listenHttp(engine, budget);
    if (this.#options.httpHealthPort > 0) await this.#listenHealth(engine, budget);
    if (this.#options.allowMetrics) await this.#listenMetrics(engine);
    if (this.#options.modelControlMode === 'poll' && !this.#isStopping) this.#poller.start();
  }

  /** Not ready at once; what is in flight is answered within the limit, then everything ends. True = all was answered. */
  async stop(): Promise<boolean> {
    this.#isStopping = true;
    const watched = this.#poller.stop();
    this.#http?.drain();
    this.#grpc?.drain();
    const answered = this.server.drain();
    const repositories = Promise.all(this.#sources.map((source) => source.close()));
    this.#grpcService?.drain();
    this.#sockets?.drain();
    const drained = Promise.all([answered, this.#http?.idle(), this.#sockets?.idle(), this.#grpc?.idle()]);
    const inTime = await within(this.#options.exitTimeoutSecs * 1000, drained);
    await Promise.all([this.#http?.close(), this.#grpc?.close(), this.#jsonPool.close()]);
    this.#sockets?.stop();
    if (inTime) await this.server.stop();
    await Promise.all([watched, repositories, this.#tracing.close()]);
    this.#store?.close();
    this.#telemetry?.stop();
    await Promise.all([this.#metrics?.close(), this.#health?.close()]);
    return inTime;
  }

  async #loadModels(): Promise<void> {
    this.#machine.gpus = await findGpus();
    this.#noteAbsentGpus();
    await this.#openRepositories();
    await this.#repository.start();
    if (this.#options.exitOnError && !this.#repository.isComplete) {
      await this.server.stop();
      throw new ServerError('INTERNAL', 'failed to load all models');
    }
  }

  #noteAbsentGpus(): void {
    for (const { resource, gpu } of this.#options.rateLimit ?? []) {
      if (gpu < 0 || this.#machine.gpus.includes(gpu)) continue;
      const what = `--rate-limit-resource says what there is of '${resource}' on GPU ${gpu}, which is not there`;
      this.#log.warning(`${what}: instances on the CPU have what it says without a device`);
    }
  }

  #repositorySettings(): RepositorySettings {
    const options = this.#options;
    return {
      scan: {
        repositories: this.#folders,
        configName: options.modelConfigName,
        namespacing: options.modelNamespacing,
      },
      sync: async (model) => {
        await Promise.all(this.#sources.map((source) => source.sync(model)));
      },
      understand: {
        machine: this.#machine,
        autoComplete: !options.disableAutoCompleteConfig,
        uses: { limitsRate: options.rateLimit !== null },
      },
      mode: options.modelControlMode,
      loadModels: options.loadModels,
    };
  }

  async #openRepositories(): Promise<void> {
    for (const location of this.#options.modelRepositories) {
      const source = await openRepository(location, this.#log);
      this.#sources.push(source);
      this.#folders.push(source.directory);
      await syncAtStart(source, this.#options.exitOnError, this.#log);
    }
  }

  async #listenGrpc(budget: BodyBudget): Promise<void> {
    const options = this.#options;
    const { engine, line } = await chooseGrpcEngine(options.grpcEngine);
    this.#log.info(line);
    this.#grpcService = new GrpcService(this.#v1, budget, this.#log, headerForward(options.grpcHeaderForwardPattern));
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
    const keys = options.grpcRestrictedProtocol;
    const handler = keys.size === 0 ? this.#grpcService : restrictGrpc(this.#grpcService, new ApiKeys(keys));
    this.#grpc = await engine.listen(listenOptions, handler);
    this.#log.info(`Started GRPCInferenceService at ${options.grpcAddress}:${this.#grpc.port}`);
  }

  async #listenHttp(engine: HttpEngine, budget: BodyBudget): Promise<void> {
    const { httpAddress, httpPort, httpMaxInputSize, serverTiming, httpHeaderForwardPattern } = this.#options;
    const handler = httpHandler(
      this.server,
      this.#v1,
      {
        maxInputBytes: httpMaxInputSize,
        serverTiming,
        v1Health: this.#options.httpHealthPort === 0,
        forward: headerForward(httpHeaderForwardPattern),
      },
      budget,
      this.#jsonPool,
      this.#log,
    );
    this.#sockets = new SocketService(
      this.server,
      socketLimits(this.#options),
      this.#options.ws.allowOrigins,
      this.#jsonPool,
    );
    const { httpRestrictedApi } = this.#options;
    const keys = httpRestrictedApi.size === 0 ? null : new ApiKeys(httpRestrictedApi);
    this.#http = await this.#listen(
      engine,
      httpAddress,
      httpPort,
      keys === null ? handler : restrictHttp(handler, keys),
      keys === null ? this.#sockets : restrictSockets(this.#sockets, keys),
    );
    this.#log.info(`Started HTTPService at ${httpAddress}:${this.#http.port}`);
  }

  async #listenHealth(engine: HttpEngine, budget: BodyBudget): Promise<void> {
    const { httpAddress, httpHealthPort, httpRestrictedApi } = this.#options;
    const handler = v1HealthHandler(this.#v1, budget);
    const keys = new ApiKeys(httpRestrictedApi);
    this.#health = await this.#listen(engine, httpAddress, httpHealthPort, restrictHttp(handler, keys));
    this.#log.info(`Started health at ${httpAddress}:${this.#health.port}`);
  }

  async #listenMetrics(engine: HttpEngine): Promise<void> {
    const { metricsAddress, metricsPort } = this.#options;
    this.#telemetry = new ServerTelemetry(this.#options, this.server, {
      tensorBytesUsed: () => this.#arena.used,
      tensorBytesTotal: this.#arena.capacity,
      connections: () => this.#http?.connections ?? 0,
      sockets: () => this.#sockets?.counts ?? null,
      rateLimiter: () => this.#gates,
      localCache: () => (this.#store instanceof LocalStore ? this.#store.counts : null),
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

/** Null = no answers are kept. */
function openStore({ responseCache }: Options, log: Log): ResponseStore | null {
  if (responseCache === null) return null;
  if (responseCache.kind === 'redis') return new RedisStore(responseCache, systemClock, log);
  return new LocalStore(responseCache.bytes, systemClock);
}

function headerForward(pattern: RegExp | null): HeaderForward | null {
  return pattern === null ? null : new HeaderForward(pattern);
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
