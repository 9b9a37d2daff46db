import { expect, test } from 'vitest';
import type { StateLayout } from '../../src/backends/worker-protocol.js';
import { normalizeConfig } from '../../src/config/normalize.js';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import { ModelTensors } from '../../src/core/model-tensors.js';
import { type WarmupSample, warmupSamples } from '../../src/core/warmup-samples.js';
import { refusal } from '../config/refusal.js';

const NUMBERS = 'input { name: "N" data_type: TYPE_INT32 dims: [ -1, 2 ] }';
const TEXTS = 'input { name: "T" data_type: TYPE_STRING dims: [ 2 ] }';
const OPTIONAL = 'input { name: "O" data_type: TYPE_FP32 dims: [ 1 ] optional: true }';
const SEQUENCES = `sequence_batching {
  control_input { name: "START" control { kind: CONTROL_SEQUENCE_START int32_false_true: [ 3, 4 ] } }
  control_input { name: "END" control { kind: CONTROL_SEQUENCE_END fp32_false_true: [ -1, 1 ] } }
  control_input { name: "READY" control { kind: CONTROL_SEQUENCE_READY bool_false_true: [ false, true ] } }
  control_input { name: "ID" control { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_STRING } }
}`;
const STATE: StateLayout = {
  input: 'S',
  output: 'S_OUT',
  datatype: 'INT32',
  dims: [-1],
  initialDims: [2],
  initial: new Uint8Array(Int32Array.of(7, 8).buffer),
  sameBuffer: false,
};

const input = (name: string, type: string, dims: string, data = 'zero_data: true') =>
  `inputs { key: "${name}" value { data_type: TYPE_${type} dims: [ ${dims} ] ${data} } }`;
const warmup = (text: string) => `model_warmup { name: "s" ${text} }`;

interface Given {
  readonly maxBatchSize?: number;
  readonly states?: readonly StateLayout[];
  readonly files?: Readonly<Record<string, Uint8Array>>;
}

function samplesOf(config: string, { maxBatchSize = 4, states = [], files = {} }: Given = {}): WarmupSample[] {
  const text = `name: "m" max_batch_size: ${maxBatchSize} output { name: "Z" data_type: TYPE_INT32 dims: [ 1 ] } ${config}`;
  const parsed = normalizeConfig(parseModelConfig(text, 'config.pbtxt'), { gpus: [] });
  const tensors = new ModelTensors(parsed, new Map());
  return warmupSamples({ config: parsed, tensors, states, files: new Map(Object.entries(files)) });
}

const only = (config: string, given?: Given) => samplesOf(config, given)[0]!;

test('a sample is that many requests of one row, and runs that often', () => {
  const text = (sizes: string) => `${NUMBERS} ${warmup(`${sizes} ${input('N', 'INT32', '3, 2')}`)}`;
  expect(only(text('batch_size: 3 count: 5'))).toEqual({
    name: 's',
    requests: 3,
    executions: 5,
    tensors: [{ line: 0, datatype: 'INT32', dims: [1, 3, 2], bytes: 24, data: 'zero' }],
  });
  expect(only(text('batch_size: 1'))).toMatchObject({ requests: 1, executions: 1 });
  expect(only(text('batch_size: 1 count: 1'))).toMatchObject({ requests: 1, executions: 1 });
  expect(samplesOf(text('count: 5'))).toEqual([]);
});

test('a model without batching has one request, whatever the sample says, and no batch dimension', () => {
  const sample = only(`${NUMBERS} ${warmup(`batch_size: 9 ${input('N', 'INT32', '3, 2')}`)}`, { maxBatchSize: 0 });
  expect(sample).toMatchObject({ requests: 1, tensors: [{ dims: [3, 2], bytes: 24 }] });
});

test('the backend sees the shape behind `reshape`', () => {
  const reshaped = 'input { name: "N" data_type: TYPE_INT8 dims: [ 4 ] reshape { shape: [ 2, 2 ] } }';
  expect(only(`${reshaped} ${warmup(`batch_size: 1 ${input('N', 'INT8', '4')}`)}`).tensors).toMatchObject([
    { dims: [1, 2, 2], bytes: 4 },
  ]);
});

