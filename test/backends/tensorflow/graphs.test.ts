import { test } from 'vitest';
import { convertGraph } from '../../../src/backends/tensorflow/convert.js';
import { encode } from '../onnx-builder.js';
import { checkAnswers, type Encoded } from './cases.js';
import { attribute, constant, FLOAT, ints, node, placeholder, string } from './graph-builder.js';

const NOTHING = { inputs: [], outputs: [] };

function floats(dims: readonly number[], values: readonly number[]): Encoded {
  return { type: 'float32', dims, data: Buffer.from(Float32Array.from(values).buffer).toString('base64') };
}

const padding = constant('around', [4, 2], Int32Array.of(0, 0, 0, 0, 1, 1, 1, 1));

function pooled(kind: string) {
  return encode([
    placeholder('x', [1, 1, 2, 2]),
    padding,
    node('wide', 'Pad', ['x', 'around']),
    node(
      'y',
      'MaxPool',
      ['wide'],
      [
        attribute('T', FLOAT),
        attribute('ksize', ints([1, 1, 2, 2])),
        attribute('strides', ints([1, 1, 2, 2])),
        attribute('padding', string(kind)),
        attribute('data_format', string('NCHW')),
      ],
    ),
  ]);
}

test.each(['VALID', 'SAME'])('zeros that are put around images can be the largest, with padding %s', async (kind) => {
  const image = floats([1, 1, 2, 2], [-1, -2, -3, -4]);
  await checkAnswers(convertGraph(pooled(kind), NOTHING), { x: image }, { y: floats([1, 1, 2, 2], [0, 0, 0, 0]) });
});

test('in a branch that is never taken there may be any op', async () => {
  const graph = encode([
    placeholder('x'),
    constant('is_training', [], false),
    node('branches', 'Switch', ['x', 'is_training']),
    node('noise', 'RandomSauce', ['branches:1']),
    node('quiet', 'Neg', ['branches']),
    node('y', 'Merge', ['quiet', 'noise']),
  ]);
  await checkAnswers(convertGraph(graph, NOTHING), { x: floats([2], [1, 2]) }, { y: floats([2], [-1, -2]) });
});
