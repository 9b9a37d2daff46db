import type { InstanceInit, StateLayout } from '../src/backends/worker-protocol.js';
import { NO_STATE } from '../src/memory/layout.js';
import type { SealedBatch } from './batch.js';
import { NumberStates } from './number-states.js';
import type { OrtValues } from './ort-values.js';
import { NOBODY, type StateRows, type StateTensor } from './state-tensor.js';
import { StringStates } from './string-states.js';

/** Where the handles of a state's tensors stand in the arrays that `Run` takes. */
export interface StateBinding {
  readonly input: BigUint64Array;
  readonly output: BigUint64Array;
}

/** The implicit state of all sequences of one instance: fed to each execution, and taken from it. It never leaves the worker. */
export class ImplicitStates {
  readonly #tensors: readonly StateTensor[];
  readonly #bindings: readonly StateBinding[];
  readonly #hasVariable: boolean;
  /** Slots that were to begin anew in a run that failed: what they hold is nobody's. */
  readonly #voided = new Set<number>();
  readonly #rows: { count: number; readonly slots: Int32Array; readonly isFresh: Uint8Array };

  constructor(init: InstanceInit, values: OrtValues, bindings: readonly StateBinding[]) {
    const make = (layout: StateLayout) =>
      layout.datatype === 'BYTES'
        ? new StringStates(layout, values, init.batching)
        : new NumberStates(layout, values, init.batching);
    this.#tensors = init.states.map(make);
    this.#bindings = bindings;
    this.#hasVariable = init.states.some(({ dims }) => dims.includes(-1));
    const { maxEntries } = init;
    this.#rows = { count: 0, slots: new Int32Array(maxEntries), isFresh: new Uint8Array(maxEntries) };
  }

  /** Binds the state of every row of the batch. */
  prepare(batch: SealedBatch): void {
    this.#readRows(batch);
    for (let i = 0; i < this.#tensors.length; i++) {
      const tensor = this.#tensors[i]!;
      const { input, output } = this.#bindings[i]!;
      tensor.prepare(this.#rows, input);
      if (tensor.layout.sameBuffer) output[0] = input[0]!;
    }
  }

  /** The execution went well and its outputs are written: they are the states. The result tells their shapes; null = those cannot change. */
  commit(): string | null {
    for (let i = 0; i < this.#tensors.length; i++) this.#tensors[i]!.accept(this.#rows, this.#bindings[i]!.output[0]!);
    for (let i = 0; i < this.#tensors.length; i++) {
      const { output } = this.#bindings[i]!;
      this.#tensors[i]!.commit(this.#rows, output[0]!);
      output[0] = 0n;
    }
    if (this.#voided.size > 0)
      for (let row = 0; row < this.#rows.count; row++) this.#voided.delete(this.#rows.slots[row]!);
    if (!this.#hasVariable) return null;
    const texts = this.#tensors.map((tensor) => tensor.shapeText);
    return texts.every((text) => text === '') ? '' : texts.join(';');
  }

  /** What a batch left that brought its states is dropped; throws as `commit` does where it could not be a state. */
  check(batch: SealedBatch): void {
    this.#rows.count = batch.entries;
    for (let i = 0; i < this.#tensors.length; i++) this.#tensors[i]!.accept(this.#rows, this.#bindings[i]!.output[0]!);
  }

  /** Takes out of the arrays what is not the run's to release: whatever is or was a state. */
  endRun(): void {
    for (let i = 0; i < this.#tensors.length; i++) {
      const tensor = this.#tensors[i]!;
      const { input, output } = this.#bindings[i]!;
      if (tensor.layout.sameBuffer) output[0] = 0n;
      input[0] = 0n;
      tensor.endRun();
    }
  }

  close(): void {
    for (const tensor of this.#tensors) tensor.close();
  }

  #readRows(batch: SealedBatch): void {
    const rows: StateRows = this.#rows;
    this.#rows.count = batch.entries;
    for (let row = 0; row < batch.entries; row++) {
      const word = batch.stateWord(row);
      const slot = word === NO_STATE ? NOBODY : (word >> 1) - 1;
      if ((word & 1) === 1) this.#voided.add(slot);
      rows.slots[row] = slot;
      rows.isFresh[row] = this.#voided.has(slot) ? 1 : 0;
    }
  }
}
