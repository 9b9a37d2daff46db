import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { invalid, ServerError } from '../../types/errors.js';
import { maskedCrc32c } from './checksum.js';
import { bytesOfElement, fromTensorFlow } from './element-type.js';
import { tableEntries } from './sorted-table.js';
import { countOf, readShape, type Shape, type Tensor } from './tensor.js';
import { fields, whole } from './wire.js';

/** BundleEntryProto: where a variable's value lies. */
interface Entry {
  /** TensorFlow's number. */
  readonly type: number;
  readonly shape: Shape;
  readonly shard: number;
  readonly offset: number;
  readonly size: number;
  /** Masked CRC-32C of its bytes; null = none was written down. */
  readonly checksum: number | null;
  /** It is spread over other entries. */
  readonly isSliced: boolean;
}

/** Values of variables: `PREFIX.index` and `PREFIX.data-00000-of-00001` (tensorflow/core/util/tensor_bundle). */
export class Checkpoint {
  readonly #prefix: string;
  readonly #entries = new Map<string, Entry>();
  #shards = 1;

  /** Throws INVALID_ARGUMENT where the index is none. */
  constructor(prefix: string) {
    this.#prefix = prefix;
    for (const [key, value] of tableEntries(readFileSync(`${prefix}.index`))) {
      if (key === '') this.#readHeader(value);
      else this.#entries.set(key, readEntry(value));
    }
  }

  /** Throws INVALID_ARGUMENT where there is no such value, not all of it, or another than was written; UNSUPPORTED for one that is cut into parts. */
  read(key: string): Tensor {
    const entry = this.#entries.get(key);
    if (entry === undefined) throw invalid(`the checkpoint has no '${key}'`);
    if (entry.isSliced) throw new ServerError('UNSUPPORTED', `'${key}' of the checkpoint is cut into parts`);
    const type = fromTensorFlow(entry.type);
    const expected = countOf(entry.shape) * bytesOfElement(type);
    if (bytesOfElement(type) === 0 || entry.size !== expected) {
      throw invalid(`'${key}' of the checkpoint has ${entry.size} bytes, and its shape takes ${expected}`);
    }
    return { type, dims: entry.shape, bytes: this.#bytes(key, entry), strings: [] };
  }

  #readHeader(bytes: Uint8Array): void {
    for (const field of fields(bytes)) {
      if (field.number === 1) this.#shards = whole(field.value);
      if (field.number === 2 && field.value !== 0n) throw invalid('the checkpoint is big-endian');
    }
  }

  #bytes(key: string, { shard, offset, size, checksum }: Entry): Uint8Array {
    const path = `${this.#prefix}.data-${five(shard)}-of-${five(this.#shards)}`;
    const file = openSync(path, 'r');
    try {
      if (offset < 0 || offset + size > fstatSync(file).size) throw invalid(`'${key}' ends behind ${path}`);
      const bytes = new Uint8Array(size);
      for (let at = 0; at < size; ) {
        const count = readSync(file, bytes, at, size - at, offset + at);
        if (count === 0) throw invalid(`${path} has become shorter`);
        at += count;
      }
      checkBytes(key, path, bytes, checksum);
      return bytes;
    } finally {
      closeSync(file);
    }
  }
}

function checkBytes(key: string, path: string, bytes: Uint8Array, checksum: number | null): void {
  if (checksum === null) return;
  const found = maskedCrc32c(bytes);
  if (found === checksum) return;
  throw invalid(
    `'${key}' in ${path} is damaged: its checksum is ${found}, and ${checksum} was written down; copy the file again`,
  );
}

function five(number: number): string {
  return String(number).padStart(5, '0');
}

function readEntry(bytes: Uint8Array): Entry {
  let [type, shard, offset, size] = [0, 0, 0, 0];
  let shape: Shape = [];
  let isSliced = false;
  let checksum: number | null = null;
  for (const field of fields(bytes)) {
    if (field.number === 1) type = whole(field.value);
    else if (field.number === 2) shape = readShape(field.bytes) ?? [];
    else if (field.number === 3) shard = whole(field.value);
    else if (field.number === 4) offset = whole(field.value);
    else if (field.number === 5) size = whole(field.value);
    else if (field.number === 6 && field.wire === 5) checksum = Buffer.from(field.bytes).readUInt32LE(0);
    else if (field.number === 7) isSliced = true;
  }
  return { type, shape, shard, offset, size, checksum, isSliced };
}
