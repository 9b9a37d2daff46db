import { expect, test } from 'vitest';
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

/** Of a graph whose last node is `y`. */
function refusal(...nodes: Parameters<typeof encode>[0]): () => void {
  return () => convertGraph(encode(nodes), { inputs: [], outputs: [{ name: 'y', shape: null }] });
}

test('a list of elements that are not of one size is refused', () => {
  const [open, two] = [constant('open', [1], Int32Array.of(-1)), constant('two', [], Int32Array.of(2))];
  const places = [0, 1].map((place) => constant(`place${place}`, [], Int32Array.of(place)));
  const list = node('list', 'TensorListReserve', ['open', 'two'], [attribute('element_dtype', FLOAT)]);
  expect(
    refusal(
      placeholder('x', [6]),
      open,
      constant('lengths', [2], Int32Array.of(2, 4)),
      node('parts', 'TensorListSplit', ['x', 'open', 'lengths']),
      node('y', 'TensorListStack', ['parts', 'open']),
    ),
  ).toThrow("TensorListSplit 'parts' (parts of different lengths: 2 and 4)");
  expect(refusal(open, two, list, node('y', 'TensorListConcatV2', ['list', 'open', 'open']))).toThrow(
    "TensorListConcatV2 'y' (the lengths of the elements are not known, and may differ)",
  );
  expect(
    refusal(
      ...[placeholder('a', [2]), placeholder('b', [3]), open, two, ...places, list],
      node('first', 'TensorListSetItem', ['list', 'place0', 'a']),
      node('both', 'TensorListSetItem', ['first', 'place1', 'b']),
      node('y', 'TensorListStack', ['both', 'open']),
    ),
  ).toThrow("TensorListSetItem 'both' (a list of elements of different shapes: [2] and [3])");
});
