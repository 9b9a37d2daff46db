import type { BatchInputKind } from '../types/batch-io.js';

/**
 * The ModelConfig message (fact sheet 4.1) with the field names of `proto/model_config.proto`, so that a file, its JSON and the code
 * are searched by one word. Repeated fields are arrays, maps are plain records, scalars are always there (proto default), unset
 * messages and unset branches of a oneof are absent, enums are their names.
 */
export interface ModelConfig {
  /** '' = the name of the directory. */
  name: string;
  platform: string;
  backend: string;
  runtime: string;
  version_policy?: ModelVersionPolicy;
  /** 0 = the model does not batch. */
  max_batch_size: number;
  input: ModelInput[];
  output: ModelOutput[];
  batch_input: BatchInput[];
  batch_output: BatchOutput[];
  optimization?: ModelOptimizationPolicy;
  dynamic_batching?: ModelDynamicBatching;
  sequence_batching?: ModelSequenceBatching;
  ensemble_scheduling?: ModelEnsembling;
  instance_group: ModelInstanceGroup[];
  default_model_filename: string;
  cc_model_filenames: Record<string, string>;
  metric_tags: Record<string, string>;
  parameters: Record<string, ModelParameter>;
  model_warmup: ModelWarmup[];
  model_operations?: ModelOperations;
  model_transaction_policy?: ModelTransactionPolicy;
  model_repository_agents?: ModelRepositoryAgents;
  response_cache?: ModelResponseCache;
  model_metrics?: ModelMetrics;
}

/** A 64-bit integer: a number where that is exact, else a bigint. */
export type Int64 = number | bigint;

export type ConfigDataType =
  | 'TYPE_INVALID'
  | 'TYPE_BOOL'
  | 'TYPE_UINT8'
  | 'TYPE_UINT16'
  | 'TYPE_UINT32'
  | 'TYPE_UINT64'
  | 'TYPE_INT8'
  | 'TYPE_INT16'
  | 'TYPE_INT32'
  | 'TYPE_INT64'
  | 'TYPE_FP16'
  | 'TYPE_FP32'
  | 'TYPE_FP64'
  | 'TYPE_STRING'
  | 'TYPE_BF16';

export interface ModelTensorReshape {
  shape: number[];
}

export interface ModelInput {
  name: string;
  data_type: ConfigDataType;
  format: 'FORMAT_NONE' | 'FORMAT_NHWC' | 'FORMAT_NCHW';
  /** Without the batch dimension where the model batches; -1 = any size. */
  dims: number[];
  reshape?: ModelTensorReshape;
  is_shape_tensor: boolean;
  allow_ragged_batch: boolean;
  optional: boolean;
  is_non_linear_format_io: boolean;
}

export interface ModelOutput {
  name: string;
  data_type: ConfigDataType;
  dims: number[];
  reshape?: ModelTensorReshape;
  label_filename: string;
  is_shape_tensor: boolean;
  is_non_linear_format_io: boolean;
}

export interface BatchInput {
  kind: BatchInputKind;
  target_name: string[];
  data_type: ConfigDataType;
  source_input: string[];
}

export interface BatchOutput {
  target_name: string[];
  kind: 'BATCH_SCATTER_WITH_INPUT_SHAPE';
  source_input: string[];
}

export interface ModelVersionPolicy {
  latest?: { num_versions: number };
  all?: Record<string, never>;
  specific?: { versions: number[] };
}

export interface ModelRateLimiter {
  resources: { name: string; global: boolean; count: number }[];
  priority: number;
}

export type InstanceKind = 'KIND_AUTO' | 'KIND_GPU' | 'KIND_CPU' | 'KIND_MODEL';

export interface ModelInstanceGroup {
  name: string;
  kind: InstanceKind;
  /** Per device where the kind is KIND_GPU. */
  count: number;
  rate_limiter?: ModelRateLimiter;
  gpus: number[];
  secondary_devices: { kind: 'KIND_NVDLA'; device_id: Int64 }[];
  profile: string[];
  /** Loaded, never given work. */
  passive: boolean;
  host_policy: string;
}

