import { describe, expect, test } from 'vitest';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import { validateSequence } from '../../src/config/validate-sequence.js';
import { refusal } from './refusal.js';

const verdict = (text: string): string =>
  refusal(() =>
    validateSequence(parseModelConfig(`name: "m" max_batch_size: 4 sequence_batching { ${text} }`, 'config.pbtxt')),
  );
const START = 'CONTROL_SEQUENCE_START';
const CORRID = 'CONTROL_SEQUENCE_CORRID';
const control = (name: string, fields: string) => `control_input { name: "${name}" control { ${fields} } }`;
const int32 = 'int32_false_true: [ 0, 1 ]';
const lists = "'int32_false_true', 'fp32_false_true'";

describe('controls', () => {
  test.each([
    [control('', int32), 'sequence batching control tensor must have a name for m'],
    [
      `${control('c', int32)} ${control('c', `kind: CONTROL_SEQUENCE_END ${int32}`)}`,
      "sequence batching control tensor 'c' is specified for multiple control kinds for m",
    ],
    [
      `control_input { name: "c" control [ { ${int32} }, { kind: CONTROL_SEQUENCE_END ${int32} } ] }`,
      "sequence batching control tensor 'c' is specified for multiple control kinds for m",
    ],
    [`${control('c', int32)} ${control('d', int32)}`, `sequence batching specifies multiple ${START} tensors for m`],
    [control('c', ''), `sequence batching must specify either ${lists} or 'bool_false_true' for ${START} for m`],
    [
      control('c', `${int32} bool_false_true: [ false, true ]`),
      `sequence batching specifies more than one from ${lists} and 'bool_false_true' for ${START} for m`,
    ],
    [
      control('c', 'kind: CONTROL_SEQUENCE_READY fp32_false_true: [ 1 ]'),
      "sequence batching control 'fp32_false_true' must have exactly 2 entries for CONTROL_SEQUENCE_READY for m",
    ],
    [
      control('c', `kind: ${CORRID} data_type: TYPE_UINT64 ${int32}`),
      `sequence batching must not specify either ${lists} or 'bool_false_true' for ${CORRID} for m`,
    ],
    [
      control('c', `kind: ${CORRID} data_type: TYPE_FP32`),
      `unexpected data type for control ${CORRID} for m. Allowed data types are TYPE_UINT64, TYPE_INT64, TYPE_UINT32, TYPE_INT32 and TYPE_STRING`,
    ],
  ])('%s', (text, expected) => {
    expect(verdict(text)).toBe(`Invalid argument: ${expected}`);
  });

  test('one tensor for each kind, or none at all', () => {
    expect(verdict('')).toBe('accepted');
    expect(
      verdict(
        control('a', int32) +
          control('b', 'kind: CONTROL_SEQUENCE_READY fp32_false_true: [ 0, 1 ]') +
          control('c', 'kind: CONTROL_SEQUENCE_END bool_false_true: [ false, true ]') +
          control('d', `kind: ${CORRID} data_type: TYPE_STRING`),
      ),
    ).toBe('accepted');
  });
});

describe('strategies', () => {
  test.each([
    ['oldest { preferred_batch_size: 0 }', 'sequence batching preferred batch size must be positive for m'],
    ['oldest { preferred_batch_size: 5 }', 'sequence batching preferred batch size must be <= max batch size for m'],
    [
      'direct { minimum_slot_utilization: 1.5 }',
      'sequence batching minimum slot utilization must be in range (0.0, 1.0] for m',
    ],
    [
      'direct { minimum_slot_utilization: -0.5 }',
      'sequence batching minimum slot utilization must be in range (0.0, 1.0] for m',
    ],
    [
      'direct { minimum_slot_utilization: nan }',
      'sequence batching minimum slot utilization must be in range (0.0, 1.0] for m',
    ],
  ])('%s', (text, expected) => {
    expect(verdict(text)).toBe(`Invalid argument: ${expected}`);
  });

  test.each([
    'oldest { preferred_batch_size: [ 1, 4 ] }',
    'direct { minimum_slot_utilization: 0 }',
    'direct { minimum_slot_utilization: 1 }',
  ])('accepted: %s', (text) => {
    expect(verdict(text)).toBe('accepted');
  });
});

describe('states', () => {
  const state = (text: string) =>
    `state { input_name: "s" output_name: "t" data_type: TYPE_FP32 dims: [ 2, -1 ] ${text} }`;
  const initial = (text: string) => state(`initial_state { ${text} }`);
  const good = 'name: "i" data_type: TYPE_FP32 dims: [ 2, 3 ] zero_data: true';

  test.each([
    [`${state('')} ${state('')}`, "State input name 's' specified more than once."],
    [
      state(`initial_state [ { ${good} }, { ${good} } ]`),
      "initial_state field for state input 's' must contain exactly one or zero element. Found '2' elements.",
    ],
    [
      initial('name: "i" data_type: TYPE_INT8 dims: [ 2, 3 ] zero_data: true'),
      "The data type used for 'initial_state' field of state 's' does not match the state data type.",
    ],
    [
      initial('data_type: TYPE_FP32 dims: [ 2, 3 ] zero_data: true'),
      "Field 'name' must be set when using initial_state for state input 's'.",
    ],
    [
      initial('name: "i" data_type: TYPE_FP32 dims: [ 2 ] zero_data: true'),
      "Number of dimensions in 'initial_state' doesn't match the size of 'state' dimensions for state input 's'. 1 != 2",
    ],
    [
      initial('name: "i" data_type: TYPE_FP32 dims: [ 2, -1 ] zero_data: true'),
      "'initial_state' field for state input name 's' contains variable dimensions.",
    ],
    [
      initial('name: "i" data_type: TYPE_FP32 dims: [ 3, 3 ] zero_data: true'),
      "'initial_state' dim for input name 's' doesn't match 'state' dim description. 3 != 2",
    ],
    [
      initial('name: "i" data_type: TYPE_FP32 dims: [ 2, 3 ]'),
      "initial_state setting expects state's' to have state_data set",
    ],
    ['state { input_name: "s" }', "state input 's' must specify 'data_type' for m"],
    [
      'state { input_name: "s" data_type: TYPE_FP32 dims: 0 }',
      "state input 's' dimension must be integer >= 1, or -1 to indicate a variable-size dimension for m",
    ],
    [
      state('use_growable_memory: true'),
      "state input 's' sets 'use_growable_memory' for m, which needs 'use_same_buffer_for_input_output' and instances of KIND_GPU",
    ],
  ])('%s', (text, expected) => {
    expect(verdict(text)).toBe(`Invalid argument: ${expected}`);
  });

  test('with and without a first value are accepted', () => {
    expect(verdict(state(''))).toBe('accepted');
    expect(verdict(initial(good))).toBe('accepted');
    expect(verdict(initial('name: "i" data_type: TYPE_FP32 dims: [ 2, 3 ] data_file: "f"'))).toBe('accepted');
  });
});
