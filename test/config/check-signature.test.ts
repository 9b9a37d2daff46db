import { describe, expect, test } from 'vitest';
import { checkSignature } from '../../src/config/check-signature.js';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import type { ModelSignature } from '../../src/types/model.js';
import { refusal } from './refusal.js';
import { signature } from './signatures.js';

const check = (text: string, model: ModelSignature): string =>
  refusal(() => checkSignature(parseModelConfig(`name: "m" ${text}`, 'config.pbtxt'), model));
const unable = "Invalid argument: unable to load model 'm', ";
const input = (fields: string) => `input { name: "x" data_type: TYPE_FP32 ${fields} }`;
const output = (fields: string) => `output { name: "z" data_type: TYPE_FP32 ${fields} }`;

describe('inputs', () => {
  const batching = signature(['x FP32 [-1,3,-1]'], ['z FP32 [-1,8]']);

  test.each([
    [`max_batch_size: 8 ${input('dims: [ 3, -1 ]')}`],
    [`max_batch_size: 8 ${input('dims: [ 3, 5 ]')}`],
    [`max_batch_size: 8 ${input('dims: [ 15 ] reshape { shape: [ 3, 5 ] }')}`],
    [input('dims: [ -1, 3, -1 ]')],
    [input('dims: [ 2, 3, 4 ]')],
  ])('may be stricter than the model: %s', (text) => {
    expect(check(text, batching)).toBe('accepted');
  });

  test('with another rank are refused with both whole shapes and the way out', () => {
    expect(check(`max_batch_size: 8 ${input('dims: [ 3 ]')}`, batching)).toBe(
      "Invalid argument: model 'm', tensor 'x': the model expects 3 dimensions (shape [-1,3,-1]) but the model configuration specifies 2 " +
        'dimensions (an initial batch dimension because max_batch_size > 0 followed by the explicit tensor shape, making complete shape [-1,3]). ' +
        'To fit the model, dims should be [3,-1]',
    );
    expect(check(input('dims: [ 3, -1 ]'), batching)).toBe(
      "Invalid argument: model 'm', tensor 'x': the model expects 3 dimensions (shape [-1,3,-1]) but the model configuration specifies 2 " +
        'dimensions (shape [3,-1]). To fit the model, dims should be [-1,3,-1]',
    );
  });

  test('may not be looser than the model, and the reshape is what it sees', () => {
    expect(check(`max_batch_size: 8 ${input('dims: [ -1, -1 ]')}`, batching)).toContain(
      'making complete shape [-1,-1,-1])',
    );
    expect(check(`max_batch_size: 8 ${input('dims: [ 3, 5 ] reshape { shape: [ 15 ] }')}`, batching)).toContain(
      'making complete shape [-1,15]). To fit the model, reshape.shape should be [3,-1]',
    );
  });

  test.each([['[4,3]'], ['[]'], ['[1]']])('a model with the shape %s does not batch', (shape) => {
    const model = signature([`x FP32 ${shape}`], []);
    expect(check(`max_batch_size: 8 ${input('dims: [ 3 ]')}`, model)).toBe(
      "Invalid argument: model 'm', tensor 'x': for the model to support batching the shape should have at least 1 dimension and the " +
        `first dimension must be -1; but shape expected by the model is ${shape}. ` +
        'Set max_batch_size to 0 and write the full shape into dims, or export the model with a symbolic first dimension',
    );
  });

  test('a scalar is one element', () => {
    const scalar = signature(['x FP32 []'], []);
    expect(check(input('dims: [ 1 ]'), scalar)).toBe('accepted');
    expect(check(input('dims: [ 2 ]'), scalar)).toBe(
      `${unable}scalar tensor 'x', should only provide 1 in the model configuration when the model doesn't support batching. Model configuration provided: [2].`,
    );
  });

  test('have the datatype of the model', () => {
    expect(check('input { name: "x" data_type: TYPE_STRING dims: [ 1 ] }', signature(['x INT32 [1]'], []))).toBe(
      `${unable}configuration expects datatype TYPE_STRING for input 'x', model provides TYPE_INT32`,
    );
  });

  test('are optional only without batching', () => {
    const model = signature(['x FP32 [-1,1]'], []);
    expect(check(input('dims: [ 1, 1 ] optional: true'), model)).toBe('accepted');
    expect(check(`max_batch_size: 1 ${input('dims: [ 1 ] optional: true')}`, model)).toContain(
      `${unable}optional input 'x' is not supported for models that support batching`,
    );
  });

  test('are one row where they are ragged', () => {
    const text = `max_batch_size: 8 ${input('dims: [ -1 ] allow_ragged_batch: true')}`;
    expect(check(text, signature(['x FP32 [-1]'], []))).toBe('accepted');
    expect(check(text, signature(['x FP32 [-1,-1]'], []))).toBe(
      `${unable}configuration expects model provides input with shape [-1]  for ragged input 'x', model provides [-1,-1]`,
    );
  });

  test('are not ragged and optional', () => {
    expect(check(input('dims: [ -1 ] allow_ragged_batch: true optional: true'), signature(['x FP32 [-1]'], []))).toBe(
      `${unable}configuration expects model provides input with shape [-1] for ragged input 'x', which is not supported for optional input`,
    );
  });
});

