import type { BatchOutputs, ExecutionTimes } from '../backends/batch-outputs.js';
import { assert } from '../base/assert.js';
import type { ServerError } from '../types/errors.js';
import type { OutputTensor, ParameterValue } from '../types/infer.js';
import type { Shape } from '../types/tensor.js';
import type { InferPlan } from './check-request.js';
import { classify } from './classification.js';
import { type ExplainedRequest, explainExecution, type ModelExplanation, withExplanation } from './explanation.js';
import type { Answerer, InferResponse } from './infer-response.js';
import { type ModelTensors, toClient } from './model-tensors.js';
import { NO_NOTE, type ResponseNote, readNote } from './response-note.js';

/** The model whose instance answers. */
export interface AnsweringModel extends Answerer {
  readonly tensors: ModelTensors;
  hasFixedOutput(index: number): boolean;
}

/** What is answered. */
export interface AnsweredRequest {
  readonly model: AnsweringModel;
  readonly plan: InferPlan;
  readonly rows: number;
}

const NO_TIMES: ExecutionTimes = { startUs: 0, inputsUs: 0, inferUs: 0, endUs: 0 };

/** An answer of an instance: a share of the outputs of one execution. */
export class ModelResponse implements InferResponse {
  readonly model: AnsweringModel;
  readonly plan: InferPlan;
  readonly rows: number;
  readonly isEmpty: boolean;
  #outputs: BatchOutputs | null;
  readonly #entry: number;
  readonly #firstRow: number;
  readonly #note: ResponseNote;
  #explained: ExplainedRequest | null = null;

  /** @param outputs its share of them is the response's; null = there are none */
  constructor(request: AnsweredRequest, outputs: BatchOutputs | null, entry: number, firstRow: number) {
    this.model = request.model;
    this.plan = request.plan;
    this.rows = request.rows;
    this.isEmpty = outputs === null;
    this.#outputs = outputs;
    this.#entry = entry;
    this.#firstRow = firstRow;
    this.#note = outputs === null ? NO_NOTE : readNote(outputs, entry);
  }

  get isFinal(): boolean {
    return true;
  }

  /** Instead of an answer; null = it is one. */
  get error(): ServerError | null {
    return this.#note.error;
  }

  /** There is no answer yet. */
  get isAgain(): boolean {
    return this.#note.isAgain;
  }

  get parameters(): ReadonlyMap<string, ParameterValue> | null {
    if (!this.#isExplained()) return this.#note.parameters;
    return withExplanation(this.#note.parameters, this.explanation!);
  }

  get explanation(): ModelExplanation | null {
    return this.#explained === null ? null : explainExecution(this.#explained, this.#held().batch);
  }

  /** The answer itself says where its time went. */
  #isExplained(): boolean {
    return this.#explained !== null && this.plan.head.explain === true;
  }

  /** Where its time went will be asked. */
  explain(request: ExplainedRequest): void {
    this.#explained = request;
  }

  get inputUs(): number {
    const { startUs, inputsUs } = this.#times();
    return inputsUs - startUs;
  }

  get inferUs(): number {
    const { inputsUs, inferUs } = this.#times();
    return inferUs - inputsUs;
  }

  get outputUs(): number {
    const { inferUs, endUs } = this.#times();
    return endUs - inferUs;
  }

  /** A backend answers each request in outputs of its own, whose shapes are its affair, or none. */
  get hasFixedOutputs(): boolean {
    if (this.#outputs === null || this.#outputs.batch.inParts || this.#isExplained()) return false;
    return this.plan.outputs.every(({ index, classCount }) => classCount === 0 && this.model.hasFixedOutput(index));
  }

  hasOutput(nth: number): boolean {
    return !this.isEmpty && this.#held().has(this.plan.outputs[nth]!.index, this.#entry);
  }

  outputBegin(nth: number): number {
    return this.#held().begin(this.plan.outputs[nth]!.index, this.#entry, this.#firstRow);
  }

  outputBytes(nth: number): number {
    return this.#held().bytes(this.plan.outputs[nth]!.index, this.#entry, this.rows);
  }

  outputShape(nth: number): Shape {
    const { index } = this.plan.outputs[nth]!;
    const { tensors } = this.model;
    const dims = toClient(tensors.outputs[index]!, this.#held().dims(index, this.#entry));
    return tensors.maxBatchSize > 0 ? [this.rows, ...dims] : dims;
  }

  labels(nth: number): readonly string[] | null {
    return this.model.tensors.outputs[this.plan.outputs[nth]!.index]!.labels;
  }

  output(nth: number): OutputTensor {
    const { index, classCount } = this.plan.outputs[nth]!;
    const { maxBatchSize, outputs } = this.model.tensors;
    const { name, datatype } = outputs[index]!;
    const begin = this.outputBegin(nth);
    const bytes = this.model.arena.bytes.subarray(begin, begin + this.outputBytes(nth));
    const tensor: OutputTensor = { name, datatype, shape: this.outputShape(nth), bytes };
    if (classCount === 0) return tensor;
    return {
      name,
      datatype: 'BYTES',
      ...classify(tensor, classCount, maxBatchSize > 0 ? this.rows : null, this.labels(nth)),
    };
  }

  release(): void {
    this.#outputs?.release();
    this.#outputs = null;
  }

  #times(): ExecutionTimes {
    return this.#outputs?.batch.times ?? NO_TIMES;
  }

  #held(): BatchOutputs {
    assert(this.#outputs !== null, 'outputs were read after release');
    return this.#outputs;
  }
}
