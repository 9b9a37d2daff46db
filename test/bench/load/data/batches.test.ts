import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { batched } from '../../../../bench/load/data/batches.js';
import type { Step } from '../../../../bench/load/data/data-set.js';
import { targetModel, tensor } from '../target-model.js';
import { DataFiles, valuesOf } from './data-files.js';

const files = new DataFiles();
afterAll(() => files.remove());

const row = (value: number): Step => ({
  inputs: [{ name: 'IN', datatype: 'UINT8', shape: [1], bytes: Buffer.from([value]) }],
  expected: [{ name: 'OUT', datatype: 'UINT8', shape: [1], bytes: Buffer.from([value + 100]) }],
  parameters: { row: value },
});

const rows = (count: number) => Array.from({ length: count }, (_, nth) => row(nth));
const valuesIn = (steps: readonly Step[]) => steps.map((step) => [...step.inputs[0]!.bytes]);

test('rows are taken one after another, the first again behind the last, until the first batch would come again', () => {
  expect(valuesIn(batched(rows(4), 2, false, ''))).toEqual([
    [0, 1],
    [2, 3],
  ]);
  expect(valuesIn(batched(rows(3), 2, false, ''))).toEqual([
    [0, 1],
    [2, 0],
    [1, 2],
  ]);
  expect(valuesIn(batched(rows(1), 3, false, ''))).toEqual([[0, 0, 0]]);
  expect(valuesIn(batched(rows(2), 5, false, ''))).toEqual([
    [0, 1, 0, 1, 0],
    [1, 0, 1, 0, 1],
  ]);
  // As long as the stream, whatever the batch.
  expect(valuesIn(batched(rows(3), 2, true, ''))).toEqual([
    [0, 1],
    [1, 2],
    [2, 0],
  ]);
});

test('sent again and again they are what counting modulo the rows says', () => {
  const counts = fc.record({ count: fc.integer({ min: 1, max: 40 }), size: fc.integer({ min: 1, max: 20 }) });
  fc.assert(
    fc.property(counts, fc.boolean(), ({ count, size }, isSequence) => {
      const steps = batched(rows(count), size, isSequence, '');
      for (let nth = 0; nth < 2 * steps.length; nth++) {
        const begin = nth * (isSequence ? 1 : size);
        const wanted = Array.from({ length: size }, (_, at) => (begin + at) % count);
        const step = steps[nth % steps.length]!;
        expect([...step.inputs[0]!.bytes]).toEqual(wanted);
        expect([...step.expected![0]!.bytes]).toEqual(wanted.map((value) => value + 100));
        expect(step.inputs[0]!.shape).toEqual([size, 1]);
        expect(step.parameters).toEqual({ row: wanted[0] });
      }
      // None is there twice.
      expect(new Set(steps.map((step) => step.inputs[0]!.bytes[0])).size).toBe(steps.length);
    }),
  );
});

describe('from a file', () => {
  const model = targetModel(
    'm',
    [tensor('IN', 'INT8', [-1, -1]), tensor('MORE', 'INT8', [-1, 1], true)],
    [tensor('OUT', 'INT8', [-1, 1])],
    { maxBatchSize: 4 },
  );

  test('a sequence goes on step by step, other requests batch by batch', async () => {
    const path = files.write('data.json', '{"data":[[{"IN":[1]},{"IN":[2]},{"IN":[3]}],[{"IN":[4]}]]}');
    const read = async (scheduler: 'dynamic' | 'sequence') =>
      (await files.read({ ...model, scheduler }, [path], 2)).streams.map(valuesIn);
    expect(await read('sequence')).toEqual([
      [
        [1, 2],
        [2, 3],
        [3, 1],
      ],
      [[4, 4]],
    ]);
    expect(await read('dynamic')).toEqual([
      [
        [1, 2],
        [3, 1],
        [2, 3],
      ],
      [[4, 4]],
    ]);
  });

  const refusals: readonly [string, string, string][] = [
    [
      'rows of different shapes',
      '{"data":[{"IN":[1]},{"IN":[1,2]}]}',
      "--input-data, stream 0, batch from step 0 on, input 'IN': expected the same shape in each of its steps, found [1] and [2]; batches of one row (-b 1) can differ so",
    ],
    [
      'an input that some rows have',
      '{"data":[{"IN":[1]},{"IN":[1],"MORE":[1]}]}',
      "--input-data, stream 0, batch from step 0 on, input 'MORE': some of its steps have it, some do not; batches of one row (-b 1) can differ so",
    ],
    [
      'an output that is expected of some rows',
      '{"data":[{"IN":[1]},{"IN":[1]}],"validation_data":[{"OUT":[1]},{}]}',
      "--input-data, stream 0, batch from step 0 on, output 'OUT': some of its steps have it, some do not; batches of one row (-b 1) can differ so",
    ],
  ];

  test.each(refusals)('%s are refused by name, but one by one', async (_, text, message) => {
    const path = files.write('data.json', text);
    expect(await files.refusal(model, [path], 2)).toBe(message);
    const { streams } = await files.read(model, [path], 1);
    expect(streams[0]).toHaveLength(2);
    expect(valuesOf(streams[0]![0]!.inputs)).toEqual({ IN: [[1, 1], [1]] });
  });
});
