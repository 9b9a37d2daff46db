import type { InstanceInit, TensorLayout } from '../src/backends/worker-protocol.js';
import { alignUp } from '../src/memory/arena.js';
import {
  ABSENT,
  ARENA_UNIT,
  LINE_BEGIN,
  lineOf,
  MAX_RANK,
  NEEDED_UNITS,
  OUTPUT_OFFSET,
  OUTPUT_UNITS,
  STATUS_OK,
  STATUS_PARTS,
  tableBytes,
  writeLine,
} from '../src/memory/layout.js';
import type { RingConsumer } from '../src/memory/ring.js';
import { ServerError } from '../src/types/errors.js';
import { elementCount, type Shape } from '../src/types/tensor.js';
import type { SealedBatch } from './batch.js';
import { type OutputPart, OutputParts } from './output-parts.js';
import type { RunOutput } from './run-output.js';

/** There is no room for the outputs: the batch's status, not an error of the backend. */
export class NoRoom extends Error {}

/** Writes the outputs of a batch and their table (memory/layout.ts) into the slot that the main thread reserved. */
export class OutputWriter {
  readonly #layouts: readonly TensorLayout[];
  readonly #batching: boolean;
  readonly #ring: RingConsumer;
  readonly #table: Float64Array;
  /** Every output has fixed dims: its place in the slot is known before the run. */
  readonly allFixed: boolean;
  /** One for each output where some are scattered: what each request gets is written for itself (STATUS_PARTS). Else empty. */
  readonly #parts: readonly OutputParts[];
  #cuts: number[] = [];

  constructor(init: InstanceInit, ring: RingConsumer) {
    this.#layouts = init.outputs;
    this.#batching = init.batching;
    this.#ring = ring;
    this.#table = new Float64Array(init.arena);
    this.#parts = init.batchOutputs.length === 0 ? [] : init.outputs.map((_, index) => new OutputParts(init, index));
    this.allFixed = init.outputs.every((layout) => layout.rowBytes > 0);
  }

  /** Byte position in the arena where output `index` of `rows` rows will lie. Only where `allFixed`. */
  placeOf(index: number, rows: number): number {
    if (index === 0) this.#ensure(this.#fixedBegin(this.#layouts.length, rows));
    return this.#slot() + this.#fixedBegin(index, rows);
  }

  /** Writes all outputs, in the order of the configuration. The result is the batch's status. */
  write(batch: SealedBatch, outputs: readonly RunOutput[]): number {
    if (this.#parts.length > 0) return this.#writeParts(batch, outputs);
    this.#cuts.length = 0;
    let end = 0;
    for (let index = 0; index < outputs.length; index++) {
      this.#checkShape(index, outputs[index]!, batch);
      this.#cut(outputs[index]!, batch);
      end += alignUp(outputs[index]!.bytes);
    }
    let begin = alignUp(tableBytes(outputs.length, this.#cuts.length));
    this.#ensure(begin + end);
    for (let index = 0; index < outputs.length; index++) {
      const output = outputs[index]!;
      writeLine(this.#table, lineOf(this.#slot(), index), begin, output.bytes, output.dims);
      output.copyTo(this.#slot() + begin);
      begin += alignUp(output.bytes);
    }
    if (this.#cuts.length > 0) this.#table.set(this.#cuts, lineOf(this.#slot(), outputs.length));
    return STATUS_OK;
  }

  /** Each output in one piece, and for each entry a table that tells its parts. */
  #writeParts(batch: SealedBatch, outputs: readonly RunOutput[]): number {
    const parts = outputs.map((output, index) => this.#partsOf(output, index, batch));
    const lines = outputs.length + 1;
    let begin = alignUp(tableBytes(batch.entries * lines, 0));
    this.#ensure(outputs.reduce((end, { bytes }) => end + alignUp(bytes), begin));
    outputs.forEach((output, index) => {
      parts[index]!.forEach((part, entry) => {
        writeLine(this.#table, lineOf(this.#slot(), entry * lines + index), begin + part.begin, part.bytes, part.dims);
      });
      output.copyTo(this.#slot() + begin);
      begin += alignUp(output.bytes);
    });
    for (let entry = 1; entry <= batch.entries; entry++) {
      this.#table[lineOf(this.#slot(), entry * lines - 1) + LINE_BEGIN] = ABSENT;
    }
    return STATUS_PARTS;
  }

  #partsOf(output: RunOutput, index: number, batch: SealedBatch): OutputPart[] {
    const { isScattered } = this.#parts[index]!;
    if (!isScattered) this.#checkShape(index, output, batch);
    const parts = this.#parts[index]!.of(output, batch);
    this.#checkRank(index, parts[0]!.dims);
    return parts;
  }

  #slot(): number {
    return this.#ring.memory.words[this.#ring.base + OUTPUT_OFFSET]! * ARENA_UNIT;
  }

  #fixedBegin(index: number, rows: number): number {
    let begin = alignUp(tableBytes(this.#layouts.length, 0));
    for (let i = 0; i < index; i++) begin += alignUp(this.#layouts[i]!.rowBytes * rows);
    return begin;
  }

  #ensure(bytes: number): void {
    const { words } = this.#ring.memory;
    const { base } = this.#ring;
    if (words[base + OUTPUT_UNITS]! * ARENA_UNIT >= bytes) return;
    words[base + NEEDED_UNITS] = Math.ceil(bytes / ARENA_UNIT);
    this.#ring.awaitOutput();
    if (words[base + OUTPUT_UNITS] === 0) throw new NoRoom();
  }

  #checkRank(index: number, dims: Shape): void {
    if (dims.length <= MAX_RANK) return;
    const { name } = this.#layouts[index]!;
    throw new ServerError(
      'UNSUPPORTED',
      `output '${name}' has ${dims.length} dimensions, at most ${MAX_RANK} are supported`,
    );
  }

  #checkShape(index: number, { dims }: RunOutput, batch: SealedBatch): void {
    this.#checkRank(index, dims);
    if (!this.#batching || (dims.length > 0 && dims[0]! >= batch.rows)) return;
    const { name } = this.#layouts[index]!;
    throw new ServerError(
      'UNSUPPORTED',
      `failed to split the output tensor '${name}' in responses: expected batch size of at least ${batch.rows} in model output, got ${dims[0] ?? 0}`,
    );
  }

  /** Notes where each request's part of a BYTES output begins and ends. */
  #cut({ starts, dims }: RunOutput, batch: SealedBatch): void {
    if (!this.#batching || starts.length === 0) return;
    const perRow = elementCount(dims.slice(1));
    let row = 0;
    this.#cuts.push(0);
    for (let entry = 0; entry < batch.entries; entry++) {
      row += batch.rowCounts[entry]!;
      this.#cuts.push(starts[Math.min(row * perRow, starts.length - 1)]!);
    }
  }
}
