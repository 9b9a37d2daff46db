import type { DataType } from '../types/datatype.js';
import { invalid } from '../types/errors.js';
import type { OutputTensor } from '../types/infer.js';
import { type TensorData, typedArrays } from '../types/typed-array.js';
import { fromHalf } from './half.js';

/** An output and how the client wants it: its bytes behind the head, or as JSON `data`. */
export interface ReplyTensor extends OutputTensor {
  readonly binary: boolean;
}

/**
 * The JSON part of an inference response (fact sheet 1.9). `data` is flat; FP types may be NaN and Infinity; 64-bit integers are
 * exact; bytes of BYTES elements that are no UTF-8 are replaced by U+FFFD (ask for binary). Throws INVALID_ARGUMENT for BF16 as JSON.
 */
export function inferResponseHead(
  id: string,
  model: string,
  version: string,
  outputs: readonly ReplyTensor[],
): Buffer {
  const idText = id === '' ? '' : `"id":${JSON.stringify(id)},`;
  const names = `"model_name":${JSON.stringify(model)},"model_version":"${version}"`;
  return Buffer.from(`{${idText}${names},"outputs":[${outputs.map(outputJson).join(',')}]}`);
}

function outputJson(output: ReplyTensor): string {
  const head = `{"name":${JSON.stringify(output.name)},"datatype":"${output.datatype}","shape":[${output.shape.join(',')}]`;
  if (output.binary) return `${head},"parameters":{"binary_data_size":${output.bytes.length}}}`;
  return `${head},"data":[${dataJson(output)}]}`;
}

function dataJson(output: OutputTensor): string {
  const { datatype, bytes, name } = output;
  if (datatype === 'BYTES') return stringsJson(bytes);
  if (datatype === 'BF16') {
    throw invalid(`sending BF16 data via JSON is not supported. Please use the binary data format for output ${name}`);
  }
  const elements = elementsOf(datatype, bytes);
  if (datatype === 'FP16') return Array.from(elements as Uint16Array, fromHalf).join(',');
  if (datatype === 'BOOL') return Array.from(elements as Uint8Array, (value) => value !== 0).join(',');
  return elements.join(',');
}

/** The elements of fixed-size types, in place where their bytes are aligned. */
function elementsOf(datatype: Exclude<DataType, 'BYTES'>, bytes: Uint8Array): TensorData {
  const View = typedArrays[datatype];
  const count = bytes.length / View.BYTES_PER_ELEMENT;
  if (bytes.byteOffset % View.BYTES_PER_ELEMENT === 0) return new View(bytes.buffer, bytes.byteOffset, count);
  return new View(bytes.slice().buffer, 0, count);
}

function stringsJson(bytes: Uint8Array): string {
  const own = Buffer.from(bytes.slice().buffer);
  const texts: string[] = [];
  for (let at = 0; at < own.length; ) {
    const length = own.readUInt32LE(at);
    texts.push(JSON.stringify(own.toString('utf8', at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return texts.join(',');
}
