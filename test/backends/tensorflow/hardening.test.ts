import { expect, test } from 'vitest';
import { convertGraph } from '../../../src/backends/tensorflow/convert.js';
import { ServerError } from '../../../src/types/errors.js';
import { encode } from '../onnx-builder.js';
import { readCases } from './cases.js';
import { attribute, node, placeholder } from './graph-builder.js';

const NOTHING = { inputs: [], outputs: [] };

function failure(graph: Uint8Array): string {
  try {
    convertGraph(graph, NOTHING);
  } catch (error) {
    if (error instanceof ServerError) return `${error}`;
    throw error;
  }
  return '';
}

test('all nodes that cannot be translated are named at once', () => {
  const graph = encode([
    placeholder('x'),
    node('a', 'Sauce', ['x']),
    node('b', 'Relu', ['a']),
    node('c', 'Soup', ['b']),
  ]);
  expect(failure(graph)).toBe(
    "Unsupported: the TensorFlow graph has 2 nodes that cannot be translated to ONNX: Sauce 'a'; Soup 'c'",
  );
});

test('a node that lacks an input is named', () => {
  expect(failure(encode([placeholder('x'), node('a', 'Add', ['x'])]))).toBe(
    "Invalid argument: the TensorFlow graph has a node that cannot be translated to ONNX: Add 'a' (has 1 inputs, and no input 1)",
  );
  expect(failure(encode([node('a', 'Relu', ['y'])]))).toBe("Invalid argument: the graph has no node 'y'");
});

test('a circle is told', () => {
  const graph = encode([
    placeholder('x'),
    node('a', 'Add', ['x', 'b']),
    node('b', 'Neg', ['a']),
    node('c', 'Neg', ['b']),
  ]);
  expect(failure(graph)).toMatch(/^Invalid argument: the graph goes in a circle at node '[ab]'$/);
});

test('a chain is as long as it is', () => {
  const chain = Array.from({ length: 20_000 }, (_, i) => node(`n${i + 1}`, 'Neg', [i === 0 ? 'x' : `n${i}`]));
  expect(failure(encode([placeholder('x'), ...chain.reverse()]))).toBe('');
});

test('a tensor of few bytes cannot ask for gigabytes', () => {
  const dims = [1 << 20, 1 << 20].map((varint) => ({ number: 2, message: [{ number: 1, varint }] }));
  const tensor = [
    { number: 1, varint: 1 },
    { number: 2, message: dims },
    { number: 5, fixed32: 1 },
  ];
  const graph = encode([
    node('c', 'Const', [], [attribute('value', { number: 8, message: tensor })]),
    node('y', 'Neg', ['c']),
  ]);
  expect(failure(graph)).toContain('elements that are not written out');
});

/** The same numbers in each run. */
function randoms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test('graphs that are cut short or changed at random are refused, or are graphs', () => {
  const random = randoms(5);
  for (const { graph } of readCases('./ops.ndjson.gz')) {
    const bytes = Buffer.from(graph, 'base64');
    for (let i = 0; i < 15; i++) {
      const changed = Uint8Array.from(bytes.subarray(0, i < 2 ? Math.floor(random() * bytes.length) : bytes.length));
      for (let j = 0; j < i && changed.length > 0; j++) changed[Math.floor(random() * changed.length)] = random() * 256;
      failure(changed);
    }
  }
});
