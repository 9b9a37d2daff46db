import type { ModelConfig, ModelInstanceGroup } from './model-config.js';

/** What a configuration can ask of this machine. */
export interface Machine {
  /** CUDA devices that can be used. */
  readonly gpus: readonly number[];
  /** Instances of a CPU group that gives no count, for ONNX Runtime and TensorFlow models; absent = 2 (fact sheet 4.4). */
  readonly cpuBackendDefaultCount?: number;
}

/** Sequences that say nothing for a second are over (Triton's default). */
const DEFAULT_SEQUENCE_IDLE_US = 1_000_000;

const DEFAULT_CPU_COUNT = 2;
/** All other backends start one instance. */
const CPU_BACKENDS = ['onnxruntime', 'tensorflow'];

/** Writes out the defaults that are not proto defaults. The result says everything; normalising it again changes nothing. */
export function normalizeConfig(config: ModelConfig, machine: Machine): ModelConfig {
  const normalized: ModelConfig = {
    ...config,
    version_policy: config.version_policy ?? { latest: { num_versions: 1 } },
  };
  if (normalized.version_policy?.latest?.num_versions === 0)
    normalized.version_policy = { latest: { num_versions: 1 } };
  normalizeBatching(normalized);
  if (isEnsemble(config)) return normalized;
  normalized.optimization = {
    priority: 'PRIORITY_DEFAULT',
    gather_kernel_buffer_threshold: 0,
    eager_batching: false,
    ...config.optimization,
    input_pinned_memory: config.optimization?.input_pinned_memory ?? { enable: true },
    output_pinned_memory: config.optimization?.output_pinned_memory ?? { enable: true },
  };
  normalized.instance_group = instanceGroups(config, machine);
  return normalized;
}

export function isEnsemble(config: ModelConfig): boolean {
  return config.platform === 'ensemble' || config.ensemble_scheduling !== undefined;
}

function normalizeBatching(config: ModelConfig): void {
  const dynamic = config.dynamic_batching;
  if (dynamic !== undefined) {
    config.dynamic_batching = { ...dynamic, preferred_batch_size: preferred(dynamic.preferred_batch_size, config) };
  }
  const sequence = config.sequence_batching;
  if (sequence === undefined) return;
  config.sequence_batching = {
    ...sequence,
    max_sequence_idle_microseconds: sequence.max_sequence_idle_microseconds || DEFAULT_SEQUENCE_IDLE_US,
  };
  if (sequence.oldest === undefined) return;
  const sizes = preferred(sequence.oldest.preferred_batch_size, config);
  config.sequence_batching.oldest = { ...sequence.oldest, preferred_batch_size: sizes };
}

function preferred(sizes: number[], config: ModelConfig): number[] {
  return sizes.length === 0 && config.max_batch_size > 0 ? [config.max_batch_size] : sizes;
}

function instanceGroups(config: ModelConfig, machine: Machine): ModelInstanceGroup[] {
  if (config.instance_group.length === 0) return [finishGroup(emptyGroup(config.name), config, machine)];
  return config.instance_group.map((group, index) =>
    finishGroup({ ...group, name: group.name || `${config.name}_${index}` }, config, machine),
  );
}

function emptyGroup(name: string): ModelInstanceGroup {
  return {
    name,
    kind: 'KIND_AUTO',
    count: 0,
    gpus: [],
    secondary_devices: [],
    profile: [],
    passive: false,
    host_policy: '',
  };
}

function finishGroup(group: ModelInstanceGroup, config: ModelConfig, machine: Machine): ModelInstanceGroup {
  const kind = group.kind === 'KIND_AUTO' ? autoKind(group, machine) : group.kind;
  const count = group.count >= 1 ? group.count : defaultCount(kind, config, machine);
  const gpus = kind === 'KIND_GPU' && group.gpus.length === 0 ? [...machine.gpus] : group.gpus;
  return { ...group, kind, count, gpus };
}

function autoKind(group: ModelInstanceGroup, machine: Machine): 'KIND_CPU' | 'KIND_GPU' {
  const isThere = machine.gpus.length > 0 && group.gpus.every((gpu) => machine.gpus.includes(gpu));
  return isThere ? 'KIND_GPU' : 'KIND_CPU';
}

function defaultCount(kind: ModelInstanceGroup['kind'], config: ModelConfig, machine: Machine): number {
  if (kind !== 'KIND_CPU' || !CPU_BACKENDS.includes(config.backend)) return 1;
  return machine.cpuBackendDefaultCount ?? DEFAULT_CPU_COUNT;
}
