import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { convertGraph } from '../../../src/backends/tensorflow/convert.js';
import { convertSavedModel } from '../../../src/backends/tensorflow/saved-model.js';
import { checkAnswers, readCases, readSaved } from './cases.js';

// Made by test/make_tensorflow_loops.py.
const cases = readCases('./loops.ndjson.gz');
const saved = readSaved('./loops-saved.ndjson.gz');

function converted(graph: string, outputs: object): Uint8Array {
  const named = Object.keys(outputs).map((name) => ({ name, shape: null }));
  return convertGraph(Buffer.from(graph, 'base64'), { inputs: [], outputs: named });
}

test.each(cases.map((one) => [one.name, one] as const))('%s', async (_, { graph, inputs, outputs }) => {
  await checkAnswers(converted(graph, outputs), inputs, outputs);
});

test.each(saved.map((one) => [one.name, one] as const))('SavedModel %s answers as TensorFlow', async (_, one) => {
  const folder = await mkdtemp(join(tmpdir(), 'conch-loops-'));
  try {
    for (const [path, data] of Object.entries(one.files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), Buffer.from(data, 'base64'));
    }
    await checkAnswers(convertSavedModel(folder, { inputs: [], outputs: [] }), one.inputs, one.outputs);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('without a configuration, a loop gives what the graph uses of it', async () => {
  for (const name of ['LSTM (lowered)', 'TF1 dynamic_rnn', 'TF1 until']) {
    const { graph, inputs, outputs } = cases.find((one) => one.name === name)!;
    const model = convertGraph(Buffer.from(graph, 'base64'), { inputs: [], outputs: [] });
    const session = await ort.InferenceSession.create(model, { logSeverityLevel: 3, intraOpNumThreads: 1 });
    expect([name, session.inputNames]).toEqual([name, Object.keys(inputs)]);
    expect(session.outputNames).toEqual(
      expect.arrayContaining(name === 'LSTM (lowered)' ? ['Identity'] : Object.keys(outputs)),
    );
    expect(session.outputNames.filter((output) => output.includes('/'))).toEqual([]);
    await session.release();
  }
});

/** How often a text is in a model: names of operators are. */
function count(model: Uint8Array, text: string): number {
  return Buffer.from(model).toString('latin1').split(text).length - 1;
}

test('a recurrent network copies no list in a turn', () => {
  for (const name of ['LSTM sequences, any time', 'LSTM sequences, any time (lowered)', 'TF1 dynamic_rnn, any time']) {
    const { graph, outputs } = cases.find((one) => one.name === name)!;
    const model = converted(graph, outputs);
    expect([name, count(model, '"\tScatterND'), count(model, '"\x04Loop')]).toEqual([name, 0, 1]);
  }
});
