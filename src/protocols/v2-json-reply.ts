import type { DataType } from '../types/datatype.js';
import { invalid } from '../types/errors.js';
import type { OutputTensor, ParameterValue } from '../types/infer.js';
import { fromHalf } from './half.js';
import { JsonWriter } from './json-writer.js';

/** An output and how the client wants it: its bytes behind the head, or as JSON `data`. */
export interface ReplyTensor extends OutputTensor {
  readonly binary: boolean;
}

const NO_PARAMETERS: ReadonlyMap<string, ParameterValue> = new Map();

const writer = new JsonWriter();

/** 32-bit words, least significant first, as the doubles and floats they are. */
const words = new Int32Array(2);
const float32 = new Float32Array(words.buffer, 0, 1);
const float64 = new Float64Array(words.buffer);

/**
 * The JSON part of an inference response (fact sheet 1.9). `data` is flat; FP types are doubles and may be NaN and Infinity; 64-bit
 * integers are exact; bytes of BYTES elements that are no UTF-8 are replaced by U+FFFD (ask for binary). `parameters` are the backend's.
 * Tensors may lie anywhere, also unaligned and in shared memory; the result is the caller's. Throws INVALID_ARGUMENT for BF16 as JSON.
 */
export function inferResponseHead(
  id: string,
  model: string,
  version: string,
  outputs: readonly ReplyTensor[],
  parameters: ReadonlyMap<string, ParameterValue> = NO_PARAMETERS,
): Buffer {
  // An error may have left something.
  writer.clear();
  writeId(id);
  writeEnvelope(model, version, parameters);
  for (let nth = 0; nth < outputs.length; nth++) {
    if (nth > 0) writer.text(',');
    writeOutput(outputs[nth]!);
  }
  writer.text(']}');
  return writer.take();
}

/** What such a response begins with: the part that differs from answer to answer. The rest is `inferResponseHead` with '' but for its first byte. Valid until another text is begun. */
export function inferResponseStart(id: string): Buffer {
  writer.clear();
  writeId(id);
  return writer.lend();
}

function writeId(id: string): void {
  writer.text('{');
  if (id === '') return;
  writer.text('"id":');
  writer.string(id);
  writer.text(',');
}

/** All that stands between the id and the outputs. */
function writeEnvelope(model: string, version: string, parameters: ReadonlyMap<string, ParameterValue>): void {
  writer.text('"model_name":');
  writer.string(model);
  writer.text(',"model_version":');
  writer.string(version);
  if (parameters.size > 0) writeParameters(parameters);
  writer.text(',"outputs":[');
}

/** Answers that are JSON altogether and differ in nothing but their ids and the elements of their tensors: the text around these is kept. */
export class JsonReplyTemplate {
  readonly #parts: readonly Uint8Array[];
  readonly #writers: readonly ElementWriter[];

  /** Name, datatype and shape of `outputs` are those of every answer; their bytes do not matter. */
  constructor(model: string, version: string, outputs: readonly ReplyTensor[]) {
    const parts: Uint8Array[] = [];
    writer.clear();
    writeEnvelope(model, version, NO_PARAMETERS);
    outputs.forEach((output, nth) => {
      if (nth > 0) writer.text(',');
      writeDescription(output);
      writer.text(',"data":[');
      parts.push(writer.take());
      writer.text(']}');
    });
    writer.text(']}');
    this.#parts = [...parts, writer.take()];
    this.#writers = outputs.map(elementWriter);
  }

  /** Begins an answer; `element` for each output and `end` follow before anything else is written. */
  begin(id: string): void {
    writer.clear();
    writeId(id);
  }

