import type { ModelConfig } from '../../../src/config/model-config.js';
import { normalizeConfig } from '../../../src/config/normalize.js';
import { parseModelConfig } from '../../../src/config/pbtxt.js';
import type { InferPlan } from '../../../src/core/check-request.js';
import type { AcceptedRequest, InferResponse, Responder } from '../../../src/core/infer-response.js';
import { ModelTensors } from '../../../src/core/model-tensors.js';
import type { PlacedTensor, SourceReader } from '../../../src/core/request-inputs.js';
import type { ServedModel } from '../../../src/core/served-model.js';
import type { Arena, Slot } from '../../../src/memory/arena.js';
import { ModelStatistics } from '../../../src/telemetry/statistics.js';
import type { Trace } from '../../../src/telemetry/trace/trace.js';
import { ServerError } from '../../../src/types/errors.js';
import type { OutputTensor, SequenceFlags } from '../../../src/types/infer.js';
import type { Shape } from '../../../src/types/tensor.js';

/** In memory that was given back: whoever reads it finds no value that a step writes. */
export const POISON = 0x7ead;

/** What a step does with its inputs, by what it is given: by input, its rows; null = it was left out. */
export interface Deed {
  readonly kind: 'answers' | 'fails' | 'refuses' | 'has no room';
  readonly isSudden: boolean;
  /** By answer, by output: its rows; null = it leaves it out. One answer where the step is not decoupled. */
  readonly answers: readonly (readonly (readonly number[] | null)[])[];
}

export type Values = readonly (readonly number[] | null)[];

/** Things that will happen, one at a time, when the test says so. */
export class Agenda {
  readonly #due: (() => void)[] = [];

  get length(): number {
    return this.#due.length;
  }

  add(happen: () => void): void {
    this.#due.push(happen);
  }

  /** @param nth of those that are due */
  happen(nth: number): void {
    const last = this.#due.pop()!;
    const chosen = nth < this.#due.length ? this.#due[nth]! : last;
    if (nth < this.#due.length) this.#due[nth] = last;
    chosen();
  }
}

export function configOf(text: string): ModelConfig {
  return normalizeConfig(parseModelConfig(text, 'config.pbtxt'), { gpus: [] });
}

export interface FakeStepSettings {
  readonly config: ModelConfig;
  readonly arena: Arena;
  readonly agenda: Agenda;
  readonly deed: (given: Values) => Deed;
}

/** A model whose tensors are rows of one INT32, and which does what it is told to when the agenda says so. */
export class FakeStep implements ServedModel {
  readonly planes = null;
  readonly name: string;
  readonly version = 1;
  readonly config: ModelConfig;
  readonly tensors: ModelTensors;
  readonly statistics = new ModelStatistics();
  readonly arena: Arena;
  readonly agenda: Agenda;
  readonly deed: (given: Values) => Deed;
  readonly isRetired = false;
  readonly isReady = true;
  takesGroups = false;
  readonly pending = 0;
  readonly restarts = null;
  readonly steps = [];
  readonly called = null;
  inFlight = 0;
  mostInFlight = 0;
  holds = 0;
  /** Answers that were not released. */
  unread = 0;
  /** Sources that somebody lent to it. */
  borrowed = 0;
  readonly plans: InferPlan[] = [];

  constructor({ config, arena, agenda, deed }: FakeStepSettings) {
    this.name = config.name;
    this.config = config;
    this.tensors = new ModelTensors(config, new Map(), { scalars: new Set(), readsHeads: false, tellsIds: true });
    this.arena = arena;
    this.agenda = agenda;
    this.deed = deed;
  }

  get isDecoupled(): boolean {
    return this.config.model_transaction_policy?.decoupled ?? false;
  }

  hasFixedOutput(index: number): boolean {
    return this.tensors.outputs[index]!.rowBytes > 0;
  }

  sequences(): null {
    return null;
  }

  sequenceCounts(): null {
    return null;
  }

  admit(): AcceptedRequest {
    throw new Error('a step is given the tensors of others');
  }

  admitSources(
    plan: InferPlan,
    sources: readonly PlacedTensor[],
    reader: Responder & SourceReader,
    _sequence: SequenceFlags,
  ): AcceptedRequest {
    this.plans.push(plan);
    const request = new FakeStepRequest(this, plan, sources, reader);
    if (request.deed.kind === 'has no room') throw new ServerError('RESOURCE_EXHAUSTED', `${this.name} has no room`);
    this.borrowed++;
    return request;
  }

  hold(): void {
    this.holds++;
  }

  letGo(): void {
    this.holds--;
  }

  async drain(): Promise<void> {}
  async retire(): Promise<void> {}
  async stop(): Promise<void> {}
}

class FakeStepRequest implements AcceptedRequest {
  trace: Trace | null = null;
  readonly model: FakeStep;
  readonly plan: InferPlan;
  requestId = '';
  isTimed = false;
  readonly deed: Deed;
  readonly #given: Values;
  readonly #sources: readonly PlacedTensor[];
  readonly #reader: Responder & SourceReader;
  #stage: 'filling' | 'running' | 'over' = 'filling';
  #hasSources = true;

