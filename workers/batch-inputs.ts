import type { InstanceInit } from '../src/backends/worker-protocol.js';
import type { BatchInputKind, BatchInputLayout } from '../src/types/batch-io.js';
import { elementCount, type Shape } from '../src/types/tensor.js';
import type { SealedBatch } from './batch.js';
import type { BoundInput } from './inputs.js';
import { RequestShapes } from './request-shapes.js';

/**
 * A batch input for requests whose source inputs have these shapes, with their first dimension (fact sheet 5.8). Counts are those of
 * requests, all their rows together; item shapes are those of rows. Elements that are not given are 0.
 */
export function batchInput(
  kind: BatchInputKind,
  shapes: readonly Shape[],
): { dims: Shape; elements: readonly number[] } {
  switch (kind) {
    case 'BATCH_ELEMENT_COUNT':
      return inOneDimension(shapes.map(elementCount));
    case 'BATCH_ACCUMULATED_ELEMENT_COUNT':
      return inOneDimension(sums(shapes.map(elementCount)));
    case 'BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO':
      return inOneDimension([0, ...sums(shapes.map(elementCount))]);
    case 'BATCH_MAX_ELEMENT_COUNT_AS_SHAPE':
      return { dims: [Math.max(...shapes.map(elementCount))], elements: [] };
    case 'BATCH_ITEM_SHAPE':
      return { dims: [rowsOf(shapes), Math.max(0, shapes[0]!.length - 1)], elements: itemShapes(shapes) };
    case 'BATCH_ITEM_SHAPE_FLATTEN':
      return inOneDimension(itemShapes(shapes));
  }
}

function inOneDimension(elements: readonly number[]): { dims: Shape; elements: readonly number[] } {
  return { dims: [elements.length], elements };
}

/** Of the first, of the first two and so on. */
function sums(counts: readonly number[]): number[] {
  let sum = 0;
  return counts.map((count) => {
    sum += count;
    return sum;
  });
}

function rowsOf(shapes: readonly Shape[]): number {
  return shapes.reduce((sum, [rows = 1]) => sum + rows, 0);
}

/** One for each row. */
function itemShapes(shapes: readonly Shape[]): number[] {
  return shapes.flatMap(([rows = 1, ...item]) => Array<number[]>(rows).fill(item).flat());
}

/** Makes one batch input for each batch. Owns its memory. */
export class BatchInputBinder {
  readonly #layout: BatchInputLayout;
  readonly #shapes: RequestShapes;
  readonly #bound: BoundInput;
  #elements: Int32Array | Float32Array = new Int32Array(0);

  constructor(init: InstanceInit, layout: BatchInputLayout) {
    this.#layout = layout;
    this.#shapes = new RequestShapes(init, layout.source);
    this.#bound = { dims: [], memory: new Uint8Array(0), begin: 0, bytes: 0 };
    this.#reserve(16);
  }

  /** The result is valid until the next call. */
  bind(batch: SealedBatch): BoundInput {
    const { dims, elements } = batchInput(this.#layout.kind, this.#shapes.of(batch));
    const count = elementCount(dims);
    this.#reserve(count);
    this.#elements.set(elements);
    this.#bound.dims = dims;
    this.#bound.bytes = count * this.#elements.BYTES_PER_ELEMENT;
    return this.#bound;
  }

  #reserve(count: number): void {
    if (this.#elements.length >= count) return;
    const length = Math.max(count, this.#elements.length * 2);
    this.#elements = this.#layout.datatype === 'INT32' ? new Int32Array(length) : new Float32Array(length);
    this.#bound.memory = new Uint8Array(this.#elements.buffer);
  }
}
