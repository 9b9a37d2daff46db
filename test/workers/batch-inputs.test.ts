import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BatchInputKind } from '../../src/types/batch-io.js';
import type { Shape } from '../../src/types/tensor.js';
import { BatchInputBinder, batchInput } from '../../workers/batch-inputs.js';
import { BatchFixture, requests } from './batches.js';

describe('three requests, one of two rows and one without elements', () => {
  const shapes = [
    [1, 2, 3],
    [2, 4, 1],
    [1, 0, 5],
  ];

  test.each<[BatchInputKind, Shape, number[]]>([
    ['BATCH_ELEMENT_COUNT', [3], [6, 8, 0]],
    ['BATCH_ACCUMULATED_ELEMENT_COUNT', [3], [6, 14, 14]],
    ['BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO', [4], [0, 6, 14, 14]],
    ['BATCH_MAX_ELEMENT_COUNT_AS_SHAPE', [8], []],
    ['BATCH_ITEM_SHAPE', [4, 2], [2, 3, 4, 1, 4, 1, 0, 5]],
    ['BATCH_ITEM_SHAPE_FLATTEN', [8], [2, 3, 4, 1, 4, 1, 0, 5]],
  ])('%s', (kind, dims, elements) => {
    expect(batchInput(kind, shapes)).toEqual({ dims, elements });
  });
});

test('rows without dimensions have shapes without elements', () => {
  expect(batchInput('BATCH_ITEM_SHAPE', [[2], [1]])).toEqual({ dims: [3, 0], elements: [] });
});

test('a scalar of a model that does not batch is one item without dimensions', () => {
  expect(batchInput('BATCH_ITEM_SHAPE', [[]])).toEqual({ dims: [1, 0], elements: [] });
});

/** Element by element, as one would count by hand. */
function twin(kind: BatchInputKind, shapes: readonly Shape[]): number[] {
  const values: number[] = [];
  let sum = 0;
  let most = 0;
  if (kind === 'BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO') values.push(0);
  for (const [rows, height, width] of shapes) {
    const count = rows! * height! * width!;
    sum += count;
    if (count > most) most = count;
    if (kind === 'BATCH_ELEMENT_COUNT') values.push(count);
    if (kind.startsWith('BATCH_ACCUMULATED')) values.push(sum);
    for (let row = 0; row < rows!; row++) if (kind.startsWith('BATCH_ITEM')) values.push(height!, width!);
  }
  return kind === 'BATCH_MAX_ELEMENT_COUNT_AS_SHAPE' ? Array.from({ length: most }, () => 0) : values;
}

const kinds: BatchInputKind[] = [
  'BATCH_ELEMENT_COUNT',
  'BATCH_ACCUMULATED_ELEMENT_COUNT',
  'BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO',
  'BATCH_MAX_ELEMENT_COUNT_AS_SHAPE',
  'BATCH_ITEM_SHAPE',
  'BATCH_ITEM_SHAPE_FLATTEN',
];

test.each(kinds)('%s of any batches, one after the other, is what one counts by hand', (kind) => {
  const datatypes = fc.constantFrom('INT32' as const, 'FP32' as const);
  fc.assert(
    fc.property(
      datatypes,
      fc.boolean(),
      fc.array(requests, { minLength: 1, maxLength: 3 }),
      (datatype, ragged, all) => {
        for (const one of all) {
          const { init, batch } = new BatchFixture(one, { ragged });
          const layout = { name: 'B', datatype, kind, source: 1 };
          const { dims, memory, begin, bytes } = new BatchInputBinder(init, layout).bind(batch);
          const view = new DataView(memory.buffer, memory.byteOffset + begin, bytes);
          const read = datatype === 'INT32' ? view.getInt32 : view.getFloat32;
          const elements = Array.from({ length: bytes / 4 }, (_, index) => read.call(view, 4 * index, true));
          const expected = twin(kind, one.shapes);
          expect(elements).toEqual(expected);
          expect(dims).toEqual(kind === 'BATCH_ITEM_SHAPE' ? [expected.length / 2, 2] : [expected.length]);
        }
      },
    ),
  );
});

test('its memory grows with its batches', () => {
  const { init, batch } = new BatchFixture(
    { shapes: Array.from({ length: 5 }, () => [9, 1, 1]), inPlanes: false },
    { ragged: true },
  );
  const binder = new BatchInputBinder(init, {
    name: 'B',
    datatype: 'INT32',
    kind: 'BATCH_ITEM_SHAPE_FLATTEN',
    source: 1,
  });
  expect(binder.bind(batch)).toMatchObject({ dims: [90], bytes: 360 });
  expect(binder.bind({ ...batch, entries: 1 } as typeof batch)).toMatchObject({ dims: [18], bytes: 72 });
});