describe('batch inputs', () => {
  const text = (kind: string, dims = '-1, -1') =>
    `max_batch_size: 8 ${input(`dims: [ ${dims} ] allow_ragged_batch: true`)} batch_input { kind: ${kind} target_name: "b" data_type: TYPE_INT32 source_input: "x" }`;

  test.each([
    ['BATCH_ELEMENT_COUNT', 'b INT32 [-1]'],
    ['BATCH_ELEMENT_COUNT', 'b INT32 [1]'],
    ['BATCH_ITEM_SHAPE', 'b INT32 [-1,2]'],
    ['BATCH_ITEM_SHAPE', 'b INT32 [-1,-1]'],
    ['BATCH_ITEM_SHAPE', 'b INT32 [8,-1]'],
    ['BATCH_ITEM_SHAPE_FLATTEN', 'b INT32 [-1]'],
  ])('%s is %s in the model', (kind, tensor) => {
    expect(check(text(kind), signature(['x FP32 [-1]', tensor], []))).toBe('accepted');
  });

  test('of the shapes of rows, without batching, take the first dimension for them', () => {
    const nobatch = text('BATCH_ITEM_SHAPE', '-1, 4, 4').replace('max_batch_size: 8', '');
    expect(check(nobatch, signature(['x FP32 [-1]', 'b INT32 [-1,2]'], []))).toBe('accepted');
  });

  test('have the type, the name and the shape of the model', () => {
    const ofModel = (tensor: string) => signature(['x FP32 [-1]', tensor], []);
    expect(check(text('BATCH_ELEMENT_COUNT'), ofModel('b FP32 [-1]'))).toBe(
      `${unable}configuration expects datatype TYPE_INT32 for batch input 'b', model provides TYPE_FP32`,
    );
    expect(check(text('BATCH_ELEMENT_COUNT'), ofModel('c INT32 [-1]'))).toBe(
      "Invalid argument: unexpected inference input 'b', allowed inputs are: c, x",
    );
    expect(check(text('BATCH_ELEMENT_COUNT'), ofModel('b INT32 [-1,1]'))).toBe(
      `${unable}configuration expects model provides input with shape [-1] for batch input 'b', model provides [-1,1]`,
    );
    expect(check(text('BATCH_ITEM_SHAPE'), ofModel('b INT32 [-1,3]'))).toBe(
      `${unable}configuration expects model provides input with shape [-1,2] for batch input 'b', model provides [-1,3]`,
    );
  });
});

describe('which inputs there are', () => {
  const model = signature(['x FP32 [1]', 'y FP32 [1]'], [], ['w FP32 [1]']);
  const x = input('dims: [ 1 ]');
  const other = (name: string) => `input { name: "${name}" data_type: TYPE_FP32 dims: [ 1 ] }`;

  test('those with a value of their own may be listed', () => {
    expect(check(`${x} ${other('y')}`, model)).toBe('accepted');
    expect(check(`${x} ${other('y')} ${other('w')}`, model)).toBe('accepted');
  });

  test('the numbers must agree', () => {
    expect(check(x, model)).toBe(`${unable}configuration expects 1 inputs, model provides 2; not configured: 'y'`);
    expect(check(`${x} ${other('w')}`, model)).toBe(
      `${unable}configuration expects 2 inputs, model provides 3; not configured: 'y'`,
    );
    expect(check(`${x} ${other('y')} ${other('q')}`, model)).toBe(
      `${unable}configuration expects 3 inputs, model provides 2; not in the model: 'q'`,
    );
  });

  test('the names must agree', () => {
    expect(check(`${x} ${other('q')}`, model)).toBe(
      "Invalid argument: unexpected inference input 'q', allowed inputs are: w, x, y",
    );
  });

  test('controls, states and batch inputs count', () => {
    const sequence = signature(
      ['x FP32 [-1,1]', 'start INT32 [-1,1]', 's FP32 [-1,2]', 'b FP32 [-1]'],
      ['t FP32 [-1,2]'],
    );
    expect(
      check(
        `max_batch_size: 4 ${x} batch_input { target_name: "b" source_input: "x" data_type: TYPE_FP32 } sequence_batching {
           control_input { name: "start" control { int32_false_true: [ 0, 1 ] } }
           state { input_name: "s" output_name: "t" data_type: TYPE_FP32 dims: [ 2 ] } }`,
        sequence,
      ),
    ).toBe('accepted');
  });
});

