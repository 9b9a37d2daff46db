import { describe, expect, test } from 'vitest';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import { checkRequest } from '../../src/core/check-request.js';
import { ModelTensors } from '../../src/core/model-tensors.js';

/** Key of a request to a model with the inputs A and B, whose fields are given. */
function keyOf(inputs: Readonly<Record<string, string>>, shapes: Readonly<Record<string, readonly number[]>>): string {
  const texts = Object.entries(inputs).map(
    ([name, fields]) => `input { name: "${name}" data_type: TYPE_INT8 ${fields} }`,
  );
  const config = parseModelConfig(`name: "m" max_batch_size: 8 ${texts.join(' ')}`, 'config.pbtxt');
  return checkRequest('m', new ModelTensors(config, new Map()), {
    id: '',
    priority: 0,
    timeoutUs: 0,
    sequenceId: 0,
    sequenceStart: false,
    sequenceEnd: false,
    inputs: Object.entries(shapes).map(([name, shape]) => ({
      name,
      datatype: 'INT8',
      shape,
      source: { kind: 'binary' as const, byteSize: shape.reduce((product, dim) => product * dim, 1) },
    })),
    outputs: [],
    binaryOutput: true,
    parameters: new Map(),
  }).batchKey;
}

describe('requests share a batch', () => {
  const ragged = { A: 'dims: [ -1 ] allow_ragged_batch: true', B: 'dims: [ 2 ]' };

  test('whatever the shape of a ragged input is', () => {
    expect(keyOf(ragged, { A: [1, 3], B: [1, 2] })).toBe(keyOf(ragged, { A: [2, 9], B: [2, 2] }));
  });

  test('if other inputs have equal shapes beside it', () => {
    const both = { ...ragged, B: 'dims: [ -1 ]' };
    const key = keyOf(both, { A: [1, 3], B: [1, 2] });
    expect(keyOf(both, { A: [1, 9], B: [1, 2] })).toBe(key);
    expect(keyOf(both, { B: [4, 2], A: [4, 0] })).toBe(key);
    expect(keyOf(both, { A: [1, 3], B: [1, 3] })).not.toBe(key);
  });

  test('if they have the same optional inputs', () => {
    const optional = { ...ragged, B: 'dims: [ 2 ] optional: true' };
    expect(keyOf(optional, { A: [1, 3] })).toBe(keyOf(optional, { A: [1, 4] }));
    expect(keyOf(optional, { A: [1, 3], B: [1, 2] })).not.toBe(keyOf(optional, { A: [1, 3] }));
  });
});
