import type { TensorLayout } from '../src/backends/worker-protocol.js';
import { type DataType, elementBytes } from '../src/types/datatype.js';
import type { Address, Handle, OrtLibrary } from './ort-library.js';
import type { RunOutput } from './run-output.js';

/** `ONNXTensorElementDataType`. */
const elementTypes: Readonly<Record<DataType, number>> = {
  FP32: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  BYTES: 8,
  BOOL: 9,
  FP16: 10,
  FP64: 11,
  UINT32: 12,
  UINT64: 13,
  BF16: 16,
};

/** Dimensions of the largest tensor that is made or read. */
const LARGEST_RANK = 64;

/** Makes tensors of memory, and reads what a run has made. Every value is released by whoever asked for it. */
export class OrtValues {
  readonly library: OrtLibrary;
  readonly #memoryInfo: Handle;
  readonly #allocator: Handle;
  /** 64-bit integers as pairs of words, least significant first. */
  readonly #shape = new BigUint64Array(LARGEST_RANK);
  readonly #shapeWords = new Uint32Array(this.#shape.buffer);
  readonly #variable = new BigUint64Array(1);

  constructor(library: OrtLibrary) {
    this.library = library;
    // OrtDeviceAllocator, OrtMemTypeCPU
    this.#memoryInfo = library.make('CreateCpuMemoryInfo', 0, 0);
    this.#allocator = library.make('GetAllocatorWithDefaultOptions');
  }

  /** A tensor over `bytes` bytes at `address`, which must stay there as long as it is used; its handle is written to `into`. */
  make(datatype: DataType, dims: readonly number[], address: Address, bytes: number, into: BigUint64Array): void {
    this.#setShape(dims);
    this.library.do(
      'CreateTensorWithDataAsOrtValue',
      this.#memoryInfo,
      address,
      bytes,
      this.#shape,
      dims.length,
      elementTypes[datatype],
      into,
    );
  }

  /** A tensor of strings, copied from `memory`, where each has its 4-byte length in front. */
  makeStrings(dims: readonly number[], memory: Uint8Array, begin: number, bytes: number, into: BigUint64Array): void {
    const { library } = this;
    this.#setShape(dims);
    library.do('CreateTensorAsOrtValue', this.#allocator, this.#shape, dims.length, elementTypes.BYTES, into);
    const base = bytes === 0 ? 0 : library.addressOf(memory);
    const view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
    let at = begin;
    for (let index = 0; at < begin + bytes; index++) {
      const length = view.getUint32(at, true);
      library.do('GetResizedStringTensorElementBuffer', into[0], index, length, this.#variable);
      library.copy(Number(this.#variable[0]), base + at + 4, length);
      at += 4 + length;
    }
  }

  release(value: bigint): void {
    this.library.get('ReleaseValue')(value);
  }

  dimsOf(value: bigint): number[] {
    const { library } = this;
    const info = library.make('GetTensorTypeAndShape', value);
    try {
      library.do('GetDimensionsCount', info, this.#variable);
      const rank = Number(this.#variable[0]);
      library.do('GetDimensions', info, this.#shape, rank);
      return Array.from(this.#shape.subarray(0, rank), Number);
    } finally {
      library.get('ReleaseTensorTypeAndShapeInfo')(info);
    }
  }

  addressOf(value: bigint): Address {
    this.library.do('GetTensorMutableData', value, this.#variable);
    return Number(this.#variable[0]);
  }

  /** Bytes of all elements of a tensor of strings, one behind the other, and where each begins. */
  stringsOf(value: bigint, count: number): { readonly bytes: Uint8Array; readonly offsets: readonly number[] } {
    this.library.do('GetStringTensorDataLength', value, this.#variable);
    const length = Number(this.#variable[0]);
    const bytes = new Uint8Array(length);
    const offsets = new BigUint64Array(count);
    this.library.do('GetStringTensorContent', value, bytes, length, offsets, count);
    return { bytes, offsets: Array.from(offsets, Number) };
  }

  #setShape(dims: readonly number[]): void {
    const words = this.#shapeWords;
    for (let i = 0; i < dims.length; i++) {
      words[2 * i] = dims[i]!;
      words[2 * i + 1] = dims[i]! / 2 ** 32;
    }
  }
}

const NO_STARTS: readonly number[] = [];

/** An output of known shape: ONNX Runtime wrote it where it belongs. */
export class PlacedOutput implements RunOutput {
  dims: readonly number[] = [];
  bytes = 0;
  readonly starts = NO_STARTS;

  copyTo(): void {}
}

/** The arena, as bytes and as an address. */
export interface ArenaMemory {
  readonly bytes: Uint8Array;
  readonly base: Address;
}

/** An output that ONNX Runtime allocated, because its shape was not known. */
export function readOutput(
  values: OrtValues,
  value: bigint,
  { datatype }: TensorLayout,
  arena: ArenaMemory,
): RunOutput {
  const dims = values.dimsOf(value);
  const count = dims.reduce((product, dim) => product * dim, 1);
  if (datatype === 'BYTES') return readStrings(values, value, dims, count, arena);
  const bytes = count * elementBytes[datatype];
  return {
    dims,
    bytes,
    starts: NO_STARTS,
    copyTo: (begin) => values.library.copy(arena.base + begin, values.addressOf(value), bytes),
  };
}

/** A tensor of strings as rows of `perRow` elements, each element with its 4-byte length in front. */
export function serializeStrings(values: OrtValues, value: bigint, perRow: number): Uint8Array[] {
  const count = values.dimsOf(value).reduce((product, dim) => product * dim, 1);
  if (count === 0) return [];
  const { bytes, offsets } = values.stringsOf(value, count);
  const whole = Buffer.alloc(bytes.length + 4 * count);
  const rows: Uint8Array[] = [];
  let begin = 0;
  let at = 0;
  for (let index = 0; index < count; index++) {
    const end = offsets[index + 1] ?? bytes.length;
    at = whole.writeUInt32LE(end - offsets[index]!, at);
    whole.set(bytes.subarray(offsets[index]!, end), at);
    at += end - offsets[index]!;
    if ((index + 1) % perRow !== 0) continue;
    rows.push(whole.subarray(begin, at));
    begin = at;
  }
  return rows;
}

function readStrings(
  values: OrtValues,
  value: bigint,
  dims: readonly number[],
  count: number,
  { bytes: target }: ArenaMemory,
): RunOutput {
  if (count === 0) return { dims, bytes: 0, starts: [0], copyTo() {} };
  const { bytes, offsets } = values.stringsOf(value, count);
  const ends = [...offsets.slice(1), bytes.length];
  return {
    dims,
    bytes: bytes.length + 4 * count,
    starts: [...offsets, bytes.length].map((offset, index) => offset + 4 * index),
    copyTo(begin) {
      const view = new DataView(target.buffer);
      for (let index = 0; index < count; index++) {
        const at = begin + offsets[index]! + 4 * index;
        view.setUint32(at, ends[index]! - offsets[index]!, true);
        target.set(bytes.subarray(offsets[index]!, ends[index]!), at + 4);
      }
    },
  };
}