export interface PinnedMemoryBuffer {
  enable: boolean;
}

export interface Accelerator {
  name: string;
  parameters: Record<string, string>;
}

export interface CudaGraphShape {
  dim: number[];
}

export interface CudaGraphSpec {
  batch_size: number;
  input: Record<string, CudaGraphShape>;
  graph_lower_bound?: { batch_size: number; input: Record<string, CudaGraphShape> };
}

export interface ModelOptimizationPolicy {
  graph?: { level: number };
  priority: 'PRIORITY_DEFAULT' | 'PRIORITY_MAX' | 'PRIORITY_MIN';
  cuda?: { graphs: boolean; busy_wait_events: boolean; graph_spec: CudaGraphSpec[]; output_copy_stream: boolean };
  execution_accelerators?: { gpu_execution_accelerator: Accelerator[]; cpu_execution_accelerator: Accelerator[] };
  input_pinned_memory?: PinnedMemoryBuffer;
  output_pinned_memory?: PinnedMemoryBuffer;
  gather_kernel_buffer_threshold: number;
  eager_batching: boolean;
}

export interface ModelQueuePolicy {
  timeout_action: 'REJECT' | 'DELAY';
  default_timeout_microseconds: Int64;
  allow_timeout_override: boolean;
  /** 0 = unbounded. */
  max_queue_size: number;
}

export interface ModelDynamicBatching {
  preferred_batch_size: number[];
  max_queue_delay_microseconds: Int64;
  preserve_ordering: boolean;
  priority_levels: Int64;
  default_priority_level: Int64;
  default_queue_policy?: ModelQueuePolicy;
  priority_queue_policy: Record<string, ModelQueuePolicy>;
}

export interface SequenceControl {
  kind: 'CONTROL_SEQUENCE_START' | 'CONTROL_SEQUENCE_READY' | 'CONTROL_SEQUENCE_END' | 'CONTROL_SEQUENCE_CORRID';
  int32_false_true: number[];
  fp32_false_true: number[];
  bool_false_true: boolean[];
  data_type: ConfigDataType;
}

export interface SequenceInitialState {
  data_type: ConfigDataType;
  dims: number[];
  zero_data?: boolean;
  data_file?: string;
  name: string;
}

export interface SequenceState {
  input_name: string;
  output_name: string;
  data_type: ConfigDataType;
  dims: number[];
  initial_state: SequenceInitialState[];
  use_same_buffer_for_input_output: boolean;
  use_growable_memory: boolean;
}

export interface ModelSequenceBatching {
  direct?: { max_queue_delay_microseconds: Int64; minimum_slot_utilization: number };
  oldest?: {
    max_candidate_sequences: number;
    preferred_batch_size: number[];
    max_queue_delay_microseconds: Int64;
    preserve_ordering: boolean;
  };
  max_sequence_idle_microseconds: Int64;
  control_input: { name: string; control: SequenceControl[] }[];
  state: SequenceState[];
  iterative_sequence: boolean;
}

export interface ModelEnsembling {
  step: {
    model_name: string;
    model_version: Int64;
    input_map: Record<string, string>;
    output_map: Record<string, string>;
    model_namespace: string;
  }[];
  max_inflight_requests: number;
}

export interface ModelParameter {
  string_value: string;
}

export interface ModelWarmup {
  name: string;
  batch_size: number;
  inputs: Record<
    string,
    { data_type: ConfigDataType; dims: number[]; zero_data?: boolean; random_data?: boolean; input_data_file?: string }
  >;
  count: number;
}

export interface ModelOperations {
  op_library_filename: string[];
}

export interface ModelTransactionPolicy {
  decoupled: boolean;
}

export interface ModelRepositoryAgents {
  agents: { name: string; parameters: Record<string, string> }[];
}

export interface ModelResponseCache {
  enable: boolean;
}

export interface ModelMetrics {
  metric_control: {
    metric_identifier?: { family: string };
    histogram_options?: { buckets: number[] };
  }[];
}
