import type { AnswerPlace, OutputPlace } from '../../src/backends/call-protocol.js';
import { elementBytes } from '../../src/types/datatype.js';
import type { CallAnswer, DataType, ParameterValue, Tensor } from './model-api.js';
import { TensorView } from './tensors.js';

/** An answer of another model: where that left it, or copied from there. */
export class CalledAnswer implements CallAnswer {
  readonly model: string;
  readonly version: number;
  readonly parameters: ReadonlyMap<string, ParameterValue>;
  readonly #views = new Map<string, TensorView>();
  readonly #place: AnswerPlace;
  readonly #arena: Uint8Array;
  readonly #onReleased: () => void;
  /** By output; null = they are where their model left them. */
  #copies: ReadonlyMap<OutputPlace, Uint8Array> | null = null;
  #isReleased = false;

  /** @param onReleased told once, when its place in the arena is not read any more */
  constructor(place: AnswerPlace, arena: Uint8Array, onReleased: () => void) {
    this.model = place.model;
    this.version = place.version;
    this.parameters = place.parameters;
    this.#place = place;
    this.#arena = arena;
    this.#onReleased = onReleased;
  }

  get outputNames(): readonly string[] {
    return this.#place.outputs.map(({ name }) => name);
  }

  output<Type extends DataType = DataType>(name: string): Tensor<Type> {
    if (this.#isReleased) throw new Error(`the answer of model '${this.model}' was released: nothing of it is left`);
    const view = this.#views.get(name) ?? this.#viewOf(name);
    this.#views.set(name, view);
    return view as TensorView & Tensor<Type>;
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#views.clear();
    if (this.#copies === null) this.#onReleased();
    this.#copies = null;
  }

  /** Where it was lent, it is not any more. */
  giveBack(): void {
    if (this.#copies === null) this.release();
  }

  /** Copies what is left in the arena: it can be read for ever then. */
  own(): void {
    if (this.#copies !== null || this.#isReleased) return;
    const { outputs } = this.#place;
    this.#copies = new Map(
      outputs.map((output) => [output, this.#arena.slice(output.begin, output.begin + output.bytes)]),
    );
    this.#views.clear();
    this.#onReleased();
  }

  #viewOf(name: string): TensorView {
    const output = this.#place.outputs.find((other) => other.name === name);
    if (output === undefined) throw this.#unknown(name);
    const { datatype, shape, begin, bytes } = output;
    const there = this.#copies?.get(output) ?? this.#arena.subarray(begin, begin + bytes);
    const isAligned = there.byteOffset % Math.max(1, elementBytes[datatype]) === 0;
    return new TensorView(name, datatype, shape, isAligned ? there : there.slice());
  }

  #unknown(name: string): TypeError {
    const known = this.outputNames.map((other) => `'${other}'`).join(', ') || 'none';
    return new TypeError(`the answer of model '${this.model}' has no output '${name}'; it has ${known}`);
  }
}
