import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ModelConfig } from '../../src/config/model-config.js';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import { anyModelConfig } from './arbitrary-config.js';
import { printModelConfig } from './print-pbtxt.js';

const fixtures = new URL('./fixtures/', import.meta.url);
const parse = (text: string): ModelConfig => parseModelConfig(text, 'config.pbtxt');
const read = (name: string): ModelConfig => parseModelConfig(readFileSync(new URL(name, fixtures), 'utf8'), name);

describe('files of model repositories', () => {
  test.each(readdirSync(fixtures))('%s parses', (name) => {
    expect(read(name).name).toBe(name.replace('.pbtxt', ''));
  });

  test('densenet_onnx says what its file says and proto defaults for the rest', () => {
    const config = read('densenet_onnx.pbtxt');
    expect(config.platform).toBe('onnxruntime_onnx');
    expect(config.max_batch_size).toBe(0);
    expect(config.input).toEqual([
      {
        name: 'data_0',
        data_type: 'TYPE_FP32',
        format: 'FORMAT_NCHW',
        dims: [3, 224, 224],
        reshape: { shape: [1, 3, 224, 224] },
        is_shape_tensor: false,
        allow_ragged_batch: false,
        optional: false,
        is_non_linear_format_io: false,
      },
    ]);
    expect(config.output[0]).toMatchObject({ label_filename: 'densenet_labels.txt', dims: [1000] });
    expect(config.instance_group).toEqual([]);
    expect(config).not.toHaveProperty('version_policy');
    expect(config).not.toHaveProperty('dynamic_batching');
  });
});

describe('round trips', () => {
  test('any configuration, written in any style, is read as it was', () => {
    fc.assert(
      fc.property(anyModelConfig(), fc.gen(), (config, gen) => {
        const text = printModelConfig(config, (choices) => gen(fc.nat, { max: choices - 1 }));
        expect(parse(text)).toStrictEqual(config);
      }),
      { numRuns: 150 },
    );
  });

  test('whatever the text, the answer is a configuration or an error with a position', () => {
    const alphabet = [
      'input',
      'dims',
      'name',
      ':',
      '{',
      '}',
      '<',
      '>',
      '[',
      ']',
      ',',
      '"a"',
      "'",
      '-',
      '1',
      '.',
      '#',
      ' ',
      '\n',
      '\\',
      '0x',
      'é',
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...alphabet)), (words) => {
        try {
          parse(words.join(''));
        } catch (error) {
          expect(error).toMatchObject({
            code: 'INVALID_ARGUMENT',
            message: expect.stringMatching(/^config\.pbtxt:\d+:\d+: /),
          });
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('messages', () => {
  test('an empty text is a configuration of defaults', () => {
    expect(parse('')).toMatchObject({ name: '', max_batch_size: 0, input: [], parameters: {} });
  });

  test.each([
    ['version_policy { all { } }', { all: {} }],
    ['version_policy: { latest { num_versions: 2 } }', { latest: { num_versions: 2 } }],
    ['version_policy: < specific: < versions: [ 1, 3 ] > >', { specific: { versions: [1, 3] } }],
    ['version_policy { }', {}],
  ])('%s', (text, expected) => {
    expect(parse(text).version_policy).toEqual(expected);
  });

  test('an empty list sets nothing, and repeated fields add up', () => {
    expect(parse('input [ ] instance_group { gpus: [ ] gpus: 1 gpus: [2, 3]; }').instance_group[0]!.gpus).toEqual([
      1, 2, 3,
    ]);
  });

  test('a key of a map that comes again replaces the first, and a missing value is the default', () => {
    const { parameters, metric_tags } = parse(
      'parameters { key: "a" value { string_value: "1" } } parameters { key: "a" value { string_value: "2" } } parameters { key: "b" } metric_tags { }',
    );
    expect(parameters).toEqual({ a: { string_value: '2' }, b: { string_value: '' } });
    expect(metric_tags).toEqual({ '': '' });
  });

  test('a map is safe from names that objects have', () => {
    const { metric_tags } = parse(
      'metric_tags { key: "__proto__" value: "a" } metric_tags { key: "constructor" value: "b" }',
    );
    expect(Object.entries(metric_tags)).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ]);
  });
});

describe('scalars', () => {
  test.each([
    [String.raw`"\a\b\f\n\r\t\v\?\\\'\""`, '\x07\b\f\n\r\t\v?\\\'"'],
    [String.raw`'\1\12\101\x41\x4a'`, '\x01\nAAJ'],
    [String.raw`"\303\251\u00e9\U0001F600\ud83d\ude00"`, 'éé😀😀'],
    ['"a"  # one\n \'b\' "c"', 'abc'],
    ['""', ''],
  ])('the string %s', (text, expected) => {
    expect(parse(`name: ${text}`).name).toBe(expected);
  });

  test('64-bit integers are exact', () => {
    const { dynamic_batching } = parse(
      'dynamic_batching { max_queue_delay_microseconds: 18446744073709551615 priority_levels: 9007199254740991 }',
    );
    expect(dynamic_batching!.max_queue_delay_microseconds).toBe(18446744073709551615n);
    expect(dynamic_batching!.priority_levels).toBe(9007199254740991);
  });

  test.each([
    ['100', 100],
    ['0x1F', 31],
    ['017', 15],
    ['-1', -1],
    ['- # minus\n 1', -1],
  ])('the integer %s', (text, expected) => {
    expect(parse(`max_batch_size: ${text}`).max_batch_size).toBe(expected);
  });

  test.each([
    ['.5', 0.5],
    ['1.', 1],
    ['25e-2f', 0.25],
    ['0.1', Math.fround(0.1)],
    ['-Infinity', Number.NEGATIVE_INFINITY],
    ['nan', Number.NaN],
    ['1e39', Number.POSITIVE_INFINITY],
  ])('the float %s', (text, expected) => {
    const config = parse(`sequence_batching { direct { minimum_slot_utilization: ${text} } }`);
    expect(config.sequence_batching!.direct!.minimum_slot_utilization).toBe(expected);
  });

  test('an enum by its number is its name', () => {
    expect(parse('input { data_type: 11 format: 0x2 }').input[0]).toMatchObject({
      data_type: 'TYPE_FP32',
      format: 'FORMAT_NCHW',
    });
  });

  test('a byte order mark and line ends of Windows do not disturb', () => {
    expect(parse('\ufeffname: "m"\r\nmax_batch_size: 8 # rows\r\n')).toMatchObject({ name: 'm', max_batch_size: 8 });
  });
});