describe('outputs', () => {
  const model = signature([], ['z FP32 [-1,-1,8]']);

  test('are as the model says, or stricter where it leaves a dimension open', () => {
    expect(check(`max_batch_size: 8 ${output('dims: [ -1, 8 ]')}`, model)).toBe('accepted');
    expect(check(`max_batch_size: 8 ${output('dims: [ 3, 8 ]')}`, model)).toBe('accepted');
    expect(check(output('dims: [ -1, -1, 8 ]'), model)).toBe('accepted');
    expect(check(output('dims: [ 1, -1, 8 ]'), model)).toBe('accepted');
    expect(check(`max_batch_size: 8 ${output('dims: [ 3, 4 ]')}`, model)).toContain(
      'To fit the model, dims should be [-1,8]',
    );
    expect(check(`max_batch_size: 8 ${output('dims: [ -1, -1 ]')}`, model)).toContain('should be [-1,8]');
    expect(check(output('dims: [ 1, -1, -1 ]'), model)).toContain('should be [-1,-1,8]');
  });

  test('need not all be listed', () => {
    expect(check('', model)).toBe('accepted');
  });

  test('are in the model, with their datatype', () => {
    expect(check('output { name: "q" }', signature([], ['z FP32 [1]', 'a FP32 [1]']))).toBe(
      "Invalid argument: unexpected inference output 'q', allowed outputs are: a, z",
    );
    expect(check('output { name: "z" data_type: TYPE_INT8 dims: 1 }', signature([], ['z BOOL [1]']))).toBe(
      `${unable}configuration expects datatype TYPE_INT8 for output 'z', model provides TYPE_BOOL`,
    );
  });

  test('that are scattered have the shape of their source', () => {
    const text = `max_batch_size: 8 ${output('dims: [ 5 ]')} batch_output { target_name: "z" source_input: "x" }`;
    expect(check(text, model)).toBe('accepted');
  });
});

describe('sequences', () => {
  const sequence = (fields: string) => `max_batch_size: 4 sequence_batching { ${fields} }`;
  const control = (fields: string) => sequence(`control_input { name: "c" control { ${fields} } }`);

  test.each([
    ['kind: CONTROL_SEQUENCE_START fp32_false_true: [ 0, 1 ]', 'c FP32 [-1,1]'],
    ['kind: CONTROL_SEQUENCE_START bool_false_true: [ false, true ]', 'c BOOL [-1,1]'],
    ['kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_UINT64', 'c UINT64 [-1,1]'],
    ['kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_STRING', 'c BYTES [-1,1]'],
  ])('%s feeds %s', (fields, tensor) => {
    expect(check(control(fields), signature([tensor], []))).toBe('accepted');
  });

  test('controls are inputs of one element and of their datatype', () => {
    const start = control('kind: CONTROL_SEQUENCE_START int32_false_true: [ 0, 1 ]');
    expect(check(start, signature([], []))).toBe(
      "Internal: configuration specified sequence control 'c', but model does not provide that input",
    );
    expect(check(start, signature(['c INT32 [-1,2]'], []))).toBe(
      `${unable}sequence control 'c' in model has dims [2] but dims [1] is expected`,
    );
    expect(check(start, signature(['c FP32 [-1,1]'], []))).toBe(
      `${unable}sequence control 'c', the model expects data-type FLOAT but the model configuration specifies data-type TYPE_INT32`,
    );
  });

  test('states are in the model, on both sides, with their datatype', () => {
    const state = sequence('state { input_name: "s" output_name: "t" data_type: TYPE_FP32 dims: [ 2 ] }');
    expect(check(state, signature(['s FP32 [-1,2]'], ['t FP32 [-1,2]']))).toBe('accepted');
    expect(check(state, signature(['s FP32 [-1,2]'], ['z FP32 [-1,2]']))).toContain("unexpected inference output 't'");
    expect(check(state, signature(['r FP32 [-1,2]'], ['t FP32 [-1,2]']))).toContain("unexpected inference input 's'");
    expect(check(state, signature(['s INT8 [-1,2]'], ['t FP32 [-1,2]']))).toBe(
      `${unable}configuration expects datatype TYPE_FP32 for input state 's', model provides TYPE_INT8`,
    );
    expect(check(state, signature(['s FP32 [-1,2]'], ['t INT8 [-1,2]']))).toBe(
      `${unable}configuration expects datatype TYPE_FP32 for output state 't', model provides TYPE_INT8`,
    );
  });
});