  constructor(model: FakeStep, plan: InferPlan, sources: readonly PlacedTensor[], reader: Responder & SourceReader) {
    this.model = model;
    this.plan = plan;
    this.#sources = sources;
    this.#reader = reader;
    this.#given = this.#read();
    this.deed = model.deed(this.#given);
  }

  inputBegin(nth: number): number {
    return this.#sources[nth]!.begin;
  }

  inputBytes(nth: number): number {
    return this.#sources[nth]!.bytes;
  }

  submit(): void {
    if (this.deed.kind === 'refuses') {
      this.abandon();
      throw new ServerError('UNAVAILABLE', `${this.model.name} refuses`);
    }
    this.#stage = 'running';
    this.model.inFlight++;
    this.model.mostInFlight = Math.max(this.model.mostInFlight, this.model.inFlight);
    if (this.deed.isSudden) this.#next(0);
    else this.model.agenda.add(() => this.#next(0));
  }

  abandon(): void {
    this.#stage = 'over';
    this.#giveBack();
  }

  cancel(): void {
    if (this.#stage !== 'running') return;
    this.#end();
    // What runs has to end before its inputs are free.
    if (this.deed.isSudden) this.#giveBack();
    else this.model.agenda.add(() => this.#giveBack());
  }

  /** Answer `number`, or what comes instead of it. */
  #next(number: number): void {
    if (this.#stage !== 'running') return;
    if (!same(this.#read(), this.#given)) throw new Error(`the inputs of ${this.model.name} changed while it ran`);
    const { answers, kind } = this.deed;
    const isLast = number >= answers.length - 1;
    if (kind === 'fails' && isLast) this.#fail();
    else if (!this.model.isDecoupled) {
      this.#giveBack();
      this.#end();
      this.#respond(answers[0]!, true);
    } else if (number < answers.length) {
      // The final answer may have outputs, or be one more that has none.
      const isFinal = isLast && this.deed.isSudden;
      if (isFinal) this.#end();
      this.#respond(answers[number]!, isFinal);
      if (isFinal) this.#giveBackLater();
      else if (this.deed.isSudden) this.#next(number + 1);
      else this.model.agenda.add(() => this.#next(number + 1));
    } else {
      this.#end();
      this.#reader.onResponse(new FakeResponse(this, null, true));
      this.#giveBackLater();
    }
  }

  #fail(): void {
    this.#giveBack();
    this.#end();
    this.#reader.onError(new ServerError('INTERNAL', `${this.model.name} failed`));
  }

  #respond(outputs: Values, isFinal: boolean): void {
    this.#reader.onResponse(new FakeResponse(this, outputs, isFinal));
  }

  #end(): void {
    this.#stage = 'over';
    this.model.inFlight--;
  }

  #giveBackLater(): void {
    this.model.agenda.add(() => this.#giveBack());
  }

  #giveBack(): void {
    if (!this.#hasSources) return;
    if (!same(this.#read(), this.#given)) throw new Error(`the inputs of ${this.model.name} were taken away`);
    this.#hasSources = false;
    this.model.borrowed--;
    this.#reader.onSourcesRead();
  }

  #read(): Values {
    const values: (number[] | null)[] = this.model.tensors.inputs.map(() => null);
    for (const [nth, { index }] of this.plan.inputs.entries()) {
      const { begin, bytes } = this.#sources[nth]!;
      values[index] = [...this.model.arena.words.subarray(begin / 4, (begin + bytes) / 4)];
    }
    return values;
  }
}

/** Outputs in a slot, which is poisoned when they are not needed any more. */
class FakeResponse implements InferResponse {
  readonly explanation = null;
  readonly model: FakeStep;
  readonly plan: InferPlan;
  readonly rows: number;
  readonly isFinal: boolean;
  readonly isEmpty: boolean;
  readonly parameters = null;
  readonly hasFixedOutputs = false;
  readonly inputUs = 1;
  readonly inferUs = 10;
  readonly outputUs = 100;
  readonly #values: Values;
  readonly #slot: Slot;
  #isReleased = false;

  constructor({ model, plan }: FakeStepRequest, values: Values | null, isFinal: boolean) {
    this.model = model;
    this.plan = plan;
    this.rows = Math.max(1, plan.batchSize);
    this.isFinal = isFinal;
    this.isEmpty = values === null;
    this.#values = values ?? [];
    model.unread++;
    this.#slot = model.arena.take(64 * Math.max(1, this.#values.length))!;
    for (const [index, rows] of this.#values.entries()) {
      if (rows !== null) model.arena.words.set(rows, this.#begin(index) / 4);
    }
  }

  hasOutput(nth: number): boolean {
    return !this.isEmpty && this.#values[this.#index(nth)] !== null;
  }

  outputBegin(nth: number): number {
    return this.#begin(this.#index(nth));
  }

  outputBytes(nth: number): number {
    return this.#values[this.#index(nth)]!.length * 4;
  }

  outputShape(nth: number): Shape {
    const { length } = this.#values[this.#index(nth)]!;
    return this.model.tensors.maxBatchSize > 0 ? [length, 1] : [length];
  }

  labels(): null {
    return null;
  }

  output(): OutputTensor {
    throw new Error('a step is not asked for its outputs as clients see them');
  }

  release(): void {
    if (this.#isReleased) throw new Error(`an answer of ${this.model.name} was released twice`);
    this.#isReleased = true;
    this.model.unread--;
    this.model.arena.words.fill(POISON, this.#begin(0) / 4, this.#begin(Math.max(1, this.#values.length)) / 4);
    this.model.arena.give(this.#slot);
  }

  #begin(index: number): number {
    return this.#slot.offset + 64 * index;
  }

  #index(nth: number): number {
    return this.plan.outputs[nth]!.index;
  }
}

function same(a: Values, b: Values): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
