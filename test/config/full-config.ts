import type { ModelConfig } from '../../src/config/model-config.js';

/** Every member that the types know: the compiler refuses this file when one is missing. */
type Full<T> = T extends readonly (infer Item)[]
  ? Full<Item>[]
  : T extends object
    ? { [Key in keyof T]-?: Full<T[Key]> }
    : T;

const queuePolicy = {
  timeout_action: 'REJECT',
  default_timeout_microseconds: 0,
  allow_timeout_override: false,
  max_queue_size: 0,
} as const;

const accelerators = [{ name: '', parameters: { key: '' } }];

/** Not a configuration that could be: both branches of a oneof are there. */
export const fullConfig: Full<ModelConfig> = {
  name: '',
  platform: '',
  backend: '',
  runtime: '',
  version_policy: { latest: { num_versions: 1 }, all: {}, specific: { versions: [1] } },
  max_batch_size: 0,
  input: [
    {
      name: '',
      data_type: 'TYPE_FP32',
      format: 'FORMAT_NONE',
      dims: [1],
      reshape: { shape: [1] },
      is_shape_tensor: false,
      allow_ragged_batch: false,
      optional: false,
      is_non_linear_format_io: false,
    },
  ],
  output: [
    {
      name: '',
      data_type: 'TYPE_FP32',
      dims: [1],
      reshape: { shape: [1] },
      label_filename: '',
      is_shape_tensor: false,
      is_non_linear_format_io: false,
    },
  ],
  batch_input: [{ kind: 'BATCH_ELEMENT_COUNT', target_name: [''], data_type: 'TYPE_FP32', source_input: [''] }],
  batch_output: [{ target_name: [''], kind: 'BATCH_SCATTER_WITH_INPUT_SHAPE', source_input: [''] }],
  optimization: {
    graph: { level: 0 },
    priority: 'PRIORITY_DEFAULT',
    cuda: {
      graphs: false,
      busy_wait_events: false,
      graph_spec: [
        {
          batch_size: 0,
          input: { key: { dim: [1] } },
          graph_lower_bound: { batch_size: 0, input: { key: { dim: [1] } } },
        },
      ],
      output_copy_stream: false,
    },
    execution_accelerators: { gpu_execution_accelerator: accelerators, cpu_execution_accelerator: accelerators },
    input_pinned_memory: { enable: false },
    output_pinned_memory: { enable: false },
    gather_kernel_buffer_threshold: 0,
    eager_batching: false,
  },
  dynamic_batching: {
    preferred_batch_size: [1],
    max_queue_delay_microseconds: 0,
    preserve_ordering: false,
    priority_levels: 0,
    default_priority_level: 0,
    default_queue_policy: queuePolicy,
    priority_queue_policy: { 1: queuePolicy },
  },
  sequence_batching: {
    direct: { max_queue_delay_microseconds: 0, minimum_slot_utilization: 0 },
    oldest: {
      max_candidate_sequences: 0,
      preferred_batch_size: [1],
      max_queue_delay_microseconds: 0,
      preserve_ordering: false,
    },
    max_sequence_idle_microseconds: 0,
    control_input: [
      {
        name: '',
        control: [
          {
            kind: 'CONTROL_SEQUENCE_START',
            int32_false_true: [0],
            fp32_false_true: [0],
            bool_false_true: [false],
            data_type: 'TYPE_FP32',
          },
        ],
      },
    ],
    state: [
      {
        input_name: '',
        output_name: '',
        data_type: 'TYPE_FP32',
        dims: [1],
        initial_state: [{ data_type: 'TYPE_FP32', dims: [1], zero_data: false, data_file: '', name: '' }],
        use_same_buffer_for_input_output: false,
        use_growable_memory: false,
      },
    ],
    iterative_sequence: false,
  },
  ensemble_scheduling: {
    step: [{ model_name: '', model_version: -1, input_map: { key: '' }, output_map: { key: '' }, model_namespace: '' }],
    max_inflight_requests: 0,
  },
  instance_group: [
    {
      name: '',
      kind: 'KIND_AUTO',
      count: 0,
      rate_limiter: { resources: [{ name: '', global: false, count: 0 }], priority: 0 },
      gpus: [0],
      secondary_devices: [{ kind: 'KIND_NVDLA', device_id: 0 }],
      profile: [''],
      passive: false,
      host_policy: '',
    },
  ],
  default_model_filename: '',
  cc_model_filenames: { key: '' },
  metric_tags: { key: '' },
  parameters: { key: { string_value: '' } },
  model_warmup: [
    {
      name: '',
      batch_size: 0,
      inputs: { key: { data_type: 'TYPE_FP32', dims: [1], zero_data: false, random_data: false, input_data_file: '' } },
      count: 0,
    },
  ],
  model_operations: { op_library_filename: [''] },
  model_transaction_policy: { decoupled: false },
  model_repository_agents: { agents: [{ name: '', parameters: { key: '' } }] },
  response_cache: { enable: false },
  model_metrics: {
    metric_control: [{ metric_identifier: { family: '' }, histogram_options: { buckets: [0] } }],
  },
};
