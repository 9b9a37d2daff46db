import type { DataType } from '../../src/types/datatype.js';
import type { OrtValues } from '../../workers/ort-values.js';

interface Value {
  readonly dims: readonly number[];
  readonly address: number;
}

/** ONNX Runtime's tensors and memory, as far as states use them: every buffer has an address, and every tensor is released once. */
export class FakeValues {
  readonly #buffers = new Map<number, Uint8Array>();
  readonly #values = new Map<bigint, Value>();
  #nextAddress = 4096;
  #nextHandle = 1n;
  /** Bytes that were copied from memory to memory. */
  copied = 0;
  /** Tensors that were made over memory of JavaScript. */
  made = 0;
  readonly library = {
    addressOf: (bytes: Uint8Array) => this.#addressOf(bytes),
    copy: (to: number, from: number, length: number) => {
      this.copied += length;
      this.#bytesAt(to, length).set(this.#bytesAt(from, length));
    },
  };

  get asOrt(): OrtValues {
    return this as unknown as OrtValues;
  }

  /** Tensors that were not released. */
  get live(): number {
    return this.#values.size;
  }

  make(_: DataType, dims: readonly number[], address: number, bytes: number, into: BigUint64Array): void {
    this.made++;
    this.#bytesAt(address, bytes);
    into[0] = this.#add({ dims, address });
  }

  dimsOf(value: bigint): number[] {
    return [...this.#get(value).dims];
  }

  addressOf(value: bigint): number {
    return this.#get(value).address;
  }

  release(value: bigint): void {
    this.#get(value);
    this.#values.delete(value);
  }

  /** A tensor of 32-bit integers that a run has made. */
  output(dims: readonly number[], elements: readonly number[]): bigint {
    const bytes = new Uint8Array(Int32Array.from(elements).buffer);
    return this.#add({ dims, address: this.#addressOf(bytes) });
  }

  elements(value: bigint): number[] {
    const { dims, address } = this.#get(value);
    const length = 4 * dims.reduce((product, dim) => product * dim, 1);
    return [...new Int32Array(this.#bytesAt(address, length).slice().buffer)];
  }

  #add(value: Value): bigint {
    this.#values.set(this.#nextHandle, value);
    return this.#nextHandle++;
  }

  #get(value: bigint): Value {
    const found = this.#values.get(value);
    if (found === undefined) throw new Error(`tensor ${value} is used after its release`);
    return found;
  }

  #addressOf(bytes: Uint8Array): number {
    for (const [address, known] of this.#buffers) if (known === bytes) return address;
    const address = this.#nextAddress;
    this.#nextAddress += bytes.length + 4096;
    this.#buffers.set(address, bytes);
    return address;
  }

  #bytesAt(address: number, length: number): Uint8Array {
    for (const [base, bytes] of this.#buffers) {
      if (address >= base && address + length <= base + bytes.length)
        return bytes.subarray(address - base, address - base + length);
    }
    throw new Error(`nothing is at ${address}, ${length} bytes`);
  }
}
