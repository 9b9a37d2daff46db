import type { BatchOutputs } from '../backends/batch-outputs.js';
import { InferRequest } from '../backends/request.js';
import { assert } from '../base/assert.js';
import type { FailureReason } from '../telemetry/statistics.js';
import type { ServerError } from '../types/errors.js';
import type { OutputTensor, ParameterValue, SequenceFlags } from '../types/infer.js';
import type { Shape } from '../types/tensor.js';
import type { InferPlan } from './check-request.js';
import { checkInputStrings } from './check-strings.js';
import { classify } from './classification.js';
import type { AcceptedRequest, InferResponse, Responder } from './infer-response.js';
import type { Model } from './model.js';
import { toClient } from './model-tensors.js';
import { type PlacedTensor, RequestInputs, type SourceReader } from './request-inputs.js';

/** filling: its memory is taken, its data arrives. submitted: the scheduler's. answered: outputs are out. released: all is given back. */
type RequestState = 'filling' | 'submitted' | 'answered' | 'released';

/**
 * One request to one model, from the moment its tensors have a place until the last byte of its answer is sent; it is its own answer. It
 * gives the memory of its inputs back when its execution ended, and then holds a share of the outputs.
 */
export class ModelRequest extends InferRequest implements AcceptedRequest, InferResponse {
  readonly model: Model;
  readonly plan: InferPlan;
  readonly rows: number;
  readonly batchKey: string;
  readonly priority: number;
  readonly timeoutUs: number;
  readonly sequence: SequenceFlags;
  readonly isFinal = true;
  readonly isEmpty = false;
  readonly parameters: ReadonlyMap<string, ParameterValue> | null = null;
  /** When its data was complete and it was accepted, monotonic microseconds (R0 of the fact sheet, section 6). */
  arrivedUs = 0;
  readonly #inputs: RequestInputs;
  readonly #responder: Responder;
  #state: RequestState = 'filling';
  #outputs: BatchOutputs | null = null;
  #error: ServerError | null = null;
  /** Strings of others have been checked where they came from. */
  #hasOwnStrings = true;
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
    this.#inputs = new RequestInputs(model, plan, sequence);
    this.#responder = responder;
  }

  get slotOffset(): number {
    return this.#inputs.slotOffset;
  }

  get row(): number {
    return this.#inputs.row;
  }

  get fitsRows(): boolean {
    return this.#inputs.fitsRows;
  }

  /** Takes neighbouring rows of the planes; false = there is no room. */
  takeRows(beginsBatch: boolean): boolean {
    return this.#inputs.takeRows(this.rows, beginsBatch);
  }

  /** Takes a slot for inputs of these sizes, in the order of the plan; false = there is no room. */
  takeSlot(sizes: readonly number[]): boolean {
    return this.#inputs.takeSlot(sizes);
  }

  /** Reads its inputs where they are; false = there is no room to say where that is. */
  takeTable(sources: readonly PlacedTensor[], reader: SourceReader): boolean {
    this.#hasOwnStrings = false;
    return this.#inputs.takeTable(sources, reader);
  }

  inputBegin(nth: number): number {
    return this.#inputs.begin(nth);
  }

  inputBytes(nth: number): number {
    return this.#inputs.bytes(nth);
  }

  submit(): void {
    assert(this.#state === 'filling', 'a request was submitted twice');
    try {
      if (this.#hasOwnStrings) checkInputStrings(this);
      this.#state = 'submitted';
      this.model.enqueue(this);
    } catch (error) {
      this.#state = 'filling';
      this.abandon();
      throw error;
    }
  }

  abandon(): void {
    assert(this.#state === 'filling', 'a submitted request was abandoned');
    this.#inputs.give(this.rows);
    this.#state = 'released';
    this.model.onAbandoned();
  }

  cancel(): void {
    if (this.#state === 'filling') this.abandon();
    else if (this.#state === 'submitted') this.model.cancel(this);
    // Its answer may be kept back until those before it are there.
    else this.cancelled = true;
  }

  override complete(outputs: BatchOutputs, index: number, firstRow: number): void {
    this.#inputs.give(this.rows);
    this.#outputs = outputs;
    this.#entry = index;
    this.#firstRow = firstRow;
    this.#state = 'answered';
    this.model.onCompleted(this, outputs.batch.times);
  }

  override fail(error: ServerError, reason: FailureReason): void {
    this.#inputs.give(this.rows);
    this.#state = 'released';
    this.#error = error;
    this.model.onFailed(this, reason);
  }

  /** Hands the answer to whoever waits for it; called by the model when it is this request's turn. */
  deliver(): void {
    if (this.cancelled) this.release();
    else if (this.#error !== null) this.#responder.onError(this.#error);
    else this.#responder.onResponse(this);
  }

  release(): void {
    if (this.#state !== 'answered') return;
    this.#state = 'released';
    this.#outputs?.release();
    this.#outputs = null;
  }

  get inputUs(): number {
    const { startUs, inputsUs } = this.#answered().batch.times;
    return inputsUs - startUs;
  }

  get inferUs(): number {
    const { inputsUs, inferUs } = this.#answered().batch.times;
    return inferUs - inputsUs;
  }

  get outputUs(): number {
    const { inferUs, endUs } = this.#answered().batch.times;
    return endUs - inferUs;
  }

  get hasFixedOutputs(): boolean {
    return this.plan.outputs.every(({ index, classCount }) => classCount === 0 && this.model.hasFixedOutput(index));
  }

  hasOutput(nth: number): boolean {
    return this.#answered().has(this.plan.outputs[nth]!.index, this.#entry);
  }

  outputBegin(nth: number): number {
    return this.#answered().begin(this.plan.outputs[nth]!.index, this.#entry, this.#firstRow);
  }

  outputBytes(nth: number): number {
    return this.#answered().bytes(this.plan.outputs[nth]!.index, this.#entry, this.rows);
  }

  outputShape(nth: number): Shape {
    const { index } = this.plan.outputs[nth]!;
    const { tensors } = this.model;
    const dims = toClient(tensors.outputs[index]!, this.#answered().dims(index, this.#entry));
    return tensors.maxBatchSize > 0 ? [this.rows, ...dims] : dims;
  }

  output(nth: number): OutputTensor {
    const { index, classCount } = this.plan.outputs[nth]!;
    const { maxBatchSize, outputs } = this.model.tensors;
    const { name, datatype, labels } = outputs[index]!;
    const begin = this.outputBegin(nth);
    const bytes = this.model.arena.bytes.subarray(begin, begin + this.outputBytes(nth));
    const tensor: OutputTensor = { name, datatype, shape: this.outputShape(nth), bytes };
    if (classCount === 0) return tensor;
    return { name, datatype: 'BYTES', ...classify(tensor, classCount, maxBatchSize > 0 ? this.rows : null, labels) };
  }

  #answered(): BatchOutputs {
    assert(this.#outputs !== null, 'outputs were read before the answer or after release');
    return this.#outputs;
  }
}
