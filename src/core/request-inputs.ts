import { type Arena, alignUp, type Slot } from '../memory/arena.js';
import { ABSENT, LINE_BEGIN, LINE_BYTES, lineOf, tableBytes, VARIABLE, writeLine } from '../memory/layout.js';
import { NO_ROWS, type RowPlanes } from '../memory/planes.js';
import type { SequenceFlags } from '../types/infer.js';
import type { InferPlan } from './check-request.js';
import { headForModel } from './head-for-model.js';
import type { ModelTensors } from './model-tensors.js';
import type { ControlWriter } from './sequence-controls.js';

/** Requests up to this size lie in planes of rows; larger ones have a slot of their own from their first byte. */
const SMALL_REQUEST_BYTES = 64 * 1024;

/** Where requests go with their rows. */
export interface RowQueue {
  /** A request that comes now opens a batch of its own: its rows had better begin a block of theirs. */
  readonly beginsBatch: boolean;
}

/** What a model has for the inputs of its requests. */
export interface InputSpace {
  readonly arena: Arena;
  readonly tensors: ModelTensors;
  /** Null = rows have no fixed size: each request has a slot. */
  readonly planes: RowPlanes | null;
  /** Null = it has no sequence batching. */
  readonly controls: ControlWriter | null;
}

/** A tensor that somebody else has written: where it lies in the arena, bytes. */
export interface PlacedTensor {
  readonly begin: number;
  readonly bytes: number;
}

/** Who holds tensors that others read. */
export interface SourceReader {
  /** They are not read any more, by whoever was given them; once, also where that was cancelled. */
  onSourcesRead(): void;
}

/** Where the inputs of one request lie: in rows of the planes, in a slot of its own, or where others wrote them. */
export class RequestInputs {
  /** Byte offset in the arena of the block of rows, or of the slot. */
  slotOffset = 0;
  /** Row in the block; VARIABLE = it has a slot. */
  row = VARIABLE;
  readonly #space: InputSpace;
  readonly #plan: InferPlan;
  #sequence: SequenceFlags;
  /** Row of the planes; NO_ROWS = it has a slot. */
  #planeRow = NO_ROWS;
  #slot: Slot | null = null;
  #reader: SourceReader | null = null;
  /** What its model is told beside its tensors; null = nothing. */
  #head: Uint8Array | null;

  constructor(space: InputSpace, plan: InferPlan, sequence: SequenceFlags) {
    this.#space = space;
    this.#plan = plan;
    this.#sequence = sequence;
    this.#head = headForModel(space.tensors, plan, sequence);
  }

  /**
   * Takes memory for inputs of these sizes, in the order of the plan: neighbouring rows of the planes where they are small and have fixed sizes, else
   * a slot; false = there is no room.
   */
  take(sizes: readonly number[], rows: number, queue: RowQueue): boolean {
    const { inputBytes } = this.#plan;
    const isSmall = inputBytes >= 0 && inputBytes <= SMALL_REQUEST_BYTES;
    // Only a slot has room for a head.
    const fitsRows = isSmall && this.#space.planes !== null && this.#head === null;
    return fitsRows ? this.#takeRows(rows, queue.beginsBatch) : this.#takeSlot(sizes);
  }

