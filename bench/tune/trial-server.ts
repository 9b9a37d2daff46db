import { fileURLToPath } from 'node:url';
import { defaultOptions } from '../load/default-options.js';
import { silentProgress } from '../load/measure/progress.js';
import { networkParts } from '../load/network-parts.js';
import type { LoadOptions } from '../load/options.js';
import type { LoadResult } from '../load/report.js';
import { runLoad } from '../load/run-load.js';
import { ServerProcess } from '../server/server-process.js';
import type { ModelSettings } from './model-space.js';
import type { TuneOptions } from './options.js';
import type { RepositoryOverlay } from './repository-overlay.js';

/** How a point is measured. */
export interface Care {
  readonly intervalMs: number;
  readonly maxTrials: number;
}

/** The server with the configuration of a candidate, one at a time, each in a process of its own so that its memory is its own. */
export class TrialServer {
  readonly #options: TuneOptions;
  readonly #overlay: RepositoryOverlay;
  readonly #signal: AbortSignal;
  #server: ServerProcess | null = null;
  #served = '';

  constructor(options: TuneOptions, overlay: RepositoryOverlay, signal: AbortSignal) {
    this.#options = options;
    this.#overlay = overlay;
    this.#signal = signal;
  }

  /** Of the model as it is. */
  async settings(): Promise<ModelSettings> {
    const server = await this.#serve(this.#overlay.configText);
    const url = `http://127.0.0.1:${server.httpPort}/v2/models/${encodeURIComponent(this.#options.model)}/config`;
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`asked ${url}, got HTTP ${answer.status}: ${await answer.text()}`);
    return readSettings((await answer.json()) as ServedConfig);
  }

  /** Rejects where the server does not start with the configuration, or no request is answered well. */
  async measure(config: string, concurrency: number, { intervalMs, maxTrials }: Care): Promise<LoadResult> {
    const server = await this.#serve(config);
    const load: LoadOptions['loads'] = {
      kind: 'concurrency',
      range: { start: concurrency, end: concurrency, step: 1 },
      search: 'linear',
    };
    const { protocol, streaming, batchSize, data, sequences, model, percentile } = this.#options;
    const measurement = { ...defaultOptions.measurement, intervalMs, maxTrials, percentile };
    const port = protocol === 'grpc' ? server.grpcPort : server.httpPort;
    const { report, trouble } = await runLoad(
      {
        ...defaultOptions,
        ...{ model, protocol, streaming, batchSize, data, sequences, measurement },
        url: `127.0.0.1:${port}`,
        loads: load,
      },
      networkParts,
      { signal: AbortSignal.any([this.#signal]), progress: silentProgress, command: '' },
    );
    const result = report.results[0];
    if (result === undefined || result.requests === 0) throw new Error(trouble ?? 'nothing was measured');
    return result;
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
    this.#server = null;
    this.#served = '';
  }

  async #serve(config: string): Promise<ServerProcess> {
    if (this.#server !== null && this.#served === config) return this.#server;
    await this.stop();
    await this.#overlay.write(config);
    this.#server = await ServerProcess.start({
      mainFile: fileURLToPath(new URL('../../src/main.js', import.meta.url)),
      repository: this.#overlay.folder,
      engine: 'auto',
      grpcEngine: 'conch',
      flags: ['--model-control-mode=explicit', `--load-model=${this.#options.model}`, ...this.#options.serverFlags],
    });
    this.#served = config;
    return this.#server;
  }
}

interface ServedConfig {
  readonly name: string;
  readonly platform: string;
  readonly backend: string;
  readonly max_batch_size: number;
  readonly instance_group: readonly { readonly count: number }[];
  readonly dynamic_batching?: { readonly max_queue_delay_microseconds: number };
  readonly sequence_batching?: object;
  readonly ensemble_scheduling?: { readonly step: readonly { readonly model_name: string }[] };
  readonly parameters: Readonly<Record<string, { readonly string_value: string }>>;
}

function readSettings(config: ServedConfig): ModelSettings {
  const { dynamic_batching: dynamic, sequence_batching: sequence, ensemble_scheduling: ensemble } = config;
  return {
    name: config.name,
    scheduler: ensemble ? 'ensemble' : sequence ? 'sequence' : dynamic ? 'dynamic' : 'default',
    maxBatchSize: config.max_batch_size,
    instances: config.instance_group.reduce((sum, { count }) => sum + count, 0),
    queueDelayUs: dynamic ? Number(dynamic.max_queue_delay_microseconds) : null,
    hasThreads: config.backend === 'onnxruntime' || config.platform === 'onnxruntime_onnx',
    threads: Number(config.parameters.intra_op_thread_count?.string_value ?? 0),
    steps: ensemble?.step.map(({ model_name }) => model_name) ?? [],
  };
}
