import { expect, test } from 'vitest';
import { convertGraph } from '../../../src/backends/tensorflow/convert.js';
import { readGraph } from '../../../src/backends/tensorflow/graph.js';
import { opTable } from '../../../src/backends/tensorflow/ops/op-table.js';
import { checkAnswers, readCases } from './cases.js';

const cases = readCases('./ops.ndjson.gz');

test('every op has a case', () => {
  const graphs = [...cases, ...readCases('./loops.ndjson.gz')].map(({ graph }) =>
    readGraph(Buffer.from(graph, 'base64')),
  );
  const used = graphs.flatMap(({ nodes, functions }) => [
    ...nodes.values(),
    ...[...functions.values()].flatMap((called) => called.nodes),
  ]);
  const ops = new Set(used.map(({ op }) => op));
  // Variables are those of SavedModels: test/interop/networks has them all.
  const ofVariables = ['ResourceGather', 'ResourceGatherNd', 'ReadVariableOp'];
  expect([...opTable.keys()].filter((op) => !ops.has(op)).sort()).toEqual(ofVariables.sort());
});

// Made by test/make_tensorflow_ops.py.
test.each(cases.map((one) => [one.name, one] as const))('%s', async (_, { graph, inputs, outputs }) => {
  const named = Object.keys(outputs).map((name) => ({ name, shape: null }));
  const model = convertGraph(Buffer.from(graph, 'base64'), { inputs: [], outputs: named });
  await checkAnswers(model, inputs, outputs);
});
