import { afterAll, describe, expect, test } from 'vitest';
import type { DataOptions } from '../../../../bench/load/options.js';
import type { TargetModel } from '../../../../bench/load/target/target.js';
import type { DataType } from '../../../../src/types/datatype.js';
import { targetModel, tensor } from '../target-model.js';
import { DataFiles, valuesOf } from './data-files.js';

const files = new DataFiles();
afterAll(() => files.remove());

const model = targetModel(
  'm',
  [tensor('IN', 'INT32', [2, 2]), tensor('MORE', 'BYTES', [-1], true)],
  [tensor('OUT', 'FP32', [2]), tensor('ANY', 'INT64', [-1, -1])],
);

const of = (datatype: DataType, shape: readonly number[] = [1]) =>
  targetModel('m', [tensor('IN', datatype, shape)], []);

function read(text: string, of: TargetModel = model, more: Partial<DataOptions> = {}) {
  return files.read(of, [files.write('data.json', text)], 1, more);
}

async function inputs(text: string, of: TargetModel = model, more: Partial<DataOptions> = {}) {
  const { streams } = await read(text, of, more);
  return streams.map((steps) => steps.map((step) => valuesOf(step.inputs)));
}

test('a list of steps is one stream, a list of lists is several', async () => {
  const step = (first: number) => `{"IN":[${first},2,3,4]}`;
  const values = (first: number) => ({
    IN: [
      [2, 2],
      [first, 2, 3, 4],
    ],
  });
  expect(await inputs(`{"data":[${step(1)},${step(5)}]}`)).toEqual([[values(1), values(5)]]);
  expect(await inputs(`{"data":[[${step(1)},${step(5)}],[${step(6)}]]}`)).toEqual([
    [values(1), values(5)],
    [values(6)],
  ]);
});

test('lists of steps of several files are one stream before the streams of others', async () => {
  const step = (first: number) => `{"IN":[${first},2,3,4]}`;
  const paths = [
    files.write('one.json', `{"data":[${step(1)}]}`),
    files.write('streams.json', `{"data":[[${step(2)}],[${step(3)}]]}`),
    files.write('two.json', `{"data":[${step(4)}]}`),
  ];
  files.write('folder/IN', Buffer.from(new Int32Array([5, 2, 3, 4]).buffer));
  const { streams } = await files.read(model, [...paths, files.path('folder')]);
  const firsts = streams.map((steps) => steps.map((step) => step.inputs[0]!.bytes.readInt32LE()));
  expect(firsts).toEqual([[1, 4, 5], [2], [3]]);
});

describe('ways to write a tensor', () => {
  const base64 = Buffer.from(new Int32Array([1, 2, 3, 4]).buffer).toString('base64');
  test.each([
    ['flat', '[1,2,3,4]'],
    ['nested', '[[1,2],[3,4]]'],
    ['with a shape', '{"content":[1,2,3,4],"shape":[2,2]}'],
    ['Base64', `{"b64":"${base64}"}`],
    ['Base64 with a shape', `{"b64":"${base64}","shape":[2,2]}`],
    ['Base64 as content', `{"content":{"b64":"${base64}"},"shape":[2,2]}`],
    ['Base64 with line breaks', `{"b64":"${base64.slice(0, 5)}\\n${base64.slice(5)}"}`],
  ])('%s', async (_, text) => {
    expect(await inputs(`{"data":[{"IN":${text}}]}`)).toEqual([
      [
        {
          IN: [
            [2, 2],
            [1, 2, 3, 4],
          ],
        },
      ],
    ]);
  });

  test.each<[DataType, string, unknown[]]>([
    ['BOOL', '[true,0,1,false]', [true, false, true, false]],
    ['UINT8', '[0,255]', [0, 255]],
    ['UINT16', '[0,65535]', [0, 65535]],
    ['UINT32', '[0,4294967295]', [0, 4294967295]],
    ['UINT64', '[0,18446744073709551615]', [0n, 18446744073709551615n]],
    ['INT8', '[-128,127]', [-128, 127]],
    ['INT16', '[-32768,32767]', [-32768, 32767]],
    ['INT32', '[-2147483648,2147483647]', [-2147483648, 2147483647]],
    ['INT64', '[-9223372036854775808,9223372036854775807]', [-9223372036854775808n, 9223372036854775807n]],
    ['FP16', '[0.5,65504,-Infinity,NaN]', [0.5, 65504, Number.NEGATIVE_INFINITY, Number.NaN]],
    ['BF16', '[0.5,-3]', [0.5, -3]],
    ['FP32', '[1,0.5,1e-3,Infinity,-0.0]', [1, 0.5, Math.fround(1e-3), Number.POSITIVE_INFINITY, -0]],
    ['FP64', '[0.1,1e300,9007199254740993]', [0.1, 1e300, 9007199254740992]],
    ['BYTES', '["","a\\u0000b","\\u00e9\\n\\"","日本"]', ['', 'a\0b', 'é\n"', '日本']],
  ])('%s', async (datatype, text, elements) => {
    const any = of(datatype, [-1]);
    expect(await inputs(`{"data":[{"IN":${text}}]}`, any)).toEqual([[{ IN: [[elements.length], elements] }]]);
  });

  test('BYTES as Base64 have a length before each element', async () => {
    const bytes = Buffer.from([1, 0, 0, 0, 0x61, 0, 0, 0, 0]).toString('base64');
    expect(await inputs(`{"data":[{"IN":{"b64":"${bytes}"}}]}`, of('BYTES', [2]))).toEqual([
      [{ IN: [[2], ['a', '']] }],
    ]);
  });
});