test.each(['zero_data: true', 'zero_data: false', 'random_data: true'])('texts with %s are empty', (data) => {
  const sample = only(`${TEXTS} ${warmup(`batch_size: 1 ${input('T', 'STRING', '2', data)}`)}`);
  expect(sample.tensors).toEqual([{ line: 0, datatype: 'BYTES', dims: [1, 2], bytes: 8, data: 'zero' }]);
});

test('a file is the elements one after another; what is behind the last is left out', () => {
  const file = Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0, 3);
  const data = 'input_data_file: "f"';
  const numbers = only(`${NUMBERS} ${warmup(`batch_size: 1 ${input('N', 'INT32', '1, 2', data)}`)}`, {
    files: { f: file },
  });
  expect(numbers.tensors).toMatchObject([{ bytes: 8, data: file.subarray(0, 8) }]);
  const two = Uint8Array.of(1, 0, 0, 0, 65, 0, 0, 0, 0);
  const texts = only(`${TEXTS} ${warmup(`batch_size: 1 ${input('T', 'STRING', '2', data)}`)}`, { files: { f: two } });
  expect(texts.tensors).toMatchObject([{ bytes: 9, data: two }]);
});

test('optional inputs can be left out', () => {
  const text = `${NUMBERS} ${OPTIONAL} ${warmup(`batch_size: 1 ${input('N', 'INT32', '1, 2', 'random_data: true')}`)}`;
  expect(only(text, { maxBatchSize: 0 }).tensors).toEqual([
    { line: 0, datatype: 'INT32', dims: [1, 2], bytes: 8, data: 'random' },
  ]);
});

test('controls and states that are left out are those of a sequence that begins', () => {
  const text = `${NUMBERS} ${SEQUENCES} ${warmup(`batch_size: 1 ${input('N', 'INT32', '1, 2')}`)}`;
  const expected = [
    { line: 1, datatype: 'INT32', dims: [1, 1], bytes: 4, data: Uint8Array.of(4, 0, 0, 0) },
    { line: 2, datatype: 'FP32', dims: [1, 1], bytes: 4, data: new Uint8Array(Float32Array.of(-1).buffer) },
    { line: 3, datatype: 'BOOL', dims: [1, 1], bytes: 1, data: Uint8Array.of(1) },
    { line: 4, datatype: 'BYTES', dims: [1, 1], bytes: 4, data: Uint8Array.of(0, 0, 0, 0) },
    { line: 5, datatype: 'INT32', dims: [1, 2], bytes: 8, data: STATE.initial },
  ];
  expect(only(text, { states: [STATE] }).tensors.slice(1)).toEqual(expected);
  const without = only(text, { states: [STATE], maxBatchSize: 0 }).tensors.slice(1);
  expect(without.map(({ dims }) => dims)).toEqual([[1], [1], [1], [1], [2]]);
});

test('controls and states are taken as the sample gives them', () => {
  const given = [
    input('N', 'INT32', '1, 2'),
    input('START', 'INT32', '1, 1'),
    input('S', 'INT32', '1, 5', 'random_data: true'),
  ];
  const { tensors } = only(`${NUMBERS} ${SEQUENCES} ${warmup(`batch_size: 2 ${given.join(' ')}`)}`, {
    states: [STATE],
  });
  expect(tensors[1]).toEqual({ line: 1, datatype: 'INT32', dims: [1, 1], bytes: 4, data: 'zero' });
  expect(tensors[5]).toEqual({ line: 5, datatype: 'INT32', dims: [1, 5], bytes: 20, data: 'random' });
});

test('the batch dimension of controls and states may be left out', () => {
  const given = [
    input('N', 'INT32', '1, 2'),
    input('START', 'INT32', '1'),
    input('S', 'INT32', '5', 'random_data: true'),
  ];
  const text = `${NUMBERS} ${SEQUENCES} ${warmup(`batch_size: 2 ${given.join(' ')}`)}`;
  const { tensors } = only(text, { states: [STATE] });
  expect(tensors[1]).toEqual({ line: 1, datatype: 'INT32', dims: [1, 1], bytes: 4, data: 'zero' });
  expect(tensors[5]).toEqual({ line: 5, datatype: 'INT32', dims: [1, 5], bytes: 20, data: 'random' });
});

