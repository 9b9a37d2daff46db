import type { InstanceInit, TensorLayout } from '../src/backends/worker-protocol.js';
import { VARIABLE } from '../src/memory/layout.js';
import type { Shape } from '../src/types/tensor.js';
import { type SealedBatch, TableLine } from './batch.js';

/** Tells the shapes that one input has in the requests of a batch, as the requests have them: also where the backend gets it ragged. */
export class RequestShapes {
  readonly #layout: TensorLayout;
  readonly #index: number;
  readonly #batching: boolean;
  readonly #table: Float64Array;
  readonly #line = new TableLine();

  constructor(init: InstanceInit, index: number) {
    this.#layout = init.inputs[index]!;
    this.#index = index;
    this.#batching = init.batching;
    this.#table = new Float64Array(init.arena);
  }

  /** With the batch dimension, where there is one; in the order of the entries. The input is in all of them. */
  of(batch: SealedBatch): Shape[] {
    const shapes: Shape[] = [];
    for (let entry = 0; entry < batch.entries; entry++) shapes.push(this.#of(batch, entry));
    return shapes;
  }

  #of(batch: SealedBatch, entry: number): Shape {
    if (batch.firstRows[entry] === VARIABLE) {
      this.#line.read(this.#table, batch.slots[entry]!, this.#index);
      return [...this.#line.dims];
    }
    const { dims } = this.#layout;
    return this.#batching ? [batch.rowCounts[entry]!, ...dims] : dims;
  }
}
