import { expect, test } from 'vitest';
import { convertGraph } from '../../../src/backends/tensorflow/convert.js';
import { checkAnswers, readCases } from './cases.js';

const cases = readCases('./ops.ndjson.gz');

test('there are cases', () => {
  expect(cases.length).toBeGreaterThan(400);
});

// Made by test/make_tensorflow_ops.py.
test.each(cases.map((one) => [one.name, one] as const))('%s', async (_, { graph, inputs, outputs }) => {
  const named = Object.keys(outputs).map((name) => ({ name, shape: null }));
  const model = convertGraph(Buffer.from(graph, 'base64'), { inputs: [], outputs: named });
  await checkAnswers(model, inputs, outputs);
});
