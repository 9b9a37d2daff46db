import type { InstanceInit, OnnxSettings, StateLayout, TensorLayout } from '../src/backends/worker-protocol.js';
import type { DataType } from '../src/types/datatype.js';
import type { SealedBatch } from './batch.js';
import { type BoundInput, InputBinder } from './inputs.js';
import { type OutputPlace, type Runner, serveInstance } from './loop.js';
import { type Address, type Handle, OrtLibrary } from './ort-library.js';
import { openSession } from './ort-session.js';
import { type ArenaMemory, OrtValues, PlacedOutput, readOutput } from './ort-values.js';
import type { RunOutput } from './run-output.js';
import { ImplicitStates } from './states.js';

/** Names and values of a run, as the arrays of pointers that `Run` takes. */
class Bindings {
  readonly names: BigUint64Array;
  readonly values: BigUint64Array;
  /** One for each value: where its handle is written. */
  readonly slots: readonly BigUint64Array[];
  /** The names themselves, which the pointers point to. */
  readonly #texts: readonly Uint8Array[];

  constructor(library: OrtLibrary, names: readonly string[]) {
    this.#texts = names.map((name) => Uint8Array.from(Buffer.from(`${name}\0`)));
    this.names = BigUint64Array.from(this.#texts, (text) => BigInt(library.addressOf(text)));
    this.values = new BigUint64Array(names.length);
    this.slots = names.map((_, index) => this.values.subarray(index, index + 1));
  }
}

/** Runs one model: tensors are not copied between the arena and ONNX Runtime where their shapes are known beforehand. */
class OnnxRunner implements Runner {
  readonly #library: OrtLibrary;
  readonly #values: OrtValues;
  readonly #session: Handle;
  /** Of inputs, batch inputs and states. */
  readonly #inputTypes: readonly DataType[];
  readonly #outputLayouts: readonly TensorLayout[];
  readonly #batching: boolean;
  readonly #arena: ArenaMemory;
  readonly #inputs: Bindings;
  readonly #outputs: Bindings;
  readonly #placed: readonly PlacedOutput[];
  /** None is a state too: that must not lie where outputs are given back. */
  readonly #canPlace: boolean;
  /** Null = the model has no implicit state. */
  readonly #states: ImplicitStates | null;
  /** States that a batch brings itself, behind its inputs. */
  readonly #givenStates: readonly InputBinder[];
  #areStatesGiven = false;
  /** By input; null = it has no value of its own. */
  readonly #defaults: readonly (BoundInput | null)[];
  /** Where memory of the binders lies, which is copied into for long. */
  readonly #bases = new WeakMap<Uint8Array, Address>();

  constructor(init: InstanceInit<OnnxSettings>) {
    const library = OrtLibrary.at(init.settings.library);
    this.#library = library;
    this.#values = new OrtValues(library);
    this.#session = openSession(library, init.settings);
    this.#inputTypes = [...init.inputs, ...init.batchInputs, ...init.states].map(({ datatype }) => datatype);
    this.#outputLayouts = init.outputs;
    this.#batching = init.batching;
    const bytes = new Uint8Array(init.arena);
    this.#arena = { bytes, base: library.addressOf(bytes) };
    const inputNames = [
      ...[...init.inputs, ...init.batchInputs].map(({ name }) => name),
      ...init.states.map(({ input }) => input),
    ];
    const outputNames = [
      ...new Set([...init.outputs.map(({ name }) => name), ...init.states.map(({ output }) => output)]),
    ];
    this.#inputs = new Bindings(library, inputNames);
    this.#outputs = new Bindings(library, outputNames);
    const bindings = init.states.map(({ input, output }) => ({
      input: this.#inputs.slots[inputNames.indexOf(input)]!,
      output: this.#outputs.slots[outputNames.indexOf(output)]!,
    }));
    this.#states = init.states.length === 0 ? null : new ImplicitStates(init, this.#values, bindings);
    const fed = { ...init, inputs: [...init.inputs, ...init.states.map(asInput)] };
    this.#givenStates = init.states.map((_, nth) => new InputBinder(fed, init.inputs.length + nth));
    this.#placed = init.outputs.map(() => new PlacedOutput());
    this.#canPlace = outputNames.length === init.outputs.length + init.states.length;
    this.#defaults = inputNames.map((name) => defaultOf(init.settings, name));
  }

