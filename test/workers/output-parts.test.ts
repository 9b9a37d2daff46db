import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { InstanceInit } from '../../src/backends/worker-protocol.js';
import { elementCount, type Shape } from '../../src/types/tensor.js';
import { cut, OutputParts, scatteredShape } from '../../workers/output-parts.js';
import type { RunOutput } from '../../workers/run-output.js';
import { BatchFixture, layoutOf, requests } from './batches.js';

function output(dims: Shape, bytes: number, starts: readonly number[] = []): RunOutput {
  return { dims, bytes, starts, copyTo() {} };
}

describe('the shape of a part', () => {
  test.each<[Shape, Shape, Shape]>([
    [
      [-1, -1],
      [2, 5],
      [2, 5],
    ],
    [
      [-1, 3, -1],
      [1, 7, 4],
      [1, 3, 4],
    ],
    [[-1], [2, 5], [2]],
  ])('%s with a request of %s is %s', (own, source, expected) => {
    expect(scatteredShape(own, source)).toEqual(expected);
  });
});

describe('parts', () => {
  const numbers = layoutOf('OUT', 'INT32', [-1]);
  const texts = layoutOf('OUT', 'BYTES', [-1]);

  test('of numbers are one behind the other', () => {
    expect(
      cut(numbers, output([6], 24), [
        [1, 2],
        [1, 0],
        [2, 1],
      ]),
    ).toEqual([
      { begin: 0, bytes: 8, dims: [1, 2] },
      { begin: 8, bytes: 0, dims: [1, 0] },
      { begin: 8, bytes: 8, dims: [2, 1] },
    ]);
  });

  test('of texts are where their elements begin', () => {
    expect(
      cut(texts, output([3], 21, [0, 5, 14, 21]), [
        [1, 1],
        [1, 2],
        [1, 0],
      ]),
    ).toEqual([
      { begin: 0, bytes: 5, dims: [1, 1] },
      { begin: 5, bytes: 16, dims: [1, 2] },
      { begin: 21, bytes: 0, dims: [1, 0] },
    ]);
    expect(cut(texts, output([0], 0, [0]), [[1, 0]])).toEqual([{ begin: 0, bytes: 0, dims: [1, 0] }]);
  });

  test('are refused where the output has too few elements', () => {
    expect(() =>
      cut(numbers, output([2], 8), [
        [1, 2],
        [1, 1],
      ]),
    ).toThrow(
      "failed to scatter the output tensor 'OUT' in responses: expected at least 3 elements in model output, got 2",
    );
  });
});

test('each request gets back what it has sent, and as many rows of other outputs as it has', () => {
  fc.assert(
    fc.property(requests, (all) => {
      const { init, batch, elements } = new BatchFixture(all, { ragged: true });
      const outputs = [layoutOf('ROWS', 'INT32', [3]), layoutOf('SAME', 'INT32', [-1, -1])];
      const scattering: InstanceInit = { ...init, outputs, batchOutputs: [{ output: 1, source: 1 }] };
      const same = new OutputParts(scattering, 1).of(output([elements.length], elements.length * 4), batch);
      let element = 0;
      for (const [index, shape] of all.shapes.entries()) {
        expect(same[index]).toEqual({ begin: element * 4, bytes: elementCount(shape) * 4, dims: shape });
        element += elementCount(shape);
      }
      const rows = new OutputParts(scattering, 0).of(output([batch.rows, 3], batch.rows * 12), batch);
      expect(rows.map(({ dims }) => dims)).toEqual(all.shapes.map(([count]) => [count, 3]));
      expect(rows.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(batch.rows * 12);
    }),
  );
});

test("without batching the one request has its source's dimensions, and others whole", () => {
  const { init, batch, elements } = new BatchFixture({ shapes: [[4, 3]], inPlanes: false }, { ragged: true });
  const outputs = [layoutOf('WHOLE', 'INT32', [-1]), layoutOf('SAME', 'INT32', [-1, 3])];
  const single: InstanceInit = { ...init, batching: false, outputs, batchOutputs: [{ output: 1, source: 1 }] };
  const part = (index: number, dims: Shape) =>
    new OutputParts(single, index).of(output(dims, elements.length * 4), batch);
  expect(part(0, [12])).toEqual([{ begin: 0, bytes: 48, dims: [12] }]);
  expect(part(1, [12])).toEqual([{ begin: 0, bytes: 48, dims: [4, 3] }]);
});
