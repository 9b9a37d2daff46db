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
        attribute('explicit_paddings', ints(kind === 'EXPLICIT' ? [0, 0, 0, 0, 1, 1, 1, 1] : [])),
        attribute('data_format', string('NCHW')),
      ],
    ),
  ]);
}

test.each([
  ['VALID', 2],
  ['SAME', 2],
  ['EXPLICIT', 3],
])('zeros that are put around images can be the largest, with padding %s', async (kind, side) => {
  const image = floats([1, 1, 2, 2], [-1, -2, -3, -4]);
  const zeros = new Array<number>(side * side).fill(0);
  // In the middle of an odd number of windows there are none.
  if (side === 3) zeros[4] = -1;
  await checkAnswers(convertGraph(pooled(kind), NOTHING), { x: image }, { y: floats([1, 1, side, side], zeros) });
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
