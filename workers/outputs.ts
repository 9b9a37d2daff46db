import type { InstanceInit, TensorLayout } from '../src/backends/worker-protocol.js';
import { alignUp } from '../src/memory/arena.js';
import {
  ARENA_UNIT,
  LINE_BEGIN,
  LINE_BYTES,
  LINE_DIMS,
  LINE_RANK,
  LINE_WORDS,
  MAX_RANK,
  NEEDED_UNITS,
  OUTPUT_OFFSET,
  OUTPUT_UNITS,
  tableBytes,
} from '../src/memory/layout.js';
import type { RingConsumer } from '../src/memory/ring.js';
import { ServerError } from '../src/types/errors.js';
import { elementCount } from '../src/types/tensor.js';
import { type TensorData, typedArrays } from '../src/types/typed-array.js';
import type { SealedBatch } from './batch.js';

/** One output of one execution, as the backend gave it. */
export interface RunOutput {
  dims: readonly number[];
  data: TensorData | readonly string[];
}

/** There is no room for the outputs: the batch's status, not an error of the backend. */
export class NoRoom extends Error {}

/** Writes the outputs of a batch and their table (memory/layout.ts) into the slot that the main thread reserved. */
export class OutputWriter {
  readonly #layouts: readonly TensorLayout[];
  readonly #batching: boolean;
  readonly #ring: RingConsumer;
  readonly #arena: Uint8Array;
  readonly #table: Float64Array;
  /** Every output has fixed dims: its place in the slot is known before the run. */
  readonly allFixed: boolean;
  readonly #strings: number;
  readonly #shared: boolean;
  /** Per output, where the backend takes no shared memory: written over and over, so that its pages stay mapped. */
  readonly #scratch: ArrayBuffer[];
  #encoded: (Uint8Array | null)[] = [];
  #cuts: number[] = [];

  constructor(init: InstanceInit, ring: RingConsumer) {
    this.#layouts = init.outputs;
    this.#batching = init.batching;
    this.#ring = ring;
    this.#shared = init.sharedTensors;
    this.#scratch = init.outputs.map(() => new ArrayBuffer(0));
    this.#arena = new Uint8Array(init.arena);
    this.#table = new Float64Array(init.arena);
    this.allFixed = init.outputs.every((layout) => layout.rowBytes > 0);
    this.#strings = init.batching ? init.outputs.filter((layout) => layout.datatype === 'BYTES').length : 0;
  }