describe('inputs of any size', () => {
  const any = of('INT8', [-1, -1]);
  const shape = async (text: string, open = any, more: Partial<DataOptions> = {}) =>
    ((await inputs(`{"data":[{"IN":${text}}]}`, open, more))[0]![0]!.IN as [number[]])[0];

  test('their shape comes from beside the content, from --shape, from nested arrays, from the number of elements', async () => {
    expect(await shape('{"content":[1,2,3,4,5,6],"shape":[3,2]}')).toEqual([3, 2]);
    expect(await shape('{"content":[1,2,3,4,5,6],"shape":[3,2]}', any, { shapes: { IN: [1, 6] } })).toEqual([3, 2]);
    expect(await shape('[1,2,3,4,5,6]', any, { shapes: { IN: [2, 3] } })).toEqual([2, 3]);
    expect(await shape('[[1,2,3],[4,5,6]]')).toEqual([2, 3]);
    expect(await shape('[1,2,3,4,5,6]', of('INT8', [2, -1]))).toEqual([2, 3]);
    expect(await shape('[]', of('INT8', [-1]))).toEqual([0]);
  });
});

test('optional inputs may be missing, and a model may have an input of any name', async () => {
  expect(await inputs('{"data":[{"IN":[1,2,3,4]},{"IN":[1,2,3,4],"MORE":["x"]}]}')).toEqual([
    [
      {
        IN: [
          [2, 2],
          [1, 2, 3, 4],
        ],
      },
      {
        IN: [
          [2, 2],
          [1, 2, 3, 4],
        ],
        MORE: [[1], ['x']],
      },
    ],
  ]);
  const odd = targetModel('m', [tensor('parameters', 'INT8', [1]), tensor('model', 'INT8', [1])], []);
  expect(await inputs('{"data":[{"parameters":[1],"model":[2]}]}', odd)).toEqual([
    [{ parameters: [[1], [1]], model: [[1], [2]] }],
  ]);
});

test('steps have parameters of their own', async () => {
  const text =
    '{"data":[{"IN":[1,2,3,4],"model":"m","parameters":{"a":1,"b":"x","c":true,"d":9223372036854775807}},{"IN":[1,2,3,4]}]}';
  const { streams } = await read(text);
  expect(streams[0]!.map(({ parameters }) => parameters)).toEqual([{ a: 1, b: 'x', c: true, d: 2n ** 63n - 1n }, {}]);
});

test('validation_data says what is expected, of the outputs that it names', async () => {
  const step = '{"IN":[1,2,3,4]}';
  const flat = await read(`{"data":[${step},${step}],"validation_data":[{"OUT":[0.5,1],"ANY":[[7],[8]]},{}]}`);
  expect(flat.streams[0]!.map(({ expected }) => valuesOf(expected))).toEqual([
    {
      OUT: [[2], [0.5, 1]],
      ANY: [
        [2, 1],
        [7n, 8n],
      ],
    },
    null,
  ]);
  const streams = await read(`{"data":[[${step}],[${step}]],"validation_data":[[{"OUT":[1,2]}],[{"OUT":[3,4]}]]}`);
  expect(streams.streams.map(([first]) => valuesOf(first!.expected))).toEqual([
    { OUT: [[2], [1, 2]] },
    { OUT: [[2], [3, 4]] },
  ]);
});

