import { describe, expect, test } from 'vitest';
import { autocomplete } from '../../src/config/autocomplete.js';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import type { ModelSignature } from '../../src/types/model.js';
import { refusal } from './refusal.js';
import { signature } from './signatures.js';

const complete = (text: string, model: ModelSignature, defaultMaxBatchSize = 4) =>
  autocomplete(parseModelConfig(`name: "m" ${text}`, 'config.pbtxt'), model, { defaultMaxBatchSize });

/** Maximum batch size, preferred batch sizes, dims of inputs and outputs. */
const summary = (text: string, model: ModelSignature, defaultMaxBatchSize?: number): string => {
  const { config } = complete(text, model, defaultMaxBatchSize);
  const tensors = (list: typeof config.input | typeof config.output) =>
    list
      .map(({ name, dims, reshape }) => `${name}[${dims}]${reshape === undefined ? '' : `->[${reshape.shape}]`}`)
      .join(' ');
  const preferred = config.dynamic_batching?.preferred_batch_size.join(',') ?? 'none';
  return `${config.max_batch_size} ${preferred}: ${tensors(config.input)} => ${tensors(config.output)}`;
};

const batching = signature(['x FP32 [-1,3,-1]', 'y INT64 [-1]'], ['z BYTES [-1,8]']);
const fixed = signature(['x FP32 [1,3]', 'y INT64 []'], ['z BYTES [-1,8]']);

describe('a model whose tensors all begin with a symbolic dimension', () => {
  test.each([
    ['', '4 4: x[3,-1] y[1]->[] => z[8]'],
    ['max_batch_size: 16', '16 16: x[3,-1] y[1]->[] => z[8]'],
    ['max_batch_size: 1', '1 none: x[3,-1] y[1]->[] => z[8]'],
    ['dynamic_batching { preferred_batch_size: 2 }', '4 2: x[3,-1] y[1]->[] => z[8]'],
    ['sequence_batching { }', '4 none: x[3,-1] y[1]->[] => z[8]'],
    ['output { name: "mine" dims: [ 7 ] }', '4 4: x[3,-1] y[1]->[] => mine[7]'],
    ['input { name: "mine" dims: [ 7 ] }', '4 4: mine[7] => z[8]'],
    ['batch_input { target_name: "x" }', '4 4:  => z[8]'],
  ])('is completed for batches: %s', (text, expected) => {
    expect(summary(text, batching)).toBe(expected);
  });

  test('stays unbatched where the default is 0', () => {
    expect(summary('', batching, 0)).toBe('0 none: x[-1,3,-1] y[-1] => z[-1,8]');
    expect(summary('max_batch_size: 2', batching, 0)).toBe('2 2: x[3,-1] y[1]->[] => z[8]');
  });

  test('does not get a batcher for batches of one', () => {
    expect(summary('', batching, 1)).toBe('1 none: x[3,-1] y[1]->[] => z[8]');
  });
});

describe('a model with a fixed first dimension or a scalar', () => {
  test('keeps its full shapes, a scalar is one element', () => {
    expect(summary('', fixed)).toBe('0 none: x[1,3] y[1] => z[-1,8]');
  });

  test('is refused where the configuration batches', () => {
    expect(refusal(() => complete('max_batch_size: 8', fixed))).toBe(
      "Invalid argument: autofill failed for model 'm': model does not support batching while non-zero max_batch_size is specified",
    );
  });
});

test('types come from the file, and the configuration it was given stays', () => {
  const config = parseModelConfig('name: "m"', 'config.pbtxt');
  const completed = autocomplete(config, batching, { defaultMaxBatchSize: 4 }).config;
  expect([...completed.input, ...completed.output].map(({ data_type }) => data_type)).toEqual([
    'TYPE_FP32',
    'TYPE_INT64',
    'TYPE_STRING',
  ]);
  expect(config).toEqual(parseModelConfig('name: "m"', 'config.pbtxt'));
});

test('a configuration with inputs and outputs is left alone, with a note', () => {
  const { config, notes } = complete('input { name: "a" } output { name: "b" }', batching);
  expect(config.max_batch_size).toBe(0);
  expect(config.dynamic_batching).toBeUndefined();
  expect(notes).toEqual(["model 'm': inputs and outputs already specified, skipping auto-complete"]);
});

test('controls and states of a sequence are no inputs of clients', () => {
  const text = 'sequence_batching { control_input { name: "y" } state { input_name: "s" output_name: "t" } }';
  const model = signature(['x FP32 [-1,2]', 'y INT32 [-1,1]', 's FP32 [-1,2]'], ['z FP32 [-1,2]', 't FP32 [-1,2]']);
  expect(complete(text, model).config.input.map(({ name }) => name)).toEqual(['x']);
});
