import type { BatchOutputs } from '../backends/batch-outputs.js';
import { InferRequest } from '../backends/request.js';
import { assert } from '../base/assert.js';
import { alignUp, type Slot } from '../memory/arena.js';
import { LINE_BEGIN, LINE_BYTES, lineOf, tableBytes, VARIABLE, writeLine } from '../memory/layout.js';
import { NO_ROWS } from '../memory/planes.js';
import type { FailureReason } from '../telemetry/statistics.js';
import type { ServerError } from '../types/errors.js';
import type { OutputTensor, SequenceFlags } from '../types/infer.js';
import type { Shape } from '../types/tensor.js';
import { type InferPlan, requestTag } from './check-request.js';
import { checkStrings } from './check-strings.js';
import { classify } from './classification.js';
import type { Model } from './model.js';
import { toClient } from './model-tensors.js';
import type { ControlWriter } from './sequence-controls.js';

/** Who gets the answer: exactly one of the two is called, once, unless the request is abandoned. Not called inside `submit`'s error. */
export interface Responder {
  /** The outputs can be read until `request.release()`, which the responder must call. */
  onResponse(request: ModelRequest): void;
  onError(request: ModelRequest, error: ServerError): void;
}

/** filling: its memory is taken, its data arrives. submitted: the scheduler's. answered: outputs are out. released: all is given back. */
type RequestState = 'filling' | 'submitted' | 'answered' | 'released';

/**
 * One request to one model, from the moment its tensors have a place until the last byte of its answer is sent. It owns rows of
 * the model's planes or a slot of its own, gives them back when its execution ended, and then holds a share of the outputs.
 */
export class ModelRequest extends InferRequest {
  readonly model: Model;
  readonly plan: InferPlan;
  readonly rows: number;
  readonly batchKey: string;
  readonly priority: number;
  readonly timeoutUs: number;
  readonly sequence: SequenceFlags;
  /** When its data was complete and it was accepted, monotonic microseconds (R0 of the fact sheet, section 6). */
  arrivedUs = 0;
  slotOffset = 0;
  row = VARIABLE;
  readonly #responder: Responder;
  #state: RequestState = 'filling';
  /** Row of the planes; NO_ROWS = it has a slot. */
  #planeRow = NO_ROWS;
  #slot: Slot | null = null;
  #outputs: BatchOutputs | null = null;
  #error: ServerError | null = null;
  #entry = 0;
  #firstRow = 0;

  constructor(model: Model, plan: InferPlan, responder: Responder, sequence: SequenceFlags) {
    super();
    this.model = model;
    this.plan = plan;
    this.rows = Math.max(1, plan.batchSize);
    this.batchKey = plan.batchKey;
    this.priority = plan.head.priority;
    this.timeoutUs = plan.head.timeoutUs;
    this.sequence = sequence;
    this.#responder = responder;
  }

  /** Takes neighbouring rows of the planes; false = there is no room. */
  takeRows(beginsBatch: boolean): boolean {
    const planes = this.model.planes!;
    if (beginsBatch) planes.cut();
    const row = planes.take(this.rows);
    if (row === NO_ROWS) return false;
    this.#planeRow = row;
    this.row = row % planes.rowsPerBlock;
    this.slotOffset = planes.blockOffset(row);
    if (this.model.controls !== null) this.#writeControls(this.model.controls);
    return true;
  }

