import type { BatchOutputs } from '../backends/batch-outputs.js';
import { InferRequest } from '../backends/request.js';
import type { TensorLayout } from '../backends/worker-protocol.js';
import { assert } from '../base/assert.js';
import { type Arena, alignUp, type Slot } from '../memory/arena.js';
import { ABSENT, LINE_BEGIN, lineOf, tableBytes, VARIABLE, writeLine } from '../memory/layout.js';
import type { FillerSource } from '../schedulers/sequence/direct-lane.js';
import { elementBytes } from '../types/datatype.js';
import { elementCount, type Shape } from '../types/tensor.js';
import type { AdmittedRequest } from './admitted-request.js';
import type { InferPlan, PlannedInput } from './check-request.js';
import type { ModelTensor, ModelTensors } from './model-tensors.js';
import type { ControlWriter } from './sequence-controls.js';

/** Where a block of rows is larger, a slot for one row is enough. */
const LARGEST_BLOCK_BYTES = 256 * 1024;

/** Shapes whose fillers are kept for the next batch. */
const KEPT = 8;

const NO_SEQUENCE = { sequenceId: 0, sequenceStart: false, sequenceEnd: false };

/**
 * A row of zeros whose controls are false. It stands in any number of batches, more than once in each: workers only read it. What it
 * answers goes nowhere.
 */
class Filler extends InferRequest {
  readonly rows = 1;
  readonly batchKey: string;
  readonly priority = 0;
  readonly timeoutUs = 0;
  readonly sequence = NO_SEQUENCE;
  override readonly isAwaited = false;
  readonly slotOffset: number;
  readonly row: number;
  readonly slot: Slot;
  /** Rows of batches that have not ended. */
  uses = 0;
  readonly #onUnused: (filler: Filler) => void;

  constructor(slot: Slot, row: number, batchKey: string, onUnused: (filler: Filler) => void) {
    super();
    this.slot = slot;
    this.slotOffset = slot.offset;
    this.row = row;
    this.batchKey = batchKey;
    this.#onUnused = onUnused;
  }

  override complete(outputs: BatchOutputs): void {
    outputs.release();
    this.unuse();
  }

  override respond(outputs: BatchOutputs | null): void {
    outputs?.release();
  }

  override fail(): void {
    this.unuse();
  }

  unuse(): void {
    assert(this.uses > 0, 'a filler ended twice');
    if (--this.uses === 0) this.#onUnused(this);
  }
}

/** Makes the fillers of a model, one for each shape, and keeps the last few. */
export class Fillers implements FillerSource {
  readonly #tensors: ModelTensors;
  readonly #controls: ControlWriter;
  readonly #arena: Arena;
  /** By batch key, the one that was asked for last at the end. */
  readonly #kept = new Map<string, Filler>();
  /** The one at the end of those. */
  #last: Filler | null = null;

  constructor(tensors: ModelTensors, controls: ControlWriter, arena: Arena) {
    this.#tensors = tensors;
    this.#controls = controls;
    this.#arena = arena;
  }

  filler(like: InferRequest): InferRequest | null {
    const key = like.batchKey;
    const filler = this.#last?.batchKey === key ? this.#last : this.#find(key, like);
    if (filler !== null) filler.uses++;
    return filler;
  }

  release(filler: InferRequest): void {
    (filler as Filler).unuse();
  }

  /** Gives all memory back; nothing is in flight. */
  close(): void {
    for (const filler of [...this.#kept.values()]) this.#forget(filler);
  }

  #find(key: string, like: InferRequest): Filler | null {
    const filler = this.#kept.get(key) ?? this.#make((like as AdmittedRequest).plan);
    if (filler === null) return null;
    this.#kept.delete(key);
    this.#kept.set(key, filler);
    this.#last = filler;
    if (this.#kept.size > KEPT) this.#forget(this.#kept.values().next().value!);
    return filler;
  }

  #forget(filler: Filler): void {
    if (this.#last === filler) this.#last = null;
    this.#kept.delete(filler.batchKey);
    this.#giveIfDone(filler);
  }

  readonly #giveIfDone = (filler: Filler): void => {
    if (filler.uses === 0 && this.#kept.get(filler.batchKey) !== filler) this.#arena.give(filler.slot);
  };

  #make(plan: InferPlan): Filler | null {
    const layouts = this.#tensors.inputLayouts();
    const { planeOffset, rowBytes } = layouts[layouts.length - 1]!;
    const blockBytes = planeOffset + alignUp(rowBytes * this.#tensors.maxRows);
    const isRow = this.#tensors.hasPlanes && blockBytes <= LARGEST_BLOCK_BYTES;
    return isRow ? this.#makeRow(plan, layouts, blockBytes) : this.#makeSlot(plan);
  }

  /** A block of which only the first row is used: it must look like those of requests. */
  #makeRow(plan: InferPlan, layouts: readonly TensorLayout[], blockBytes: number): Filler | null {
    const slot = this.#takeZeroed(blockBytes);
    if (slot === null) return null;
    const first = this.#tensors.inputs.length;
    this.#controls.controls.forEach((_, nth) => {
      this.#controls.writeFiller(nth, slot.offset + layouts[first + nth]!.planeOffset);
    });
    return new Filler(slot, 0, plan.batchKey, this.#giveIfDone);
  }

  /** The tensors of the request, of zeros or of empty strings; ragged ones as small as they can be. */
  #makeSlot(plan: InferPlan): Filler | null {
    const { inputs, feeds, lines, readsHeads } = this.#tensors;
    const { controls } = this.#controls;
    const shapes = plan.inputs.map((input) => fillerShape(inputs[input.index]!, input));
    // An empty string is four bytes of zeros.
    const sizes = plan.inputs.map(({ datatype }, nth) => elementCount(shapes[nth]!) * (elementBytes[datatype] || 4));
    const controlSizes = controls.map((_, nth) => this.#controls.bytes(nth, { ...NO_SEQUENCE, sequenceId: '' }));
    const table = alignUp(tableBytes(lines, 0));
    const slot = this.#takeZeroed([...sizes, ...controlSizes].reduce((sum, size) => sum + alignUp(size), table));
    if (slot === null) return null;
    for (let index = 0; index < inputs.length; index++)
      this.#arena.table[lineOf(slot.offset, index) + LINE_BEGIN] = ABSENT;
    if (readsHeads) this.#arena.table[lineOf(slot.offset, feeds.length) + LINE_BEGIN] = ABSENT;
    let begin = table;
    const place = (index: number, bytes: number, dims: readonly number[]) => {
      writeLine(this.#arena.table, lineOf(slot.offset, index), begin, bytes, dims);
      begin += alignUp(bytes);
    };
    plan.inputs.forEach(({ index }, nth) => {
      place(index, sizes[nth]!, shapes[nth]!);
    });
    controls.forEach((_, nth) => {
      this.#controls.writeFiller(nth, slot.offset + begin);
      place(inputs.length + nth, controlSizes[nth]!, [1, 1]);
    });
    return new Filler(slot, VARIABLE, plan.batchKey, this.#giveIfDone);
  }

  #takeZeroed(bytes: number): Slot | null {
    const slot = this.#arena.take(bytes, this.#tensors.owners.input);
    if (slot !== null) this.#arena.bytes.fill(0, slot.offset, slot.offset + bytes);
    return slot;
  }
}

/** That of the request, with which it shares a batch; one that need not be the same has no elements. */
function fillerShape({ ragged, backendDims }: ModelTensor, like: PlannedInput): Shape {
  return ragged ? [1, ...backendDims.map((dim) => Math.max(0, dim))] : like.backendDims;
}
