import { describe, expect, test } from 'vitest';
import { buildDataSet } from '../../../../bench/load/data/build-data-set.js';
import { DataError } from '../../../../bench/load/data/data-error.js';
import type { TensorData } from '../../../../bench/load/data/data-set.js';
import { type FixedType, unpackElements, unpackStrings } from '../../../../bench/load/data/elements.js';
import type { DataOptions } from '../../../../bench/load/options.js';
import type { TargetModel } from '../../../../bench/load/target/target.js';
import { type DataType, elementBytes } from '../../../../src/types/datatype.js';
import { dataOptions, targetModel, tensor } from '../target-model.js';

const datatypes = Object.keys(elementBytes) as DataType[];

async function inputs(
  model: TargetModel,
  more: Partial<DataOptions> = {},
  batchSize = 1,
): Promise<readonly TensorData[]> {
  const { streams } = await buildDataSet(model, dataOptions(more), batchSize);
  expect(streams).toHaveLength(1);
  expect(streams[0]).toEqual([{ inputs: expect.anything(), expected: null, parameters: {} }]);
  return streams[0]![0]!.inputs;
}

async function refusal(model: TargetModel, more: Partial<DataOptions>, batchSize = 1): Promise<string> {
  const error = await buildDataSet(model, dataOptions(more), batchSize).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(DataError);
  return (error as DataError).message;
}

describe.each(datatypes)('%s', (datatype) => {
  const model = targetModel('m', [tensor('IN', datatype, [2, 50])], []);

  test('the same seed gives the same data, another one other data', async () => {
    const [first] = await inputs(model);
    expect(first).toMatchObject({ name: 'IN', datatype, shape: [2, 50] });
    expect(await inputs(model)).toEqual([first]);
    expect((await inputs(model, { seed: 2 }))[0]!.bytes).not.toEqual(first!.bytes);
  });

  test('elements are small, and none is like all others', async () => {
    const [{ bytes }] = (await inputs(model)) as [TensorData];
    if (datatype === 'BYTES') {
      const strings = unpackStrings(bytes)!.map(String);
      expect(strings).toHaveLength(100);
      expect(strings.every((string) => /^[A-Za-z0-9]{8}$/.test(string))).toBe(true);
      expect(new Set(strings).size).toBe(100);
      return;
    }
    const elements = unpackElements(datatype as FixedType, bytes);
    expect(elements).toHaveLength(100);
    expect(new Set(elements).size).toBeGreaterThan(datatype === 'BOOL' ? 1 : 30);
    const isFloat = datatype.includes('F');
    const most = datatype === 'BOOL' ? 1 : isFloat ? 1 - 2 ** -24 : 127;
    expect(elements.every((element) => Number(element) >= 0 && Number(element) <= most)).toBe(true);
    // None so small that a processor is slow with it.
    if (isFloat) expect(elements.every((element) => element === 0 || Number(element) >= 2 ** -24)).toBe(true);
    if (!isFloat) expect(elements.every((element) => Number.isInteger(Number(element)))).toBe(true);
  });

  test('zero', async () => {
    const [{ bytes }] = (await inputs(model, { source: 'zero' })) as [TensorData];
    expect(bytes).toEqual(Buffer.alloc(100 * (elementBytes[datatype] || 4)));
  });
});

test('strings have the length, or the text, that is asked for', async () => {
  const model = targetModel('m', [tensor('IN', 'BYTES', [3])], []);
  const strings = async (more: Partial<DataOptions>) =>
    unpackStrings((await inputs(model, more))[0]!.bytes)!.map(String);
  expect((await strings({ stringLength: 200 })).map(({ length }) => length)).toEqual([200, 200, 200]);
  expect(await strings({ stringLength: 0 })).toEqual(['', '', '']);
  expect(await strings({ stringData: 'né' })).toEqual(['né', 'né', 'né']);
  expect(await strings({ source: 'zero', stringData: '7' })).toEqual(['7', '7', '7']);
});

