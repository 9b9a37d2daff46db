import type { OutputTensor, ParameterValue } from '../types/infer.js';
import { type ElementWriter, elementWriter, writeElements, writeParameter } from './json-elements.js';
import { JsonWriter } from './json-writer.js';

/** An output and how the client wants it: its bytes behind the head, or as JSON `data`. */
export interface ReplyTensor extends OutputTensor {
  readonly binary: boolean;
  /** Its client finds it in shared memory: the answer has no bytes of it (fact sheet 1.6). Absent = it is in the answer. */
  readonly isElsewhere?: boolean;
}

const writer = new JsonWriter();

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
  parameters: ReadonlyMap<string, ParameterValue> | null = null,
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
function writeEnvelope(model: string, version: string, parameters: ReadonlyMap<string, ParameterValue> | null): void {
  writer.text('"model_name":');
  writer.string(model);
  writer.text(',"model_version":');
  writer.string(version);
  if (parameters !== null && parameters.size > 0) writeParameters(parameters);
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
    writeEnvelope(model, version, null);
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
    writeElements(writer, bytes, begin, end, this.#writers[nth]!);
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
    writeParameter(writer, value);
    before = ',';
  }
  writer.text('}');
}

function writeOutput(output: ReplyTensor): void {
  const { bytes } = output;
  writeDescription(output);
  if (output.isElsewhere) {
    writer.text('}');
    return;
  }
  if (output.binary) {
    writer.text(',"parameters":{"binary_data_size":');
    writer.integer(bytes.length);
    writer.text('}}');
    return;
  }
  writer.text(',"data":[');
  writeElements(writer, bytes, 0, bytes.length, elementWriter(output));
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