const failed = (text: string) => `Invalid argument: failed to run warmup sample 's': ${text}; `;
const N = input('N', 'INT32', '1, 2');
const FILE = 'input_data_file: "f"';
const KEPT = 'NOTE: the first dimension is that of the batch where the model batches, and may be left out.';

test.each([
  [
    'that is too short',
    `${NUMBERS} ${warmup(`batch_size: 1 ${input('N', 'INT32', '3, 2', FILE)}`)}`,
    'Invalid argument: [request id: s] warmup setting expects 24 bytes, but the data provided from fileonly has 9 bytes',
  ],
  [
    'of too few texts',
    `${TEXTS} ${warmup(`batch_size: 1 ${input('T', 'STRING', '2', FILE)}`)}`,
    failed("[request id: s] expected 2 string elements for inference input 'T' for model 'm', got 1"),
  ],
  [
    'for an unknown input',
    `${NUMBERS} ${warmup(`batch_size: 1 ${N} ${input('X', 'INT32', '1')}`)}`,
    failed("[request id: s] unexpected inference input 'X' for model 'm'"),
  ],
  [
    'without an input',
    `${NUMBERS} ${TEXTS} ${warmup(`batch_size: 1 ${N}`)}`,
    failed(
      "[request id: s] expected 2 inputs but got 1 inputs for model 'm'. Got input(s) ['N'], but missing required input(s) ['T']. " +
        'Please provide all required input(s).',
    ),
  ],
  [
    'of another datatype',
    `${NUMBERS} ${warmup(`batch_size: 1 ${input('N', 'FP32', '1, 2')}`)}`,
    failed("[request id: s] inference input 'N' data-type is 'FP32', but model 'm' expects 'INT32'"),
  ],
  [
    'of no datatype',
    `${NUMBERS} ${warmup('batch_size: 1 inputs { key: "N" value { dims: [ 1, 2 ] zero_data: true } }')}`,
    failed("[request id: s] inference input 'N' data-type is '<invalid>', but model 'm' expects 'INT32'"),
  ],
  [
    'of another shape',
    `${NUMBERS} ${warmup(`batch_size: 1 ${input('N', 'INT32', '1, 3')}`)}`,
    expect.stringContaining("unexpected shape for input 'N' for model 'm'. Expected [-1,-1,2], got [1,1,3]. NOTE: "),
  ],
  [
    'of more rows than a batch',
    `${NUMBERS} ${warmup(`batch_size: 5 ${N}`)}`,
    failed("batch size 5 for 'm', max allowed is 4"),
  ],
  [
    'with a control of another datatype',
    `${NUMBERS} ${SEQUENCES} ${warmup(`batch_size: 1 ${N} ${input('START', 'FP32', '1, 1')}`)}`,
    failed("[request id: s] inference input 'START' data-type is 'FP32', but model 'm' expects 'INT32'"),
  ],
  [
    'with a control of two elements',
    `${NUMBERS} ${SEQUENCES} ${warmup(`batch_size: 1 ${N} ${input('START', 'INT32', '2')}`)}`,
    failed(`[request id: s] unexpected shape for input 'START' for model 'm'. Expected [1,1], got [1,2]. ${KEPT}`),
  ],
  [
    'with a state of more than one row',
    `${NUMBERS} ${SEQUENCES} ${warmup(`batch_size: 1 ${N} ${input('S', 'INT32', '2, 2')}`)}`,
    failed(`[request id: s] unexpected shape for input 'S' for model 'm'. Expected [1,-1], got [2,2]. ${KEPT}`),
  ],
])('a sample is refused: %s', (_, config, expected) => {
  const files = { f: Uint8Array.of(5, 0, 0, 0, 1, 2, 3, 4, 5) };
  expect(refusal(() => samplesOf(config, { files, states: config.includes('"S"') ? [STATE] : [] }))).toEqual(expected);
});