describe('what is wrong is told with its place', () => {
  const step = '{"IN":[1,2,3,4]}';
  const input = (text: string) => `{"data":[${step},{"IN":${text}}]}`;
  const at = "data.json, 'data', step 1, input 'IN'";
  const cases: readonly [string, string, string][] = [
    ['no JSON', '{"data":\n [1,,]}', 'data.json, line 2, column 5: this is no JSON: Invalid value.'],
    ['two values', '{} {}', 'data.json, line 1, column 4: this is no JSON: something follows behind its end'],
    ['nothing', '', 'data.json, line 1, column 1: this is no JSON: Invalid value.'],
    ['no object', '[1]', 'data.json: expected an object, found an array of 1'],
    ['no data', '{}', "data.json, 'data': expected an array of steps, or of streams of steps, found nothing"],
    [
      'empty data',
      '{"data":[]}',
      "data.json, 'data': expected an array of steps, or of streams of steps, found an empty array",
    ],
    [
      'another member',
      `{"data":[${step}],"validation":[]}`,
      "data.json: expected the members 'data' and 'validation_data', found 'validation'",
    ],
    ['a step that is none', '{"data":[1]}', "data.json, 'data', step 0: expected an object, found 1"],
    [
      'steps among streams',
      `{"data":[[${step}],${step}]}`,
      "data.json, 'data', stream 1: expected an array of steps, as other members of 'data' are arrays, found an object",
    ],
    [
      'an empty stream',
      `{"data":[[${step}],[]]}`,
      "data.json, 'data', stream 1: expected an array of steps, as other members of 'data' are arrays, found an empty array",
    ],
    [
      'a missing input',
      `{"data":[[${step}],[${step},{"MORE":["a"]}]]}`,
      "data.json, 'data', stream 1, step 1: input 'IN' is missing, which is not optional",
    ],
    [
      'another name',
      `{"data":[{"IN":[1,2,3,4],"IM":[1]}]}`,
      "data.json, 'data', step 0: the model has no 'IM' here, it has 'IN', 'MORE'",
    ],
    ['no tensor', input('7'), `${at}: expected an array, {"b64": "..."} or {"content": ..., "shape": [...]}, found 7`],
    [
      'a text',
      input('"1,2,3,4"'),
      `${at}: expected an array, {"b64": "..."} or {"content": ..., "shape": [...]}, found "1,2,3,4"`,
    ],
    [
      'another member of a tensor',
      input('{"content":[1],"shap":[1]}'),
      `${at}: expected the members 'content' and 'shape', or 'b64', found 'shap'`,
    ],
    ['a shape alone', input('{"shape":[2,2]}'), `${at}: expected its elements as 'content' or as 'b64', found neither`],
    ['both', input('{"content":[1],"b64":""}'), `${at}: expected its elements as 'content' or as 'b64', found both`],
    ['too few elements', input('[1,2,3]'), `${at}: expected 4 elements for the shape [2,2], found 3`],
    [
      'another nesting',
      input('[[1,2,3,4]]'),
      `${at}: expected the shape [2,2], found arrays nested as [1,4]; a flat array in row-major order will do`,
    ],
    [
      'ragged arrays',
      input('[[1,2],[3]]'),
      `${at}: expected arrays in it nested as [2], as the first is, found an array of 1`,
    ],
    [
      'a number among arrays',
      input('[[1,2],3]'),
      `${at}: expected arrays in it nested as [2], as the first is, found 3`,
    ],
    ['an array among numbers', input('[1,[2],3,4]'), `${at}: expected no array in it, found an array of 1`],
    [
      'a text among numbers',
      input('[1,"2",3,4]'),
      `${at}, element 1: expected a whole number from -2147483648 to 2147483647 (INT32), found "2"`,
    ],
    [
      'a fraction',
      input('[1,2.5,3,4]'),
      `${at}, element 1: expected a whole number from -2147483648 to 2147483647 (INT32), found 2.5`,
    ],
    [
      'a number too large',
      input('[1,2,3,2147483648]'),
      `${at}, element 3: expected a whole number from -2147483648 to 2147483647 (INT32), found 2147483648`,
    ],
    [
      'null',
      input('[null,2,3,4]'),
      `${at}, element 0: expected a whole number from -2147483648 to 2147483647 (INT32), found null`,
    ],
    [
      'a shape that is none',
      input('{"content":[1],"shape":[2,-2]}'),
      `${at}, 'shape': expected an array of whole numbers from 0 on, found an array of 2`,
    ],
    [
      'a shape of another model',
      input('{"content":[1,2,3,4],"shape":[4]}'),
      `${at}, 'shape': expected one like [2,2], as the model has it, found [4]; the batch dimension is not part of it`,
    ],
    ['no Base64', input('{"b64":"a$"}'), `${at}, 'b64': expected a string of Base64, found "a$"`],
    ['Base64 cut short', input('{"b64":"AAAAA"}'), `${at}, 'b64': expected a string of Base64, found "AAAAA"`],
    [
      'bytes that are no elements',
      input('{"b64":"AAAAAAA="}'),
      `${at}: expected elements of 4 bytes (INT32), found 5 bytes`,
    ],
    ['too few bytes', input('{"b64":"AAAAAA=="}'), `${at}: expected 4 elements for the shape [2,2], found 1`],
    [
      'parameters that are none',
      '{"data":[{"IN":[1,2,3,4],"parameters":[1]}]}',
      "data.json, 'data', step 0, 'parameters': expected an object, found an array of 1",
    ],
    [
      'a parameter that is none',
      '{"data":[{"IN":[1,2,3,4],"parameters":{"a":null}}]}',
      "data.json, 'data', step 0, 'parameters', 'a': expected a string, a number, true or false, found null",
    ],
    [
      'too few expected steps',
      `{"data":[${step},${step}],"validation_data":[{}]}`,
      "data.json, 'validation_data': expected 2 steps, as 'data' has, found 1 steps; a step of which nothing is expected is {}",
    ],
    [
      'expected streams for steps',
      `{"data":[${step}],"validation_data":[[{}]]}`,
      "data.json, 'validation_data': expected 1 steps, as 'data' has, found streams of 1 steps; a step of which nothing is expected is {}",
    ],
    [
      'an expected output that is none',
      `{"data":[${step}],"validation_data":[{"IN":[1,2,3,4]}]}`,
      "data.json, 'validation_data', step 0: the model has no 'IN' here, it has 'OUT', 'ANY'",
    ],
    [
      'an expected output of any size',
      `{"data":[${step}],"validation_data":[{"ANY":[1,2,3,4]}]}`,
      `data.json, 'validation_data', step 0, output 'ANY': its shape is [-1,-1], and 4 elements do not say how large it is; write {"content": [...], "shape": [...]}, or for inputs give --shape ANY:N,N`,
    ],
  ];

  test.each(cases)('%s', async (_, text, message) => {
    expect(await files.refusal(model, [files.write('data.json', text)])).toBe(message);
  });

  test.each<[DataType, string, string]>([
    ['BOOL', '2', 'true or false (BOOL), found 2'],
    ['UINT8', '-1', 'a whole number from 0 to 255 (UINT8), found -1'],
    [
      'UINT64',
      '18446744073709551616',
      'a whole number from 0 to 18446744073709551615 (UINT64), found 18446744073709552000',
    ],
    [
      'INT64',
      '9223372036854775808',
      'a whole number from -9223372036854775808 to 9223372036854775807 (INT64), found 9223372036854775808',
    ],
    ['INT8', 'NaN', 'a whole number from -128 to 127 (INT8), found NaN'],
    ['FP16', '65520', 'a number that FP16 can hold (FP16), found 65520'],
    ['BF16', '1e39', 'a number that BF16 can hold (BF16), found 1e+39'],
    ['FP32', '1e39', 'a number that FP32 can hold (FP32), found 1e+39'],
    ['FP64', '"1"', 'a number (FP64), found "1"'],
    ['BYTES', '1', 'a string (BYTES), found 1'],
  ])('%s: %s', async (datatype, element, message) => {
    const path = files.write('data.json', `{"data":[{"IN":[${element}]}]}`);
    expect(await files.refusal(of(datatype), [path])).toBe(
      `data.json, 'data', step 0, input 'IN', element 0: expected ${message}`,
    );
  });

  test('lengths of strings that lead nowhere', async () => {
    const path = files.write('data.json', '{"data":[{"IN":{"b64":"BQAAAGE="}}]}');
    expect(await files.refusal(of('BYTES'), [path])).toBe(
      "data.json, 'data', step 0, input 'IN': expected strings, each behind its length as 4 bytes, the least first; the lengths found do not lead to the end of the 5 bytes",
    );
  });

  test('an input of any size that nothing says the size of', async () => {
    const path = files.write('data.json', '{"data":[{"IN":[1,2,3,4]}]}');
    expect(await files.refusal(of('INT8', [-1, -1, 2]), [path])).toBe(
      `data.json, 'data', step 0, input 'IN': its shape is [-1,-1,2], and 4 elements do not say how large it is; write {"content": [...], "shape": [...]}, or for inputs give --shape IN:N,N,2`,
    );
  });

  test('a file that is not there', async () => {
    expect(await files.refusal(model, [files.path('none.json')])).toMatch(
      /^--input-data none\.json: cannot be read: ENOENT: .*; expected 'random', 'zero', a JSON file or a folder$/,
    );
  });

  test('text that is not UTF-8', async () => {
    const path = files.write('data.json', Buffer.from('{"data":[{"IN":["\xff"]}]}', 'latin1'));
    expect(await files.refusal(of('BYTES'), [path])).toMatch(
      /^data\.json, line 1, column 18: this is no JSON: Invalid encoding/,
    );
  });
});
