import { describe, expect, test } from 'vitest';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import { validateIo } from '../../src/config/validate.js';
import { refusal } from './refusal.js';

const verdict = (text: string): string =>
  refusal(() => validateIo(parseModelConfig(`name: "m" platform: "onnxruntime_onnx" ${text}`, 'config.pbtxt')));

describe.each(['input', 'output'])('a model %s', (kind) => {
  const tensor = (text: string) => `${kind} { name: "x" data_type: TYPE_FP32 ${text} }`;
  const refused = (what: string) => `Invalid argument: model ${kind} ${what} for m`;
  const badDims = "'x' dimension must be integer >= 1, or -1 to indicate a variable-size dimension";

  test.each([
    [`${kind} { }`, "must specify 'name'"],
    [`${kind} { name: "x" }`, "'x' must specify 'data_type'"],
    [tensor(''), "'x' must specify 'dims'"],
    [tensor('dims: [ 1, 0 ]'), badDims],
    [tensor('dims: [ 1, -2 ]'), badDims],
    [tensor('dims: [ 9007199254740993 ]'), badDims],
    [
      tensor('dims: [ 4294967296, 4294967296 ]'),
      "'x' has dims [4294967296,4294967296], of which a full batch has more than 9007199254740991 bytes",
    ],
    [
      `max_batch_size: 1024 ${tensor('dims: [ 4398046511104 ]')}`,
      "'x' has dims [4398046511104], of which a full batch has more than 9007199254740991 bytes",
    ],
    [`${tensor('dims: [ 1 ]')} ${tensor('dims: [ 1 ]')}`, "'x' is specified twice"],
    [tensor('dims: [ 1 ] is_shape_tensor: true'), "'x': shape tensors are only supported for TensorRT platform"],
    [
      tensor('dims: [ 1 ] is_non_linear_format_io: true'),
      "'x': Non-linear IO format is only supported for the TensorRT platform",
    ],
  ])('%s', (text, expected) => {
    expect(verdict(text)).toBe(refused(expected));
  });

  const SIZE = "'x' has different size for dims and reshape";
  const COUNT = "'x' has different number of variable-size dimensions for dims and reshape";

  test.each([
    ['dims: [ 2, 4, -1, 6 ] reshape { shape: [ 8, -1, 1, 6 ] }', ''],
    ['dims: [ 2, 3 ] reshape { shape: [ 6 ] }', ''],
    ['dims: [ -1 ] reshape { shape: [ 1, -1, 1 ] }', ''],
    ['dims: [ 1, 1 ] reshape { shape: [ ] }', ''],
    ['dims: [ 2, 3 ] reshape { shape: [ 5 ] }', SIZE],
    ['dims: [ 2 ] reshape { shape: [ ] }', SIZE],
    ['dims: [ -1 ] reshape { shape: [ ] }', SIZE],
    ['dims: [ 2, -1 ] reshape { shape: [ 2 ] }', SIZE],
    ['dims: [ 2 ] reshape { shape: [ 2, -1 ] }', SIZE],
    ['dims: [ 2, -1, 3 ] reshape { shape: [ 3, -1, 2 ] }', SIZE],
    ['dims: [ -1, -1 ] reshape { shape: [ -1 ] }', COUNT],
    [
      'dims: [ 1 ] reshape { shape: [ 0 ] }',
      "'x' reshape dimensions must be integer >= 1, or -1 to indicate a variable-size dimension",
    ],
  ])('with %s', (text, expected) => {
    expect(verdict(`max_batch_size: 2 ${tensor(text)}`)).toBe(expected === '' ? 'accepted' : refused(expected));
  });

  test('cannot be a scalar without batching', () => {
    expect(verdict(tensor('dims: [ 1 ] reshape { shape: [ ] }'))).toBe(
      refused("'x' cannot have empty reshape for non-batching model as scalar tensors are not supported"),
    );
  });
});

test('images have three dimensions', () => {
  const image = (dims: string) => `input { name: "x" data_type: TYPE_UINT8 format: FORMAT_NHWC dims: [ ${dims} ] }`;
  expect(verdict(image('2, 2, 3'))).toBe('accepted');
  expect(verdict(image('2, 2'))).toBe('Invalid argument: model input NHWC/NCHW require 3 dims for m');
});

describe('batch inputs and outputs', () => {
  const tensors = 'input { name: "x" data_type: TYPE_FP32 dims: 1 } output { name: "z" data_type: TYPE_FP32 dims: 1 }';

  test.each([
    ['batch_input { data_type: TYPE_INT32 }', "batch input kind 'BATCH_ELEMENT_COUNT' expects 1 source input, got 0"],
    [
      'batch_input { source_input: "x" data_type: TYPE_INT64 }',
      'batch input data type must be TYPE_INT32 or TYPE_FP32',
    ],
    ['batch_input { source_input: "y" data_type: TYPE_INT32 }', "unknown source input name 'y'"],
    [
      'batch_output { source_input: [ "x", "x" ] }',
      "batch output kind 'BATCH_SCATTER_WITH_INPUT_SHAPE' expects 1 source input, got 2",
    ],
    [
      'batch_input { source_input: "x" data_type: TYPE_INT32 target_name: [ "n", "n" ] }',
      "target input name 'n' can only be specified once",
    ],
    [
      'batch_input { source_input: "x" data_type: TYPE_INT32 target_name: "x" }',
      "target input name 'x' can only be specified once",
    ],
    [
      'max_batch_size: 2 sequence_batching { control_input { name: "c" control { int32_false_true: [ 0, 1 ] } } } batch_input { source_input: "x" data_type: TYPE_INT32 target_name: "c" }',
      "target input name 'c' can only be specified once",
    ],
    [
      'input { name: "o" data_type: TYPE_FP32 dims: 1 optional: true } batch_input { source_input: "o" data_type: TYPE_INT32 }',
      "source input name 'o' is optional, which is not supported for batch inputs",
    ],
    [
      'output { name: "w" data_type: TYPE_FP32 dims: [ 2, -1, 4 ] } batch_output { source_input: "x" target_name: "w" }',
      "target output name 'w' has a variable-size dimension 1, but source input 'x' has 1 dimensions",
    ],
    ['batch_output { source_input: "y" }', "unknown source input name 'y'"],
    ['batch_output { source_input: "x" target_name: "q" }', "unknown target output name 'q'"],
    [
      'batch_output { source_input: "x" target_name: "z" } batch_output { source_input: "x" target_name: "z" }',
      "target output name 'z' can only be specified once",
    ],
  ])('%s', (text, expected) => {
    expect(verdict(`${tensors} ${text}`)).toBe(`Invalid argument: ${expected}`);
  });

  test('are accepted where their names and kinds fit', () => {
    const both =
      'batch_input { source_input: "x" data_type: TYPE_FP32 target_name: "n" } batch_output { source_input: "x" target_name: "z" }';
    expect(verdict(`${tensors} ${both}`)).toBe('accepted');
  });
});
