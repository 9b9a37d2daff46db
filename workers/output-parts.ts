import type { InstanceInit, TensorLayout } from '../src/backends/worker-protocol.js';
import { elementBytes } from '../src/types/datatype.js';
import { ServerError } from '../src/types/errors.js';
import { elementCount, type Shape } from '../src/types/tensor.js';
import type { SealedBatch } from './batch.js';
import { RequestShapes } from './request-shapes.js';
import type { RunOutput } from './run-output.js';

/** What of an output belongs to one request: `bytes` bytes from its byte `begin` on. */
export interface OutputPart {
  readonly begin: number;
  readonly bytes: number;
  readonly dims: Shape;
}

/** Tells the parts of the requests in one output of a model with batch outputs: by the shapes of an input, or by rows. */
export class OutputParts {
  readonly #layout: TensorLayout;
  readonly #batching: boolean;
  /** Null = by rows. */
  readonly #sources: RequestShapes | null;

  constructor(init: InstanceInit, index: number) {
    const batchOutput = init.batchOutputs.find(({ output }) => output === index);
    this.#layout = init.outputs[index]!;
    this.#batching = init.batching;
    this.#sources = batchOutput === undefined ? null : new RequestShapes(init, batchOutput.source);
  }

  /** Its number of rows need not be that of the batch. */
  get isScattered(): boolean {
    return this.#sources !== null;
  }

  /** In the order of the entries. Throws UNSUPPORTED where the output has too few elements. */
  of(output: RunOutput, batch: SealedBatch): OutputPart[] {
    return cut(this.#layout, output, this.#shapes(output, batch));
  }

  #shapes({ dims }: RunOutput, batch: SealedBatch): Shape[] {
    if (this.#sources !== null) {
      const own = this.#batching ? [-1, ...this.#layout.dims] : this.#layout.dims;
      return this.#sources.of(batch).map((source) => scatteredShape(own, source));
    }
    if (!this.#batching) return [dims];
    return Array.from({ length: batch.entries }, (_, entry) => [batch.rowCounts[entry]!, ...dims.slice(1)]);
  }
}

/** Dimensions that differ are those of the source input at the same place (fact sheet 5.8). */
export function scatteredShape(own: Shape, source: Shape): Shape {
  return own.map((dim, index) => (dim === -1 ? source[index]! : dim));
}

/** Parts of these shapes, one behind the other. */
export function cut(layout: TensorLayout, output: RunOutput, shapes: readonly Shape[]): OutputPart[] {
  const { name, datatype } = layout;
  const { starts } = output;
  const byteOf = (element: number) =>
    datatype === 'BYTES' ? starts[Math.min(element, starts.length - 1)]! : element * elementBytes[datatype];
  let element = 0;
  const parts = shapes.map((dims) => {
    const begin = byteOf(element);
    element += elementCount(dims);
    return { begin, bytes: byteOf(element) - begin, dims };
  });
  const provided = elementCount(output.dims);
  if (element <= provided) return parts;
  throw new ServerError(
    'UNSUPPORTED',
    `failed to scatter the output tensor '${name}' in responses: expected at least ${element} elements in model output, got ${provided}`,
  );
}
