import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readOnnxSignature } from '../../src/backends/onnx-file.js';
import { parseToolCommand } from '../../src/check/command-line.js';
import { runTool } from '../../src/check/run.js';
import { checkAnswers, readCases, readSaved, writeSaved } from '../backends/tensorflow/cases.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'conch-convert-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** Exit code and what was printed. */
async function convert(...words: string[]): Promise<[number, string]> {
  const command = parseToolCommand(['convert', ...words]);
  if (command.kind === 'print') return [command.exitCode, command.text];
  let text = '';
  const out = (line: string) => {
    text += line;
  };
  return [await runTool(command, { out, error: out, workingDirectory: folder, colors: false }), text];
}

const one = readCases('./ops.ndjson.gz').find(({ name }) => name === 'MatMul False False')!;

test('a graph becomes an ONNX file', async () => {
  const [from, to] = [join(folder, 'model.graphdef'), join(folder, 'model.onnx')];
  await writeFile(from, Buffer.from(one.graph, 'base64'));
  const [code, text] = await convert(from, '-o', to);
  const model = await readFile(to);
  expect([code, text]).toEqual([0, `${to}: ${model.length} bytes\n`]);
  expect((await readOnnxSignature(to)).inputs.map(({ name }) => name)).toEqual(['x0', 'x1']);
  await checkAnswers(model, one.inputs, one.outputs);
  expect(await convert(from, '-o', to)).toEqual([
    2,
    `conch convert: ${to} is there already, and nothing is written over\n`,
  ]);
});

test('what is no graph leaves nothing behind', async () => {
  const from = join(folder, 'model.graphdef');
  await writeFile(from, 'no graph');
  const [code, text] = await convert(from, '-o', join(folder, 'model.onnx'));
  expect([code, text]).toEqual([2, expect.stringContaining('conch convert: not a TensorFlow graph')]);
  expect(await readdir(folder)).toEqual(['model.graphdef']);
});

test('an output can be any node', async () => {
  const [from, to] = [join(folder, 'model.graphdef'), join(folder, 'model.onnx')];
  await writeFile(from, Buffer.from(one.graph, 'base64'));
  expect((await convert(from, '-o', to, '--output', 'MatMul'))[0]).toBe(0);
  expect((await readOnnxSignature(to)).outputs).toEqual([{ name: 'MatMul', datatype: 'FP32', shape: [2, 4] }]);
});

test('a signature and a tag choose in a SavedModel', async () => {
  const saved = readSaved('./saved.ndjson.gz').find(({ name }) => name === 'keras')!;
  const [from, to] = [join(folder, 'model.savedmodel'), join(folder, 'model.onnx')];
  await writeSaved(from, saved);
  expect(await convert(from, '-o', to, '--signature', 'train')).toEqual([
    2,
    expect.stringContaining("has no signature 'train': found '__saved_model_init_op', 'serve', 'serving_default'"),
  ]);
  expect(await convert(from, '-o', to, '--tag', 'gpu')).toEqual([
    2,
    expect.stringContaining("has no graph with the tag 'gpu': found 'serve'"),
  ]);
  expect((await convert(from, '-o', to, '--signature', 'serve', '--tag', 'serve'))[0]).toBe(0);
  await checkAnswers(await readFile(to), saved.inputs, saved.outputs);
});

test.each(['--signature', '--tag'])('%s of a frozen graph is refused', async (option) => {
  const from = join(folder, 'model.graphdef');
  await writeFile(from, Buffer.from(one.graph, 'base64'));
  const [code, text] = await convert(from, '-o', join(folder, 'model.onnx'), option, 'serve');
  expect([code, text]).toEqual([
    2,
    expect.stringContaining(`${option} chooses in a SavedModel, and ${from} is no folder`),
  ]);
  expect(await readdir(folder)).toEqual(['model.graphdef']);
});