  /** Memory for output `index` of `rows` rows: its final place where the backend takes shared memory. Only where `allFixed`. */
  placeOf(index: number, rows: number): TensorData {
    const layout = this.#layouts[index]!;
    const bytes = layout.rowBytes * rows;
    const View = typedArrays[layout.datatype as keyof typeof typedArrays];
    if (!this.#shared) return new View(this.#scratchOf(index, bytes), 0, bytes / View.BYTES_PER_ELEMENT);
    this.#ensure(this.#fixedBegin(this.#layouts.length, rows));
    const begin = this.#slot + this.#fixedBegin(index, rows);
    return new View(this.#arena.buffer, begin, bytes / View.BYTES_PER_ELEMENT);
  }

  #scratchOf(index: number, bytes: number): ArrayBuffer {
    if (this.#scratch[index]!.byteLength < bytes) this.#scratch[index] = new ArrayBuffer(bytes);
    return this.#scratch[index]!;
  }

  /** Writes all outputs, in the order of the configuration; one that already lies in its place is not copied. */
  write(batch: SealedBatch, outputs: readonly RunOutput[]): void {
    this.#encodeStrings(batch, outputs);
    const head = alignUp(tableBytes(outputs.length, this.#cuts.length));
    let end = head;
    for (let index = 0; index < outputs.length; index++) end += alignUp(this.#bytesOf(index, outputs));
    this.#ensure(end);
    let begin = head;
    for (let index = 0; index < outputs.length; index++) {
      this.#checkShape(index, outputs[index]!, batch);
      const bytes = this.#bytesOf(index, outputs);
      this.#writeLine(index, begin, bytes, outputs[index]!.dims);
      this.#copy(index, begin, outputs);
      begin += alignUp(bytes);
    }
    this.#table.set(this.#cuts, this.#slot / 8 + outputs.length * LINE_WORDS);
  }

  get #slot(): number {
    return this.#ring.memory.words[this.#ring.base + OUTPUT_OFFSET]! * ARENA_UNIT;
  }

  #fixedBegin(index: number, rows: number): number {
    let begin = alignUp(tableBytes(this.#layouts.length, 0));
    for (let i = 0; i < index; i++) begin += alignUp(this.#layouts[i]!.rowBytes * rows);
    return begin;
  }

  #bytesOf(index: number, outputs: readonly RunOutput[]): number {
    return this.#encoded[index]?.byteLength ?? (outputs[index]!.data as TensorData).byteLength;
  }

  #ensure(bytes: number): void {
    const { words } = this.#ring.memory;
    const { base } = this.#ring;
    if (words[base + OUTPUT_UNITS]! * ARENA_UNIT >= bytes) return;
    words[base + NEEDED_UNITS] = Math.ceil(bytes / ARENA_UNIT);
    this.#ring.awaitOutput();
    if (words[base + OUTPUT_UNITS] === 0) throw new NoRoom();
  }

  #checkShape(index: number, output: RunOutput, batch: SealedBatch): void {
    const { name } = this.#layouts[index]!;
    if (output.dims.length > MAX_RANK) {
      throw new ServerError(
        'UNSUPPORTED',
        `output '${name}' has ${output.dims.length} dimensions, at most ${MAX_RANK} are supported`,
      );
    }
    if (!this.#batching || (output.dims.length > 0 && output.dims[0]! >= batch.rows)) return;
    throw new ServerError(
      'UNSUPPORTED',
      `failed to split the output tensor '${name}' in responses: expected batch size of at least ${batch.rows} in model output, got ${output.dims[0] ?? 0}`,
    );
  }

  #writeLine(index: number, begin: number, bytes: number, dims: readonly number[]): void {
    const word = this.#slot / 8 + index * LINE_WORDS;
    this.#table[word + LINE_BEGIN] = begin;
    this.#table[word + LINE_BYTES] = bytes;
    this.#table[word + LINE_RANK] = dims.length;
    for (let i = 0; i < dims.length; i++) this.#table[word + LINE_DIMS + i] = dims[i]!;
  }

  #copy(index: number, begin: number, outputs: readonly RunOutput[]): void {
    const position = this.#slot + begin;
    const encoded = this.#encoded[index];
    if (encoded) {
      this.#arena.set(encoded, position);
      return;
    }
    const data = outputs[index]!.data as TensorData;
    if (data.buffer === this.#arena.buffer && data.byteOffset === position) return;
    this.#arena.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
  }

  #encodeStrings(batch: SealedBatch, outputs: readonly RunOutput[]): void {
    this.#encoded = [];
    this.#cuts = [];
    if (!this.#layouts.some((layout) => layout.datatype === 'BYTES')) return;
    outputs.forEach((output, index) => {
      if (this.#layouts[index]!.datatype !== 'BYTES') return;
      this.#encoded[index] = this.#encode(output.data as readonly string[], output.dims, batch);
    });
  }

  /** The elements with their lengths; notes where each request's part begins. */
  #encode(strings: readonly string[], dims: readonly number[], batch: SealedBatch): Uint8Array {
    const starts: number[] = [0];
    let length = 0;
    for (const text of strings) {
      length += 4 + Buffer.byteLength(text);
      starts.push(length);
    }
    const bytes = Buffer.allocUnsafe(length);
    strings.forEach((text, index) => {
      const at = starts[index]!;
      bytes.writeUInt32LE(starts[index + 1]! - at - 4, at);
      bytes.write(text, at + 4);
    });
    if (this.#strings > 0) this.#cut(starts, elementCount(dims.slice(1)), batch);
    return bytes;
  }

  #cut(starts: readonly number[], perRow: number, batch: SealedBatch): void {
    let row = 0;
    this.#cuts.push(0);
    for (let entry = 0; entry < batch.entries; entry++) {
      row += batch.rowCounts[entry]!;
      this.#cuts.push(starts[Math.min(row * perRow, starts.length - 1)]!);
    }
  }
}