  /** Takes a slot for inputs of these sizes, in the order of the plan, and writes its tensor table; false = there is no room. */
  takeSlot(sizes: readonly number[]): boolean {
    const { feeds } = this.model.tensors;
    const { controls } = this.model;
    let bytes = alignUp(tableBytes(feeds.length, 0));
    const place = (size: number) => {
      const begin = bytes;
      bytes += alignUp(size);
      return begin;
    };
    const begins = sizes.map(place);
    const controlSizes = controls?.controls.map((_, nth) => controls.bytes(nth, this.sequence)) ?? [];
    const controlBegins = controlSizes.map(place);
    this.#slot = this.model.arena.takeInput(bytes);
    if (this.#slot === null) return false;
    this.slotOffset = this.#slot.offset;
    this.#writeTable(begins, sizes);
    if (controls === null) return true;
    this.#writeControlLines(controlBegins, controlSizes);
    this.#writeControls(controls);
    return true;
  }

  /** Where input `nth` of the plan is to be written, as byte position in the arena. */
  inputBegin(nth: number): number {
    return this.#feedBegin(this.plan.inputs[nth]!.index);
  }

  #feedBegin(index: number): number {
    if (this.#slot === null) return this.model.planes!.rowOffset(index, this.#planeRow);
    return this.#slot.offset + this.model.arenaTable[this.#line(index) + LINE_BEGIN]!;
  }

  inputBytes(nth: number): number {
    const input = this.plan.inputs[nth]!;
    return input.bytes >= 0 ? input.bytes : this.model.arenaTable[this.#line(input.index) + LINE_BYTES]!;
  }

  /** Its data is complete: checks what only the data tells and queues it. Throws a ServerError, and has given everything back. */
  submit(): void {
    assert(this.#state === 'filling', 'a request was submitted twice');
    try {
      this.#checkStrings();
      this.#state = 'submitted';
      this.model.enqueue(this);
    } catch (error) {
      this.#state = 'filling';
      this.abandon();
      throw error;
    }
  }

  /** It will never be submitted: gives its memory back. */
  abandon(): void {
    assert(this.#state === 'filling', 'a submitted request was abandoned');
    this.#giveInputs();
    this.#state = 'released';
    this.model.onAbandoned();
  }

  /** The client is gone. */
  cancel(): void {
    if (this.#state === 'filling') this.abandon();
    else if (this.#state === 'submitted') this.model.cancel(this);
    // Its answer may be kept back until those before it are there.
    else this.cancelled = true;
  }

  override complete(outputs: BatchOutputs, index: number, firstRow: number): void {
    this.#giveInputs();
    this.#outputs = outputs;
    this.#entry = index;
    this.#firstRow = firstRow;
    this.#state = 'answered';
    this.model.onCompleted(this, outputs.times);
  }

  override fail(error: ServerError, reason: FailureReason): void {
    this.#giveInputs();
    this.#state = 'released';
    this.#error = error;
    this.model.onFailed(this, reason);
  }

  /** Hands the answer to whoever waits for it; called by the model when it is this request's turn. */
  deliver(): void {
    if (this.cancelled) this.release();
    else if (this.#error !== null) this.#responder.onError(this, this.#error);
    else this.#responder.onResponse(this);
  }

  /** The outputs are not needed any more. */
  release(): void {
    if (this.#state !== 'answered') return;
    this.#state = 'released';
    this.#outputs?.release();
    this.#outputs = null;
  }

  /** True = all answers to this plan with as many rows have outputs of the same shapes and sizes, given as they are. */
  get hasFixedOutputs(): boolean {
    const { outputs } = this.model.tensors;
    return this.plan.outputs.every(({ index, classCount }) => classCount === 0 && outputs[index]!.rowBytes > 0);
  }

  /** Byte position in the arena of output `nth` of the plan; fixed-size elements only. */
  outputBegin(nth: number): number {
    const { index } = this.plan.outputs[nth]!;
    const outputs = this.#answered();
    return this.#isBatched ? outputs.rowBegin(index, this.#firstRow) : outputs.begins[index]!;
  }

  outputBytes(nth: number): number {
    const { index } = this.plan.outputs[nth]!;
    const outputs = this.#answered();
    return this.#isBatched ? outputs.rowLength(index) * this.rows : outputs.lengths[index]!;
  }

  outputShape(nth: number): Shape {
    const { index } = this.plan.outputs[nth]!;
    const tensor = this.model.tensors.outputs[index]!;
    const dims = this.#answered().dims[index]!;
    if (!this.#isBatched) return toClient(tensor, dims);
    return [this.rows, ...toClient(tensor, dims.slice(1))];
  }

  /** Output `nth` of the plan as the client gets it, classified where it asked for that. A view, valid until `release`. */
  output(nth: number): OutputTensor {
    const { index, classCount } = this.plan.outputs[nth]!;
    const { name, datatype, labels } = this.model.tensors.outputs[index]!;
    const tensor: OutputTensor = { name, datatype, shape: this.outputShape(nth), bytes: this.#view(nth) };
    if (classCount === 0) return tensor;
    const rows = this.#isBatched ? this.rows : null;
    return { name, datatype: 'BYTES', ...classify(tensor, classCount, rows, labels) };
  }

  get #isBatched(): boolean {
    return this.model.tensors.maxBatchSize > 0;
  }

  #view(nth: number): Uint8Array {
    const { index } = this.plan.outputs[nth]!;
    const outputs = this.#answered();
    const { arena } = this.model;
    if (!this.#isBatched || this.model.tensors.outputs[index]!.datatype !== 'BYTES') {
      const begin = this.outputBegin(nth);
      return arena.bytes.subarray(begin, begin + this.outputBytes(nth));
    }
    const { begin, end } = outputs.cut(this.model.stringOutput(index), this.#entry);
    return arena.bytes.subarray(outputs.begins[index]! + begin, outputs.begins[index]! + end);
  }

  #answered(): BatchOutputs {
    assert(this.#outputs !== null, 'outputs were read before the answer or after release');
    return this.#outputs;
  }

  #checkStrings(): void {
    const { inputs, head } = this.plan;
    for (let nth = 0; nth < inputs.length; nth++) {
      const input = inputs[nth]!;
      if (input.datatype !== 'BYTES') continue;
      const begin = this.inputBegin(nth);
      checkStrings(this.model.arena.bytes.subarray(begin, begin + this.inputBytes(nth)), input.elements, {
        tag: requestTag(head.id),
        input: input.head.name,
        model: this.model.name,
      });
    }
  }

  #giveInputs(): void {
    if (this.#planeRow !== NO_ROWS) this.model.planes!.give(this.#planeRow, this.rows);
    if (this.#slot !== null) this.model.arena.give(this.#slot);
    this.#planeRow = NO_ROWS;
    this.#slot = null;
  }

  #line(index: number): number {
    return lineOf(this.slotOffset, index);
  }

  /** The controls of its sequence, which no client sends. */
  #writeControls(writer: ControlWriter): void {
    const first = this.model.tensors.inputs.length;
    for (let nth = 0; nth < writer.controls.length; nth++) {
      writer.write(nth, this.sequence, this.#feedBegin(first + nth));
    }
  }

  #writeControlLines(begins: readonly number[], sizes: readonly number[]): void {
    const first = this.model.tensors.inputs.length;
    const dims = this.#isBatched ? [1, 1] : [1];
    for (let nth = 0; nth < sizes.length; nth++) {
      writeLine(this.model.arenaTable, this.#line(first + nth), begins[nth]!, sizes[nth]!, dims);
    }
  }

  #writeTable(begins: readonly number[], sizes: readonly number[]): void {
    const table = this.model.arenaTable;
    this.model.tensors.inputs.forEach((_, index) => {
      table[this.#line(index) + LINE_BEGIN] = -1;
    });
    this.plan.inputs.forEach(({ index, backendDims }, nth) => {
      writeLine(table, this.#line(index), begins[nth]!, sizes[nth]!, backendDims);
    });
  }
}
