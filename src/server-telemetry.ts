import type { ModelConfig } from './config/model-config.js';
import type { Options } from './config/options.js';
import { planeBytes } from './core/plane-bytes.js';
import type { InferenceServer } from './core/server.js';
import { customFamilies } from './telemetry/custom-metrics.js';
import { firstResponseBoundsMs, LatencyDetail } from './telemetry/latency-detail.js';
import { MetricRegistry } from './telemetry/metrics.js';
import { labelsOf, modelMetrics } from './telemetry/model-metrics.js';
import { planeMetrics } from './telemetry/plane-metrics.js';
import { ProcessMetrics } from './telemetry/process-metrics.js';
import { MachineMetrics, type ServerGauges, serverMetrics } from './telemetry/server-metrics.js';

/** What the server tells of itself: its metrics put together, and the timers that measure the process and the machine. */
export class ServerTelemetry {
  readonly registry = new MetricRegistry();
  readonly #process: ProcessMetrics;
  readonly #machine: MachineMetrics | null;

  constructor(options: Options, server: InferenceServer, gauges: ServerGauges) {
    const { metricsConfig, metricsIntervalMs, allowCpuMetrics } = options;
    this.#process = new ProcessMetrics(metricsIntervalMs);
    this.#machine = allowCpuMetrics ? new MachineMetrics(metricsIntervalMs) : null;
    this.registry.add(
      ...modelMetrics(() => meteredModels(server), { latencyCounters: metricsConfig.counterLatencies }),
      planeMetrics(() => meteredPlanes(server)),
      ...serverMetrics(gauges),
      ...this.#process.families(),
      ...(this.#machine?.families() ?? []),
    );
    this.registry.addSource(() =>
      customFamilies(
        meteredModels(server).map((model) => ({ labels: labelsOf(model), metrics: model.statistics.custom })),
      ),
    );
  }

  stop(): void {
    this.#process.stop();
    this.#machine?.stop();
  }
}

/** What `--metrics-config` asks to be kept of each model beside its counters; null = nothing. */
export function latencyDetail({ metricsConfig }: Options, config: ModelConfig): LatencyDetail | null {
  const { histogramLatencies, summaryQuantiles } = metricsConfig;
  if (!histogramLatencies && summaryQuantiles === null) return null;
  const controls = config.model_metrics?.metric_control ?? [];
  return new LatencyDetail({
    firstResponseBoundsMs: histogramLatencies ? firstResponseBoundsMs(controls) : null,
    quantiles: summaryQuantiles,
  });
}

function meteredPlanes(server: InferenceServer) {
  const models = server.loaded();
  const bytes = planeBytes(models);
  return models.map(({ name, version, config }, nth) => ({
    labels: labelsOf({ name, version, tags: config.metric_tags }),
    bytes: bytes[nth]!,
  }));
}

function meteredModels(server: InferenceServer) {
  return server.loaded().map((model) => ({
    name: model.name,
    version: model.version,
    tags: model.config.metric_tags,
    statistics: model.statistics,
    pending: model.pending,
    restarts: model.restarts,
    sequences: model.sequenceCounts(),
  }));
}
