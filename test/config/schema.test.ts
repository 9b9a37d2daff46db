import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import type { ConfigDataType, InstanceKind, ModelInput, SequenceControl } from '../../src/config/model-config.js';
import { emptyMessage, type FieldSchema, type MessageSchema, modelConfigSchema } from '../../src/config/schema.js';
import { fullConfig } from './full-config.js';

/** Holds a message with everything set against the schema: the same names, and lists, maps and scalars in the same places. */
function compare(path: string, value: unknown, schema: MessageSchema): void {
  const message = value as Record<string, unknown>;
  expect(Object.keys(message), path).toEqual([...schema.fields.keys()]);
  for (const field of schema.fields.values()) compareField(`${path}.${field.name}`, message[field.name], field);
}

function compareField(path: string, value: unknown, field: FieldSchema): void {
  expect(Array.isArray(value), path).toBe(field.repeated);
  const items = field.repeated ? (value as unknown[]) : field.mapKey === '' ? [value] : Object.values(value as object);
  for (const item of items) {
    if (field.message !== null) compare(path, item, field.message);
    else if (field.kind === 'enum') expect(Object.keys(field.values), path).toContain(item);
    else expect(typeof item, path).toBe(javascriptType(field.scalar));
  }
}

function javascriptType(scalar: string): string {
  if (scalar === 'string') return 'string';
  return scalar === 'bool' ? 'boolean' : 'number';
}

test('the types and the message file say the same', () => {
  compare('config', fullConfig, modelConfigSchema());
});

test('the schema is read once', () => {
  expect(modelConfigSchema()).toBe(modelConfigSchema());
});

test('an empty message has its scalars, lists and maps, and nothing else', () => {
  const message = emptyMessage(modelConfigSchema());
  expect(message).toMatchObject({ name: '', max_batch_size: 0, input: [], parameters: {} });
  for (const name of ['version_policy', 'optimization', 'dynamic_batching']) expect(message).not.toHaveProperty(name);
  expect(Object.getPrototypeOf(message.parameters)).toBe(null);
});

