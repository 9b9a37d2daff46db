import fc from 'fast-check';
import type { InstanceInit, TensorLayout } from '../../src/backends/worker-protocol.js';
import { LINE_WORDS, tableBytes, VARIABLE, writeLine } from '../../src/memory/layout.js';
import type { DataType } from '../../src/types/datatype.js';
import { elementCount, type Shape } from '../../src/types/tensor.js';
import type { SealedBatch } from '../../workers/batch.js';

/** Requests of one batch: with a shape of their own each, or rows of one shape that lie in planes. */
export interface Requests {
  /** With the batch dimension. */
  readonly shapes: readonly Shape[];
  readonly inPlanes: boolean;
}

/** Of tensors with two dimensions behind that of the batch. */
export const requests: fc.Arbitrary<Requests> = fc.boolean().chain((inPlanes) => {
  const rows = fc.integer({ min: 1, max: 3 });
  // What lies in planes has rows of some bytes.
  const min = inPlanes ? 1 : 0;
  const dims = fc.tuple(fc.integer({ min, max: 4 }), fc.integer({ min, max: 3 }));
  const item = inPlanes ? dims.map((one) => fc.constant(one)) : fc.constant(dims);
  return item
    .chain((one) => fc.array(fc.tuple(rows, one), { minLength: 1, maxLength: 5 }))
    .map((list) => ({ inPlanes, shapes: list.map(([count, own]) => [count, ...own]) }));
});

const ELEMENT_BYTES = 4;
const PLANE_OFFSET = 64;

/** A batch in an arena whose elements are their own numbers, and what a worker is told about it. Input 0 is another one. */
export class BatchFixture {
  readonly arena = new SharedArrayBuffer(1 << 16);
  readonly init: InstanceInit;
  readonly batch: SealedBatch;
  /** Of all requests, in their order. */
  readonly elements: number[] = [];

  constructor({ shapes, inPlanes }: Requests, more: { readonly ragged: boolean }) {
    const dims = inPlanes ? shapes[0]!.slice(1) : [-1, -1];
    const rowBytes = inPlanes ? elementCount(dims) * ELEMENT_BYTES : 0;
    const other = layoutOf('OTHER', 'INT32', [1]);
    const layout: TensorLayout = { ...layoutOf('IN', 'INT32', dims), ...more, rowBytes, planeOffset: PLANE_OFFSET };
    this.init = { inputs: [other, layout], outputs: [], batching: true, arena: this.arena } as unknown as InstanceInit;
    const words = new Int32Array(this.arena);
    for (let index = 0; index < words.length; index++) words[index] = index;
    const places = inPlanes ? this.#inPlanes(shapes, rowBytes) : this.#inSlots(shapes);
    this.batch = {
      contiguous: inPlanes && shapes.length === 1,
      entries: shapes.length,
      rows: shapes.reduce((sum, [rows]) => sum + rows!, 0),
      slots: places.map(({ slot }) => slot),
      firstRows: places.map(({ row }) => row),
      rowCounts: shapes.map(([rows]) => rows),
    } as unknown as SealedBatch;
  }

  /** With a row between the requests, so that they are no range. */
  #inPlanes(shapes: readonly Shape[], rowBytes: number) {
    let row = 0;
    return shapes.map((shape) => {
      const place = { slot: 1024, row };
      this.#push(1024 + PLANE_OFFSET + row * rowBytes, shape);
      row += shape[0]! + 1;
      return place;
    });
  }

  #inSlots(shapes: readonly Shape[]) {
    const table = new Float64Array(this.arena);
    return shapes.map((shape, index) => {
      const slot = 1024 * (index + 1);
      const begin = tableBytes(2, 0);
      writeLine(table, slot / 8 + LINE_WORDS, begin, elementCount(shape) * ELEMENT_BYTES, shape);
      this.#push(slot + begin, shape);
      return { slot, row: VARIABLE };
    });
  }

  #push(begin: number, shape: Shape): void {
    const first = begin / ELEMENT_BYTES;
    for (let nth = 0; nth < elementCount(shape); nth++) this.elements.push(first + nth);
  }
}

export function layoutOf(name: string, datatype: DataType, dims: Shape): TensorLayout {
  return { name, datatype, dims, rowBytes: 0, planeOffset: 0, ragged: false };
}
