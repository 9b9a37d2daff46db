import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Encoded, readCases, readSaved, tensorOf } from '../backends/tensorflow/cases.js';
import { ask, askJson, get, infer, outputsOf, post, simpleInputs, simpleOutputs } from './requests.js';
import { ServerProcess } from './server.js';

const cases = readCases('./ops.ndjson.gz');
const graphOf = (name: string) => Buffer.from(cases.find((one) => one.name === name)!.graph, 'base64');

const tensors = (kind: string, type: string) =>
  [0, 1].map((i) => `${kind} { name: "${kind.toUpperCase()}${i}" data_type: ${type} dims: [ 16 ] }`).join('\n');
const configOf = (type: string) =>
  Buffer.from(
    `platform: "tensorflow_graphdef"\nmax_batch_size: 8\n${tensors('input', type)}\n${tensors('output', type)}\n`,
  );

const saved = readSaved('./saved.ndjson.gz')[0]!;
const savedFiles = Object.entries(saved.files).flatMap(([path, data]) =>
  ['saved', 'unsigned'].map((model) => [`${model}/1/model.savedmodel/${path}`, Buffer.from(data, 'base64')] as const),
);

const files = {
  ...Object.fromEntries(savedFiles),
  'unsigned/config.pbtxt': Buffer.from(
    'platform: "tensorflow_savedmodel" parameters { key: "TF_SIGNATURE_DEF" value { string_value: "none" } }',
  ),
  'simple_graph/config.pbtxt': configOf('TYPE_INT32'),
  'simple_graph/1/model.graphdef': graphOf('served: simple'),
  'string_graph/config.pbtxt': configOf('TYPE_STRING'),
  'string_graph/1/model.graphdef': graphOf('served: simple_string'),
  'bare/1/model.graphdef': graphOf('served: simple'),
  'torn/1/model.graphdef': graphOf('served: simple').subarray(0, 100),
};

let cache: string;
let server: ServerProcess;

const start = () =>
  ServerProcess.start({
    models: [],
    files,
    flags: [
      `--backend-config=tensorflow,cache-directory=${cache}`,
      '--backend-config=tensorflow,cache-max-bytes=0',
      '--exit-on-error=false',
      '--log-verbose=1',
    ],
  });

beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'conch-tensorflow-'));
  const unused = join(cache, `${'0'.repeat(64)}.onnx`);
  await writeFile(unused, 'of a model that nobody has');
  await utimes(unused, 0, 0);
  server = await start();
});

afterAll(async () => {
  await server.stop();
  await rm(cache, { recursive: true });
});

test.each(['simple_graph', 'bare'])('the graph of %s answers', async (model) => {
  expect(outputsOf(await ask(server.httpPort, infer(model, simpleInputs(5))))).toEqual(simpleOutputs(5));
});

test('a graph of strings answers', async () => {
  const texts = simpleInputs(5, false).map(({ name, shape, data }) => {
    return { name, datatype: 'BYTES' as const, shape, data: Array.from<unknown>(data).map(String) };
  });
  const expected = Object.entries(simpleOutputs(5)).map(([name, numbers]) => [name, numbers.map(String)]);
  expect(outputsOf(await ask(server.httpPort, infer('string_graph', texts)))).toEqual(Object.fromEntries(expected));
});

test('what a graph says of itself completes its configuration', async () => {
  const config = await askJson(server.httpPort, get('/v2/models/bare/config'));
  expect(config).toMatchObject({ platform: 'tensorflow_graphdef', backend: 'tensorflow', max_batch_size: 4 });
  expect(config.input.map(({ name, dims }: { name: string; dims: number[] }) => [name, dims])).toEqual([
    ['INPUT0', [16]],
    ['INPUT1', [16]],
  ]);
  expect(config.output.map(({ name }: { name: string }) => name)).toEqual(['OUTPUT0', 'OUTPUT1']);
});

test('a SavedModel without a configuration answers, by the names of its signature', async () => {
  const values = (encoded: Encoded) => Array.from(tensorOf(encoded).data as Float32Array);
  const x = saved.inputs.x!;
  const input = { name: 'x', datatype: 'FP32' as const, shape: x.dims, data: values(x) };
  const answer = outputsOf(await ask(server.httpPort, infer('saved', [input])));
  expect(answer).toEqual({ sums: values(saved.outputs.sums!), places: values(saved.outputs.places!) });
});

test.each([
  ['torn', "model 'torn': not a TensorFlow graph"],
  [
    'unsigned',
    "model 'unsigned': the SavedModel has no signature 'none': found '__saved_model_init_op', 'serving_default'",
  ],
])('what %s lacks is said by name', async (model, what) => {
  const index = await askJson(server.httpPort, post('/v2/repository/index', ''));
  const { reason, state } = index.find(({ name }: { name: string }) => name === model);
  expect([state, reason]).toEqual(['UNAVAILABLE', expect.stringContaining(what)]);
});

test('what was translated once is found again, and the repository is left alone', async () => {
  // Its own, whatever the bound is, and not the one that was there.
  const before = (await readdir(cache)).sort();
  expect(before).toHaveLength(4);
  const second = await start();
  try {
    expect(second.main.output).toContain(`model 'bare': found translated in ${cache}`);
    expect((await readdir(cache)).sort()).toEqual(before);
    expect(await readdir(join(second.repository, 'bare', '1'))).toEqual(['model.graphdef']);
  } finally {
    await second.stop();
  }
});