describe('shapes and batches', () => {
  const model = targetModel('m', [tensor('IN', 'INT32', [-1, -1, 3]), tensor('MORE', 'INT8', [-1, -1], true)], [], {
    maxBatchSize: 8,
  });

  test('--shape says how large an input is; each row of the batch has its own data', async () => {
    const [input, ...more] = await inputs(model, { shapes: { IN: [2, 3] } }, 4);
    expect(input!.shape).toEqual([4, 2, 3]);
    const row = (nth: number) => input!.bytes.subarray(nth * 24, (nth + 1) * 24);
    expect(row(0)).not.toEqual(row(1));
    // An optional input that nothing is said about is left out.
    expect(more).toEqual([]);
    expect(await inputs(model, { shapes: { IN: [2, 3], MORE: [5] } })).toHaveLength(2);
  });

  test('a scalar, and a tensor without elements', async () => {
    const scalar = targetModel('m', [tensor('IN', 'FP32', []), tensor('NONE', 'FP32', [0, 3])], []);
    const [first, second] = await inputs(scalar);
    expect([first!.bytes.length, second!.bytes.length]).toEqual([4, 0]);
  });

  const refusals: readonly [string, Partial<DataOptions>, number, string][] = [
    ['an input of any size', {}, 1, "input 'IN' has the shape [-1,3]: say how large it is to be with --shape IN:N,3"],
    [
      'the shape of an input that is not there',
      { shapes: { OUT: [1] } },
      1,
      "--shape OUT: model 'm' has no such input, it has 'IN', 'MORE'",
    ],
    [
      'another rank',
      { shapes: { IN: [4, 2, 3] } },
      1,
      '--shape IN:4,2,3: the model has [-1,3], where only -1 may be replaced; the batch dimension is not part of it',
    ],
    [
      'another fixed dimension',
      { shapes: { IN: [2, 4] } },
      1,
      '--shape IN:2,4: the model has [-1,3], where only -1 may be replaced; the batch dimension is not part of it',
    ],
    [
      'a dimension that is still open',
      { shapes: { IN: [-1, 3] } },
      1,
      '--shape IN:-1,3: the model has [-1,3], where only -1 may be replaced; the batch dimension is not part of it',
    ],
    [
      'more than a request can hold',
      { shapes: { IN: [999_999_999, 3] } },
      2,
      'the inputs of a request would have 23999999976 bytes, expected 2147483647 at most: ' +
        'a smaller --shape, --string-length or -b makes it smaller',
    ],
    ['more rows than it takes', { shapes: { IN: [2, 3] } }, 9, "-b 9: model 'm' takes at most 8 rows"],
  ];

  test.each(refusals)('%s is refused by name', async (_, options, batchSize, message) => {
    expect(await refusal(model, options, batchSize)).toBe(message);
  });

  test('strings that are too long', async () => {
    const texts = targetModel('m', [tensor('IN', 'BYTES', [1])], []);
    expect(await refusal(texts, { stringLength: 1e15 })).toContain('would have 1000000000000004 bytes, expected');
    expect(await inputs(texts, { stringLength: 1e15, source: 'zero' })).toMatchObject([{ bytes: Buffer.alloc(4) }]);
  });

  test('a model without batches takes one row', async () => {
    const single = targetModel('m', [tensor('IN', 'INT32', [1])], []);
    expect((await inputs(single))[0]!.shape).toEqual([1]);
    expect(await refusal(single, {}, 2)).toBe("-b 2: model 'm' has no batch dimension (max_batch_size: 0)");
  });

  test('a datatype that nobody knows', async () => {
    const strange = targetModel('m', [tensor('IN', 'INT4', [1])], []);
    expect(await refusal(strange, {})).toBe("model 'm', tensor 'IN': datatype INT4 is none of the V2 protocol's");
  });
});