  run(inputs: readonly (BoundInput | null)[], batch: SealedBatch, place: OutputPlace | null): readonly RunOutput[] {
    // First: whatever fails after it, states that were to begin anew are known not to be those of the sequence before.
    if (this.#states !== null) this.#prepareStates(this.#states, batch);
    for (let i = 0; i < inputs.length; i++) this.#bind(i, inputs[i] ?? this.#defaults[i]!);
    const canPlace = place !== null && this.#canPlace;
    if (canPlace) for (let i = 0; i < this.#placed.length; i++) this.#place(i, batch.rows, place);
    this.#execute();
    if (this.#areStatesGiven) this.#states?.check(batch);
    if (canPlace) return this.#placed;
    return this.#outputLayouts.map((layout, index) =>
      readOutput(this.#values, this.#outputs.values[index]!, layout, this.#arena),
    );
  }

  commit(): string | null {
    return this.#states === null || this.#areStatesGiven ? null : this.#states.commit();
  }

  endRun(): void {
    if (!this.#areStatesGiven) this.#states?.endRun();
    this.#release(this.#inputs.values);
    this.#release(this.#outputs.values);
  }

  close(): void {
    this.#states?.close();
    this.#library.get('ReleaseSession')(this.#session);
  }

  #prepareStates(states: ImplicitStates, batch: SealedBatch): void {
    this.#areStatesGiven = batch.bringsStates;
    if (!this.#areStatesGiven) {
      states.prepare(batch);
      return;
    }
    const first = this.#inputTypes.length - this.#givenStates.length;
    for (const [nth, state] of this.#givenStates.entries()) this.#bind(first + nth, state.bind(batch));
  }

  #bind(index: number, input: BoundInput | null): void {
    if (input === null) return;
    const datatype = this.#inputTypes[index]!;
    const { dims, memory, begin, bytes } = input;
    const slot = this.#inputs.slots[index]!;
    if (datatype === 'BYTES') this.#values.makeStrings(dims, memory, begin, bytes, slot);
    else this.#values.make(datatype, dims, this.#baseOf(memory) + begin, bytes, slot);
  }

  #place(index: number, rows: number, place: OutputPlace): void {
    const { datatype, dims, rowBytes } = this.#outputLayouts[index]!;
    const output = this.#placed[index]!;
    output.dims = this.#batching ? [rows, ...dims] : dims;
    output.bytes = rowBytes * rows;
    const address = this.#arena.base + place(index, rows);
    this.#values.make(datatype, output.dims, address, output.bytes, this.#outputs.slots[index]!);
  }

  #execute(): void {
    const { names, values } = this.#given();
    const { names: outputNames, values: outputValues } = this.#outputs;
    this.#library.do(
      'Run',
      this.#session,
      null,
      names,
      values,
      values.length,
      outputNames,
      outputValues.length,
      outputValues,
    );
  }

  /** Without the inputs that neither the batch nor the model has a value for. */
  #given(): { readonly names: BigUint64Array; readonly values: BigUint64Array } {
    const { names, values } = this.#inputs;
    if (!values.includes(0n)) return this.#inputs;
    return { names: names.filter((_, index) => values[index] !== 0n), values: values.filter((value) => value !== 0n) };
  }

  #release(values: BigUint64Array): void {
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      if (value !== 0n) this.#values.release(value);
      values[i] = 0n;
    }
  }

  #baseOf(memory: Uint8Array): Address {
    if (memory.buffer === this.#arena.bytes.buffer) return this.#arena.base;
    let base = this.#bases.get(memory);
    if (base === undefined) {
      base = this.#library.addressOf(memory);
      this.#bases.set(memory, base);
    }
    return base;
  }
}

function asInput({ input, datatype, dims }: StateLayout): TensorLayout {
  return { name: input, datatype, dims, rowBytes: 0, planeOffset: 0, ragged: false };
}

function defaultOf({ defaults }: OnnxSettings, name: string): BoundInput | null {
  const found = defaults.find((value) => value.name === name);
  if (found === undefined) return null;
  // Not empty, so that it has an address.
  const memory = new Uint8Array(Math.max(1, found.bytes.length));
  memory.set(found.bytes);
  return { dims: found.shape, memory, begin: 0, bytes: found.bytes.length };
}

/** Entry point of an ONNX Runtime instance: piscina runs it once, for the instance's whole life. */
export function runInstance(init: InstanceInit<OnnxSettings>): void {
  serveInstance(init, () => new OnnxRunner(init));
}
