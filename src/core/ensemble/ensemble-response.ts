import type { OutputTensor, ParameterValue } from '../../types/infer.js';
import type { Shape } from '../../types/tensor.js';
import type { InferPlan } from '../check-request.js';
import { classify } from '../classification.js';
import { type Explanation, withExplanation } from '../explanation.js';
import type { Answerer, InferResponse } from '../infer-response.js';
import { labelsOf } from '../labels.js';
import { type ModelTensors, toClient } from '../model-tensors.js';
import { bridgeShape } from './bridge.js';
import type { Flow } from './flow.js';
import type { Graph } from './graph.js';

/** The ensemble that answers. */
export interface AnsweringEnsemble extends Answerer {
  readonly tensors: ModelTensors;
  readonly graph: Graph;
  hasFixedOutput(index: number): boolean;
}

/** The request that is answered. */
export interface AnsweredRequest {
  readonly model: AnsweringEnsemble;
  readonly plan: InferPlan;
  readonly rows: number;
  /** Of all its steps so far. */
  readonly inputUs: number;
  readonly inferUs: number;
  readonly outputUs: number;
  readonly sequenceParameters: ReadonlyMap<string, ParameterValue> | null;
  /** Where its time went; null = nobody asked. */
  readonly explanation: Explanation | null;
  /** An answer that is not the last is not read any more. */
  onReleased(): void;
}

/** An answer whose outputs are tensors of steps, where those left them. */
export class EnsembleResponse implements InferResponse {
  readonly isFinal: boolean;
  readonly isEmpty = false;
  readonly #request: AnsweredRequest;
  /** For who divides it among others. */
  readonly flow: Flow;

  constructor(request: AnsweredRequest, flow: Flow, isFinal: boolean) {
    this.#request = request;
    this.flow = flow;
    this.isFinal = isFinal;
  }

  get model(): AnsweringEnsemble {
    return this.#request.model;
  }

  get plan(): InferPlan {
    return this.#request.plan;
  }

  get rows(): number {
    return this.#request.rows;
  }

  get inputUs(): number {
    return this.#request.inputUs;
  }

  get inferUs(): number {
    return this.#request.inferUs;
  }

  get outputUs(): number {
    return this.#request.outputUs;
  }

  /** Its sequence, where it has one (fact sheet 2.6; in the real Triton also where it has none, 13). */
  get parameters(): ReadonlyMap<string, ParameterValue> | null {
    const { explanation } = this;
    const { sequenceParameters } = this.#request;
    if (explanation === null || this.plan.head.explain !== true) return sequenceParameters;
    return withExplanation(sequenceParameters, explanation);
  }

  get explanation(): Explanation | null {
    return this.isFinal ? this.#request.explanation : null;
  }

  get hasFixedOutputs(): boolean {
    const { model, plan } = this;
    if (this.flow.level > 0 || this.parameters !== null) return false;
    return plan.outputs.every(({ index, classCount }) => classCount === 0 && model.hasFixedOutput(index));
  }

  hasOutput(nth: number): boolean {
    return this.flow.sources[this.#tensor(nth)] !== null;
  }

  outputBegin(nth: number): number {
    return this.flow.begins[this.#tensor(nth)]!;
  }

  outputBytes(nth: number): number {
    return this.flow.bytes[this.#tensor(nth)]!;
  }

  outputShape(nth: number): Shape {
    const { tensors, graph } = this.model;
    const tensor = this.#tensor(nth);
    const own = tensors.outputs[this.plan.outputs[nth]!.index]!;
    const batched = tensors.maxBatchSize > 0;
    const end = { dims: own.backendDims, batched };
    const shape = bridgeShape(this.flow.shapes[tensor]!, graph.tensors[tensor]!.batched, end);
    return batched ? [shape[0]!, ...toClient(own, shape.slice(1))] : toClient(own, shape);
  }

  /** Without labels of its own it has those of the step (fact sheet 13), which may be an ensemble. */
  labels(nth: number): readonly string[] | null {
    const { tensors, graph } = this.model;
    const { labels } = tensors.outputs[this.plan.outputs[nth]!.index]!;
    const { step, source } = graph.tensors[this.#tensor(nth)]!;
    if (labels !== null || step < 0) return labels;
    return labelsOf(graph.steps[step]!.model, source.name);
  }

  output(nth: number): OutputTensor {
    const { index, classCount } = this.plan.outputs[nth]!;
    const { tensors, arena } = this.model;
    const { name, datatype } = tensors.outputs[index]!;
    const begin = this.outputBegin(nth);
    const bytes = arena.bytes.subarray(begin, begin + this.outputBytes(nth));
    const tensor: OutputTensor = { name, datatype, shape: this.outputShape(nth), bytes };
    if (classCount === 0) return tensor;
    return {
      name,
      datatype: 'BYTES',
      ...classify(tensor, classCount, tensors.maxBatchSize > 0 ? this.rows : null, this.labels(nth)),
    };
  }

  release(): void {
    this.flow.releaseAnswer();
    if (!this.isFinal) this.#request.onReleased();
  }

  #tensor(nth: number): number {
    return this.model.graph.outputs[this.plan.outputs[nth]!.index]!;
  }
}

/** The end of a request that was answered any number of times before. */
export class EmptyResponse implements InferResponse {
  readonly isFinal = true;
  readonly isEmpty = true;
  readonly parameters = null;
  readonly explanation = null;
  readonly hasFixedOutputs = false;
  readonly inputUs = 0;
  readonly inferUs = 0;
  readonly outputUs = 0;
  readonly model: Answerer;
  readonly plan: InferPlan;
  readonly rows: number;

  constructor({ model, plan, rows }: AnsweredRequest) {
    this.model = model;
    this.plan = plan;
    this.rows = rows;
  }

  hasOutput(): boolean {
    return false;
  }

  outputBegin(): number {
    throw new RangeError('an empty response has no outputs');
  }

  outputBytes(): number {
    throw new RangeError('an empty response has no outputs');
  }

  outputShape(): Shape {
    throw new RangeError('an empty response has no outputs');
  }

  labels(): null {
    return null;
  }

  output(): OutputTensor {
    throw new RangeError('an empty response has no outputs');
  }

  release(): void {}
}