  #takeRows(rows: number, beginsBatch: boolean): boolean {
    const { controls } = this.#space;
    const planes = this.#space.planes!;
    if (beginsBatch) planes.cut();
    const row = planes.take(rows);
    if (row === NO_ROWS) return false;
    this.#planeRow = row;
    this.row = row % planes.rowsPerBlock;
    this.slotOffset = planes.blockOffset(row);
    if (controls !== null) this.#writeControls(controls);
    return true;
  }

  #takeSlot(sizes: readonly number[]): boolean {
    if (!this.#reserve(sizes, true)) return false;
    let begin = alignUp(tableBytes(this.#space.tensors.lines, 0));
    for (let nth = 0; nth < sizes.length; nth++) {
      this.#writeInput(nth, begin, sizes[nth]!);
      begin += alignUp(sizes[nth]!);
    }
    this.#placeOwn(begin);
    return true;
  }

  /** Takes a slot for nothing but a tensor table, which says where the inputs lie until `reader` is told; false = there is no room. */
  takeTable(sources: readonly PlacedTensor[], reader: SourceReader): boolean {
    if (!this.#reserve([], false)) return false;
    this.#reader = reader;
    for (let nth = 0; nth < sources.length; nth++) {
      const { begin, bytes } = sources[nth]!;
      this.#writeInput(nth, begin - this.slotOffset, bytes);
    }
    this.#placeOwn(alignUp(tableBytes(this.#space.tensors.lines, 0)));
    return true;
  }

  /** Byte position in the arena of input `nth` of the plan. */
  begin(nth: number): number {
    return this.#feedBegin(this.#plan.inputs[nth]!.index);
  }

  bytes(nth: number): number {
    const input = this.#plan.inputs[nth]!;
    return input.bytes >= 0 ? input.bytes : this.#space.arena.table[this.#line(input.index) + LINE_BYTES]!;
  }

  /** Says these flags to its model from now on. They drop some of those before, and the id is the same: what is said takes no more room. */
  changeFlags(flags: SequenceFlags): void {
    const { controls, tensors } = this.#space;
    this.#sequence = flags;
    if (controls !== null) this.#writeControls(controls);
    if (this.#head === null) return;
    const begin = this.#feedBegin(tensors.feeds.length) - this.slotOffset;
    this.#head = headForModel(tensors, this.#plan, flags);
    this.#placeHead(begin);
  }

  /** Gives the memory back, where that was not done before. */
  give(rows: number): void {
    if (this.#planeRow !== NO_ROWS) this.#space.planes!.give(this.#planeRow, rows);
    if (this.#slot !== null) this.#space.arena.give(this.#slot);
    this.#planeRow = NO_ROWS;
    this.#slot = null;
    const reader = this.#reader;
    this.#reader = null;
    reader?.onSourcesRead();
  }

  /**
   * A slot for a table, inputs of these sizes, the controls of the sequence and the head.
   * @param isOwn its tensors come from a client, who can be refused; else they are half-way through an ensemble
   */
  #reserve(sizes: readonly number[], isOwn: boolean): boolean {
    const { tensors, controls, arena } = this.#space;
    let bytes = alignUp(tableBytes(tensors.lines, 0)) + (this.#head?.length ?? 0);
    for (let nth = 0; nth < sizes.length; nth++) bytes += alignUp(sizes[nth]!);
    for (let nth = 0; nth < (controls?.controls.length ?? 0); nth++) {
      bytes += alignUp(controls!.bytes(nth, this.#sequence));
    }
    this.#slot = isOwn ? arena.takeInput(bytes, tensors.owners.input) : arena.take(bytes, tensors.owners.input);
    if (this.#slot === null) return false;
    this.slotOffset = this.#slot.offset;
    for (let index = 0; index < tensors.inputs.length; index++) arena.table[this.#line(index) + LINE_BEGIN] = ABSENT;
    return true;
  }

  #writeInput(nth: number, begin: number, bytes: number): void {
    const { index, backendDims } = this.#plan.inputs[nth]!;
    writeLine(this.#space.arena.table, this.#line(index), begin, bytes, backendDims);
  }

  /** What no client sends as a tensor, one behind the other from `first` on in the slot. */
  #placeOwn(first: number): void {
    const { controls, tensors } = this.#space;
    const end = controls === null ? first : this.#placeControls(controls, first);
    if (tensors.readsHeads) this.#placeHead(end);
  }

  #placeHead(begin: number): void {
    const { tensors, arena } = this.#space;
    const head = this.#head;
    writeLine(arena.table, this.#line(tensors.feeds.length), head === null ? ABSENT : begin, head?.length ?? 0, []);
    if (head !== null) arena.bytes.set(head, this.slotOffset + begin);
  }

  /** Behind the last. */
  #placeControls(controls: ControlWriter, first: number): number {
    const { tensors, arena } = this.#space;
    const dims = tensors.maxBatchSize > 0 ? [1, 1] : [1];
    let begin = first;
    for (let nth = 0; nth < controls.controls.length; nth++) {
      const bytes = controls.bytes(nth, this.#sequence);
      writeLine(arena.table, this.#line(tensors.inputs.length + nth), begin, bytes, dims);
      begin += alignUp(bytes);
    }
    this.#writeControls(controls);
    return begin;
  }

  #writeControls(writer: ControlWriter): void {
    const first = this.#space.tensors.inputs.length;
    for (let nth = 0; nth < writer.controls.length; nth++) {
      writer.write(nth, this.#sequence, this.#feedBegin(first + nth));
    }
  }

  #feedBegin(index: number): number {
    if (this.#slot === null) return this.#space.planes!.rowOffset(index, this.#planeRow);
    return this.slotOffset + this.#space.arena.table[this.#line(index) + LINE_BEGIN]!;
  }

  #line(index: number): number {
    return lineOf(this.slotOffset, index);
  }
}
