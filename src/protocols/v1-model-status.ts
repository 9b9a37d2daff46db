import type { ModelConfig } from '../config/model-config.js';
import type { ServedModel } from '../core/served-model.js';
import type { InferenceServer } from '../core/server.js';
import type { RequestSize } from '../telemetry/request-counters.js';
import { invalid } from '../types/errors.js';
import type { VersionState } from '../types/model.js';

type ByName = Record<string, { config: object; version_status: Record<string, object> }>;

/**
 * `model_status` of a ServerStatus: models whose configuration was understood once, and all their versions that are known.
 * @param only '' = all; throws INVALID_ARGUMENT where there is no such model
 */
export function v1ModelStatus(server: InferenceServer, only: string): ByName {
  const status: ByName = Object.create(null);
  for (const [name, config] of server.configs()) {
    if (only === '' || only === name) status[name] = { config: v1Config(config), version_status: {} };
  }
  if (only !== '' && status[only] === undefined) throw invalid(`no status available for unknown model '${only}'`);
  for (const { name, version, state } of server.states()) {
    if (version !== undefined && status[name] !== undefined)
      status[name].version_status[version] = { ready_state: readyStates[state ?? 'UNKNOWN'] };
  }
  for (const model of server.loaded()) {
    if (status[model.name] !== undefined) status[model.name]!.version_status[model.version] = versionStatus(model);
  }
  return status;
}

const readyStates: Readonly<Record<VersionState, string>> = {
  UNKNOWN: 'MODEL_UNKNOWN',
  READY: 'MODEL_READY',
  UNAVAILABLE: 'MODEL_UNAVAILABLE',
  LOADING: 'MODEL_LOADING',
  UNLOADING: 'MODEL_UNLOADING',
};

function versionStatus({ isReady, statistics }: ServedModel): object {
  return {
    ready_state: isReady ? 'MODEL_READY' : 'MODEL_UNAVAILABLE',
    infer_stats: Object.fromEntries(statistics.requests.sizes().map((size) => [size.rows, inferStats(size)])),
    model_execution_count: statistics.executions,
    model_inference_count: statistics.rows,
  };
}

function inferStats({ count, us, failed, failedUs, computeUs, queueUs }: RequestSize): object {
  return {
    success: duration(count, us),
    failed: duration(failed, failedUs),
    compute: duration(count, computeUs),
    queue: duration(count, queueUs),
  };
}

function duration(count: number, us: number): object {
  return { count, total_time_ns: Math.round(us * 1000) };
}

/** Names of platforms that 19.11 does not have are those of our backends. */
function v1Config(config: ModelConfig): object {
  const platform = config.platform || config.backend;
  const instance_group = config.instance_group.map((group) => ({ ...group, profile: group.profile[0] ?? '' }));
  return { ...config, platform, instance_group };
}
