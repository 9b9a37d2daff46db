import { expect, test } from 'vitest';
import { takeSteps } from '../../src/check/effective.js';
import { type Mark, markText, markValues } from '../../src/config/marks.js';
import { parseWithSource } from '../../src/config/pbtxt.js';
import type { ModelSignature } from '../../src/types/model.js';
import { signature } from '../config/signatures.js';

const settings = {
  machine: { gpus: [], cores: 4 },
  autoComplete: true,
  defaultMaxBatchSize: 4,
  backends: ['onnxruntime'],
};

function marks(text: string, file: ModelSignature | null): Map<string, Mark> {
  const { config, source } = parseWithSource(text, 'f');
  const versions = [{ version: 1, directory: '/m/1', entries: ['model.onnx'] }];
  return markValues(takeSteps(config, { name: 'm', versions }, file, settings), source);
}

function texts(text: string, file: ModelSignature | null, ...paths: string[]): string[] {
  const all = marks(text, file);
  return paths.map((path) => (all.has(path) ? markText(all.get(path)!, '1/model.onnx') : 'none'));
}

const batching = signature(['x FP32 [-1,3]'], ['y FP32 [-1,2]']);

test('what is written is given, whatever it says', () => {
  const text = 'name: "m" max_batch_size: 0 input { name: "x" data_type: TYPE_FP32 dims: [ -1, 3 ] }';
  expect(texts(text, null, 'name', 'max_batch_size', 'input[0].name', 'input[0].dims', 'input[0].optional')).toEqual([
    'given',
    'given',
    'given',
    'given',
    'default',
  ]);
});

test('what the folder and the model file tell is auto-completed', () => {
  expect(texts('', batching, 'name', 'backend', 'max_batch_size', 'input[0].dims', 'output[0].name')).toEqual([
    'auto-completed from the folder',
    'auto-completed from the folder',
    'auto-completed from 1/model.onnx',
    'auto-completed from 1/model.onnx',
    'auto-completed from 1/model.onnx',
  ]);
  expect(texts('', batching, 'input[0].optional', 'dynamic_batching.preserve_ordering')).toEqual([
    'default',
    'default',
  ]);
});

test('what was written and does not count is said', () => {
  const text = 'max_batch_size: 0 instance_group { kind: KIND_AUTO }';
  expect(texts(text, batching, 'max_batch_size', 'instance_group[0].kind', 'instance_group[0].count')).toEqual([
    'auto-completed from 1/model.onnx, in place of 0',
    'default, in place of "KIND_AUTO"',
    'default',
  ]);
});

test('defaults that are not zero are defaults', () => {
  const text = 'max_batch_size: 8 dynamic_batching { }';
  expect(texts(text, batching, 'dynamic_batching.preferred_batch_size', 'version_policy.latest.num_versions')).toEqual([
    'default',
    'default',
  ]);
});