  /** The elements of output `nth`, which lie in `bytes` from `begin` to `end`. */
  output(nth: number, bytes: Uint8Array, begin: number, end: number): void {
    writer.bytes(this.#parts[nth]!);
    writeElements(bytes, begin, end, this.#writers[nth]!);
  }

  /** The whole text; one of up to 64 KiB is valid until the next answer is begun, a longer one is the caller's. */
  end(): Uint8Array {
    writer.bytes(this.#parts[this.#parts.length - 1]!);
    return writer.lend();
  }
}

function writeParameters(parameters: ReadonlyMap<string, ParameterValue>): void {
  let before = ',"parameters":{';
  for (const [key, value] of parameters) {
    writer.text(before);
    writer.string(key);
    writer.text(':');
    if (typeof value === 'string') writer.string(value);
    else if (typeof value !== 'number') writer.text(String(value));
    else if (Number.isSafeInteger(value)) writer.integer(value);
    else writer.double(value);
    before = ',';
  }
  writer.text('}');
}

function writeOutput(output: ReplyTensor): void {
  const { bytes } = output;
  writeDescription(output);
  if (output.binary) {
    writer.text(',"parameters":{"binary_data_size":');
    writer.integer(bytes.length);
    writer.text('}}');
    return;
  }
  writer.text(',"data":[');
  writeElements(bytes, 0, bytes.length, elementWriter(output));
  writer.text(']}');
}

/** Name, datatype and shape; the object stays open. */
function writeDescription({ name, datatype, shape }: ReplyTensor): void {
  writer.text('{"name":');
  writer.string(name);
  writer.text(',"datatype":"');
  writer.text(datatype);
  writer.text('","shape":[');
  for (let i = 0; i < shape.length; i++) {
    if (i > 0) writer.text(',');
    writer.integer(shape[i]!);
  }
  writer.text(']');
}

function elementWriter({ name, datatype }: ReplyTensor): ElementWriter {
  const write = elementWriters[datatype];
  if (write !== null) return write;
  throw invalid(
    `sending ${datatype} data via JSON is not supported. Please use the binary data format for output ${name}`,
  );
}

/** Writes the element at byte `at` of a tensor; the result is the bytes it takes. */
type ElementWriter = (bytes: Uint8Array, at: number) => number;

const elementWriters: Readonly<Record<DataType, ElementWriter | null>> = {
  BOOL: (bytes, at) => {
    writer.text(bytes[at] === 0 ? 'false' : 'true');
    return 1;
  },
  UINT8: (bytes, at) => {
    writer.integer(bytes[at]!);
    return 1;
  },
  INT8: (bytes, at) => {
    writer.integer((bytes[at]! << 24) >> 24);
    return 1;
  },
  UINT16: (bytes, at) => {
    writer.integer(shortAt(bytes, at));
    return 2;
  },
  INT16: (bytes, at) => {
    writer.integer((shortAt(bytes, at) << 16) >> 16);
    return 2;
  },
  UINT32: (bytes, at) => {
    writer.integer(wordAt(bytes, at) >>> 0);
    return 4;
  },
  INT32: (bytes, at) => {
    writer.integer(wordAt(bytes, at));
    return 4;
  },
  UINT64: (bytes, at) => writeLong(bytes, at, wordAt(bytes, at + 4) >>> 0),
  INT64: (bytes, at) => writeLong(bytes, at, wordAt(bytes, at + 4)),
  FP16: (bytes, at) => {
    writer.double(fromHalf(shortAt(bytes, at)));
    return 2;
  },
  FP32: (bytes, at) => {
    words[0] = wordAt(bytes, at);
    writer.double(float32[0]!);
    return 4;
  },
  FP64: (bytes, at) => {
    words[0] = wordAt(bytes, at);
    words[1] = wordAt(bytes, at + 4);
    writer.double(float64[0]!);
    return 8;
  },
  BYTES: (bytes, at) => {
    const begin = at + 4;
    const end = begin + (wordAt(bytes, at) >>> 0);
    writer.utf8(bytes, begin, Math.min(end, bytes.length));
    return end - at;
  },
  BF16: null,
};

/** Writes the elements in `bytes` from `begin` to `end`. */
function writeElements(bytes: Uint8Array, begin: number, end: number, write: ElementWriter): void {
  for (let at = begin; at < end; ) {
    if (at > begin) writer.text(',');
    at += write(bytes, at);
  }
}

/** `high` is the upper word with its sign, where the type has one. */
function writeLong(bytes: Uint8Array, at: number, high: number): number {
  const low = wordAt(bytes, at) >>> 0;
  const value = high * 2 ** 32 + low;
  if (Number.isSafeInteger(value)) writer.integer(value);
  else writer.text(String((BigInt(high) << 32n) + BigInt(low)));
  return 8;
}

function shortAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
