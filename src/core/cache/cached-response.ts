import { assert } from '../../base/assert.js';
import { alignUp, type Slot } from '../../memory/arena.js';
import type { OutputTensor } from '../../types/infer.js';
import type { Shape } from '../../types/tensor.js';
import type { InferPlan } from '../check-request.js';
import type { Answerer, InferResponse } from '../infer-response.js';
import { type LabelledModel, labelsOf } from '../labels.js';
import type { CacheEntry } from './cache-entry.js';

/** A model whose answers are kept. */
export interface CachedModel extends Answerer, LabelledModel {}

/** An answer from the cache. Its outputs are copies in the arena: everybody who reads outputs finds them there. It carries no parameters (fact sheet 5.7). */
export class CachedResponse implements InferResponse {
  readonly isFinal = true;
  readonly isEmpty = false;
  readonly explanation = null;
  readonly parameters = null;
  /** Nothing was executed. */
  readonly inputUs = 0;
  readonly inferUs = 0;
  readonly outputUs = 0;
  readonly model: CachedModel;
  readonly plan: InferPlan;
  readonly rows: number;
  readonly #entry: CacheEntry;
  #slot: Slot | null;

  private constructor(model: CachedModel, plan: InferPlan, entry: CacheEntry, slot: Slot) {
    this.model = model;
    this.plan = plan;
    this.rows = Math.max(1, plan.batchSize);
    this.#entry = entry;
    this.#slot = slot;
  }

  /** Null = there is no room for it, or it is no answer to this. */
  static of(model: CachedModel, plan: InferPlan, entry: CacheEntry): CachedResponse | null {
    if (!fits(model, plan, entry)) return null;
    const { arena } = model;
    const bytes = entry.outputs.reduce((sum, output) => sum + alignUp(output?.bytes.length ?? 0), 0);
    const slot = arena.takeInput(bytes);
    if (slot === null) return null;
    let begin = slot.offset;
    for (const output of entry.outputs) {
      if (output === null) continue;
      arena.bytes.set(output.bytes, begin);
      begin += alignUp(output.bytes.length);
    }
    return new CachedResponse(model, plan, entry, slot);
  }

  get hasFixedOutputs(): boolean {
    return this.#entry.isFixed;
  }

  hasOutput(nth: number): boolean {
    return this.#entry.outputs[nth] !== null;
  }

  outputBegin(nth: number): number {
    assert(this.#slot !== null, 'outputs were read after release');
    let begin = this.#slot.offset;
    for (let before = 0; before < nth; before++) begin += alignUp(this.#entry.outputs[before]?.bytes.length ?? 0);
    return begin;
  }

  outputBytes(nth: number): number {
    return this.#entry.outputs[nth]!.bytes.length;
  }

  outputShape(nth: number): Shape {
    return this.#entry.outputs[nth]!.shape;
  }

  labels(nth: number): readonly string[] | null {
    return labelsOf(this.model, this.model.tensors.outputs[this.plan.outputs[nth]!.index]!.name);
  }

  output(nth: number): OutputTensor {
    const { index, classCount } = this.plan.outputs[nth]!;
    const { name, datatype } = this.model.tensors.outputs[index]!;
    const begin = this.outputBegin(nth);
    return {
      name,
      datatype: classCount === 0 ? datatype : 'BYTES',
      shape: this.outputShape(nth),
      bytes: this.model.arena.bytes.subarray(begin, begin + this.outputBytes(nth)),
    };
  }

  release(): void {
    if (this.#slot !== null) this.model.arena.give(this.#slot);
    this.#slot = null;
  }
}

/** Others may write into a store: what is read into memory of a fixed size has to have that size. */
function fits({ tensors }: CachedModel, { outputs, batchSize }: InferPlan, entry: CacheEntry): boolean {
  if (entry.outputs.length !== outputs.length) return false;
  if (!entry.isFixed) return true;
  const rows = Math.max(1, batchSize);
  return outputs.every(
    ({ index }, nth) => entry.outputs[nth]?.bytes.length === tensors.outputs[index]!.rowBytes * rows,
  );
}
