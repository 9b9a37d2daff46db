import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { InstanceInit, TensorLayout } from '../../src/backends/worker-protocol.js';
import { ABSENT, LINE_BEGIN, LINE_BYTES, LINE_DIMS, LINE_RANK, VARIABLE } from '../../src/memory/layout.js';
import type { DataType } from '../../src/types/datatype.js';
import type { SealedBatch } from '../../workers/batch.js';
import { InputBinder } from '../../workers/inputs.js';
import { BatchFixture, requests } from './batches.js';

const arena = new SharedArrayBuffer(1 << 16);
const bytes = new Uint8Array(arena);
const table = new Float64Array(arena);
for (let i = 0; i < bytes.length; i++) bytes[i] = i % 251;

function binderOf(datatype: DataType, rowBytes: number, ragged = false): InputBinder {
  const layout: TensorLayout = { name: 'IN', datatype, dims: [rowBytes / 4], rowBytes, planeOffset: 128, ragged };
  return new InputBinder({ inputs: [layout], batching: true, arena } as unknown as InstanceInit, 0);
}

type Entry = readonly [slot: number, row: number, rows: number];

/** As `SealedBatch.read` leaves it. */
function batchOf(contiguous: boolean, ...entries: Entry[]): SealedBatch {
  return {
    contiguous,
    entries: entries.length,
    rows: entries.reduce((sum, [, , rows]) => sum + rows, 0),
    slots: entries.map(([slot]) => slot),
    firstRows: entries.map(([, row]) => row),
    rowCounts: entries.map(([, , rows]) => rows),
  } as unknown as SealedBatch;
}

function writeLine(slot: number, begin: number, length: number, dims: readonly number[]): void {
  const word = slot / 8;
  table[word + LINE_BEGIN] = begin;
  table[word + LINE_BYTES] = length;
  table[word + LINE_RANK] = dims.length;
  dims.forEach((dim, index) => {
    table[word + LINE_DIMS + index] = dim;
  });
}

describe('an input is used where it lies', () => {
  test('where the rows of a batch are one range of a plane', () => {
    const bound = binderOf('FP32', 16).bind(batchOf(true, [1024, 2, 1], [1024, 3, 2]));
    expect(bound).toEqual({ dims: [3, 4], memory: expect.any(Uint8Array), begin: 1024 + 128 + 32, bytes: 48 });
    expect(bound!.memory.buffer).toBe(arena);
  });

  test('where one request has a slot of its own', () => {
    writeLine(4096, 320, 12, [1, 3]);
    const bound = binderOf('FP32', 0).bind(batchOf(false, [4096, VARIABLE, 1]));
    expect(bound).toMatchObject({ dims: [1, 3], begin: 4096 + 320, bytes: 12 });
    expect(bound!.memory.buffer).toBe(arena);
  });
});

describe('an input is copied', () => {
  test('where the range has gaps', () => {
    const bound = binderOf('FP32', 16).bind(batchOf(false, [1024, 0, 1], [1024, 2, 1], [2048, 5, 2]))!;
    const rows = [
      [1024, 0],
      [1024, 2],
      [2048, 5],
      [2048, 6],
    ] as const;
    const expected = rows.flatMap(([slot, row]) => [
      ...bytes.subarray(slot + 128 + row * 16, slot + 128 + (row + 1) * 16),
    ]);
    expect([...bound.memory.subarray(bound.begin, bound.begin + bound.bytes)]).toEqual(expected);
    expect(bound.dims).toEqual([4, 4]);
    expect(bound.memory.buffer).not.toBe(arena);
  });

  test('where it does not begin at a multiple of its elements', () => {
    writeLine(4096, 321, 8, [1, 1]);
    const bound = binderOf('INT64', 0).bind(batchOf(false, [4096, VARIABLE, 1]))!;
    expect([...bound.memory.subarray(bound.begin, bound.begin + 8)]).toEqual([...bytes.subarray(4417, 4425)]);
    expect(bound.memory.buffer).not.toBe(arena);
  });
});

describe('a ragged input is one dimension', () => {
  test('where it is used as it lies', () => {
    expect(binderOf('FP32', 16, true).bind(batchOf(true, [1024, 2, 1], [1024, 3, 2]))).toMatchObject({
      dims: [12],
      begin: 1024 + 128 + 32,
      bytes: 48,
    });
    writeLine(4096, 320, 24, [1, 2, 3]);
    expect(binderOf('FP32', 0, true).bind(batchOf(false, [4096, VARIABLE, 1]))).toMatchObject({ dims: [6], bytes: 24 });
  });

  test('of all elements of any requests, where they are copied', () => {
    fc.assert(
      fc.property(requests, (all) => {
        const { init, batch, elements } = new BatchFixture(all, { ragged: true });
        const bound = new InputBinder(init, 1).bind(batch)!;
        const { buffer, byteOffset } = bound.memory;
        expect([...new Int32Array(buffer, byteOffset + bound.begin, bound.bytes / 4)]).toEqual(elements);
        expect(bound.dims).toEqual([elements.length]);
      }),
    );
  });
});

test('an input that a request leaves out is null', () => {
  writeLine(4096, ABSENT, 0, []);
  table[4096 / 8 + LINE_RANK] = 1e12;
  expect(binderOf('FP32', 0).bind(batchOf(false, [4096, VARIABLE, 1]))).toBeNull();
});