describe('numbers on the wire', () => {
  const { root } = protobuf.parse(readFileSync('proto/model_config.proto', 'utf8'), { keepCase: true });
  const numbers = (name: string): string =>
    root
      .lookupType(`inference.${name}`)
      .fieldsArray.map((field) => `${field.name} ${field.id}`)
      .join(', ');

  test.each([
    [
      'ModelConfig',
      'name 1, platform 2, backend 17, runtime 25, version_policy 3, max_batch_size 4, input 5, output 6, batch_input 20, batch_output 21, ' +
        'optimization 12, dynamic_batching 11, sequence_batching 13, ensemble_scheduling 15, instance_group 7, default_model_filename 8, ' +
        'cc_model_filenames 9, metric_tags 10, parameters 14, model_warmup 16, model_operations 18, model_transaction_policy 19, ' +
        'model_repository_agents 23, response_cache 24, model_metrics 26',
    ],
    ['ModelRateLimiter', 'resources 1, priority 2'],
    ['ModelRateLimiter.Resource', 'name 1, global 2, count 3'],
    [
      'ModelInstanceGroup',
      'name 1, kind 4, count 2, rate_limiter 6, gpus 3, secondary_devices 8, profile 5, passive 7, host_policy 9',
    ],
    ['ModelInstanceGroup.SecondaryDevice', 'kind 1, device_id 2'],
    ['ModelTensorReshape', 'shape 1'],
    [
      'ModelInput',
      'name 1, data_type 2, format 3, dims 4, reshape 5, is_shape_tensor 6, allow_ragged_batch 7, optional 8, is_non_linear_format_io 9',
    ],
    [
      'ModelOutput',
      'name 1, data_type 2, dims 3, reshape 5, label_filename 4, is_shape_tensor 6, is_non_linear_format_io 7',
    ],
    ['BatchInput', 'kind 1, target_name 2, data_type 3, source_input 4'],
    ['BatchOutput', 'target_name 1, kind 2, source_input 3'],
    ['ModelVersionPolicy', 'latest 1, all 2, specific 3'],
    [
      'ModelOptimizationPolicy',
      'graph 1, priority 2, cuda 3, execution_accelerators 4, input_pinned_memory 5, output_pinned_memory 6, ' +
        'gather_kernel_buffer_threshold 7, eager_batching 8',
    ],
    ['ModelOptimizationPolicy.Cuda', 'graphs 1, busy_wait_events 2, graph_spec 3, output_copy_stream 4'],
    ['ModelOptimizationPolicy.Cuda.GraphSpec', 'batch_size 1, input 2, graph_lower_bound 3'],
    ['ModelOptimizationPolicy.ExecutionAccelerators', 'gpu_execution_accelerator 1, cpu_execution_accelerator 2'],
    [
      'ModelQueuePolicy',
      'timeout_action 1, default_timeout_microseconds 2, allow_timeout_override 3, max_queue_size 4',
    ],
    [
      'ModelDynamicBatching',
      'preferred_batch_size 1, max_queue_delay_microseconds 2, preserve_ordering 3, priority_levels 4, default_priority_level 5, ' +
        'default_queue_policy 6, priority_queue_policy 7',
    ],
    [
      'ModelSequenceBatching',
      'direct 3, oldest 4, max_sequence_idle_microseconds 1, control_input 2, state 5, iterative_sequence 6',
    ],
    ['ModelSequenceBatching.Control', 'kind 1, int32_false_true 2, fp32_false_true 3, bool_false_true 5, data_type 4'],
    ['ModelSequenceBatching.InitialState', 'data_type 1, dims 2, zero_data 3, data_file 4, name 5'],
    [
      'ModelSequenceBatching.State',
      'input_name 1, output_name 2, data_type 3, dims 4, initial_state 5, use_same_buffer_for_input_output 6, use_growable_memory 7',
    ],
    ['ModelSequenceBatching.StrategyDirect', 'max_queue_delay_microseconds 1, minimum_slot_utilization 2'],
    [
      'ModelSequenceBatching.StrategyOldest',
      'max_candidate_sequences 1, preferred_batch_size 2, max_queue_delay_microseconds 3, preserve_ordering 4',
    ],
    ['ModelEnsembling', 'step 1, max_inflight_requests 2'],
    ['ModelEnsembling.Step', 'model_name 1, model_version 2, input_map 3, output_map 4, model_namespace 5'],
    ['ModelWarmup', 'name 1, batch_size 2, inputs 3, count 4'],
    ['ModelWarmup.Input', 'data_type 1, dims 2, zero_data 3, random_data 4, input_data_file 5'],
    ['ModelMetrics.MetricControl', 'metric_identifier 1, histogram_options 2'],
  ])('%s', (name, expected) => {
    expect(numbers(name)).toBe(expected);
  });

  test('enumerations', () => {
    const dataTypes: Record<ConfigDataType, number> = {
      TYPE_INVALID: 0,
      TYPE_BOOL: 1,
      TYPE_UINT8: 2,
      TYPE_UINT16: 3,
      TYPE_UINT32: 4,
      TYPE_UINT64: 5,
      TYPE_INT8: 6,
      TYPE_INT16: 7,
      TYPE_INT32: 8,
      TYPE_INT64: 9,
      TYPE_FP16: 10,
      TYPE_FP32: 11,
      TYPE_FP64: 12,
      TYPE_STRING: 13,
      TYPE_BF16: 14,
    };
    const kinds: Record<InstanceKind, number> = { KIND_AUTO: 0, KIND_GPU: 1, KIND_CPU: 2, KIND_MODEL: 3 };
    const formats: Record<ModelInput['format'], number> = { FORMAT_NONE: 0, FORMAT_NHWC: 1, FORMAT_NCHW: 2 };
    const controls: Record<SequenceControl['kind'], number> = {
      CONTROL_SEQUENCE_START: 0,
      CONTROL_SEQUENCE_READY: 1,
      CONTROL_SEQUENCE_END: 2,
      CONTROL_SEQUENCE_CORRID: 3,
    };
    const values = (name: string) => root.lookupEnum(`inference.${name}`).values;
    expect(values('DataType')).toEqual(dataTypes);
    expect(values('ModelInstanceGroup.Kind')).toEqual(kinds);
    expect(values('ModelInput.Format')).toEqual(formats);
    expect(values('ModelSequenceBatching.Control.Kind')).toEqual(controls);
  });
});
