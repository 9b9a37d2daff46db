import { describe, expect, test } from 'vitest';
import { completeConfig } from '../../src/config/complete.js';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import { refusal } from './refusal.js';

const complete = (text: string, name: string, entries: string[]) =>
  completeConfig(parseModelConfig(text, 'config.pbtxt'), name, entries);

const summary = (text: string, name: string, entries: string[] = []): string => {
  const { backend, platform, default_model_filename } = complete(text, name, entries);
  return [backend, platform, default_model_filename].join(' ');
};

describe('what is recognised', () => {
  test.each([
    ['', ['model.onnx'], 'onnxruntime onnxruntime_onnx model.onnx'],
    ['', ['model.savedmodel'], 'tensorflow tensorflow_savedmodel model.savedmodel'],
    ['', ['model.graphdef'], 'tensorflow tensorflow_graphdef model.graphdef'],
    ['', ['model.plan'], 'tensorrt tensorrt_plan model.plan'],
    ['', ['model.onnx', 'model.plan'], 'tensorrt tensorrt_plan model.plan'],
    ['', ['model.xml'], 'openvino  model.xml'],
    ['', ['model.pt'], 'pytorch pytorch_libtorch model.pt'],
    ['', ['model.py'], 'python  model.py'],
    ['platform: "onnxruntime_onnx"', [], 'onnxruntime onnxruntime_onnx model.onnx'],
    [
      'platform: "onnxruntime_onnx" default_model_filename: "a.onnx"',
      ['model.plan'],
      'onnxruntime onnxruntime_onnx a.onnx',
    ],
    ['platform: "tensorflow_graphdef"', [], 'tensorflow tensorflow_graphdef model.graphdef'],
    ['default_model_filename: "model.onnx"', [], 'onnxruntime onnxruntime_onnx model.onnx'],
    ['backend: "onnxruntime"', [], 'onnxruntime onnxruntime_onnx model.onnx'],
    ['backend: "python"', ['model.onnx'], 'python  model.py'],
    ['backend: "onnxruntime" platform: "tensorrt_plan"', [], 'onnxruntime tensorrt_plan '],
    ['platform: "foo" default_model_filename: "model.onnx"', [], 'onnxruntime foo model.onnx'],
    ['backend: "mine"', ['model.onnx'], 'mine  '],
  ])('%s with the files %j', (text, entries, expected) => {
    expect(summary(text, 'm', entries)).toBe(expected);
  });

  test('a model without anything is for the backend that its name ends in', () => {
    expect(summary('', 'm.identity')).toBe('identity  model.identity');
    expect(summary('', 'm.a.b')).toBe('a.b  model.a.b');
  });

  test.each(['m', 'm.'])('%s names no backend', (name) => {
    expect(refusal(() => complete('', name, ['weights.bin']))).toBe(
      `Invalid argument: Invalid model name: Could not determine backend for model '${name}' with no backend in model configuration. ` +
        "Expected model name of the form 'model.<backend_name>'.",
    );
  });

  test('a platform that nobody knows is refused by name', () => {
    expect(refusal(() => complete('platform: "caffe2_netdef"', 'm', ['model.onnx']))).toBe(
      "Invalid argument: unexpected platform type 'caffe2_netdef' for m",
    );
  });
});

test('an ensemble has neither backend nor file, and says that it is not decoupled', () => {
  const config = complete('platform: "ensemble" ensemble_scheduling { }', 'e', ['model.onnx']);
  expect(config).toMatchObject({
    backend: '',
    default_model_filename: '',
    model_transaction_policy: { decoupled: false },
  });
});

test('the name is the directory, or nothing', () => {
  expect(complete('', 'm', ['model.onnx']).name).toBe('m');
  expect(complete('name: "m"', 'm', ['model.onnx']).name).toBe('m');
  expect(refusal(() => complete('name: "n"', 'd', ['model.onnx']))).toBe(
    "Invalid argument: unexpected directory name 'd' for model 'n', directory name must equal model name",
  );
});

test('what it is given stays as it was', () => {
  const config = parseModelConfig('', 'config.pbtxt');
  completeConfig(config, 'm', ['model.onnx']);
  expect(config).toEqual(parseModelConfig('', 'config.pbtxt'));
});
