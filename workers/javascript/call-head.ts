import type { CallHead, CallInput } from '../../src/backends/call-protocol.js';
import { type DataType, elementBytes, isDataType } from '../../src/types/datatype.js';
import { elementCount } from '../../src/types/tensor.js';
import type { BytesValue, CalledInput, CallOptions, ParameterValue } from './model-api.js';
import { checkElements } from './output-maker.js';
import { bytesOfValues, viewOf, writeValues } from './tensors.js';

const NO_OUTPUTS: readonly string[] = [];

/** The head of a call. Throws TypeErrors that name what is no call. */
export function headOf(options: CallOptions, isStream: boolean): CallHead {
  const { model, version = '', inputs, outputs = NO_OUTPUTS, id = '', sequenceId = 0 } = options;
  if (typeof model !== 'string' || model === '') throw new TypeError('a call needs the name of a model');
  const what = `a call of model '${model}'`;
  if (!Array.isArray(inputs)) throw new TypeError(`${what} needs a list of inputs`);
  if (typeof sequenceId === 'object') throw new TypeError(`${what}: expected a number or a text as its sequenceId`);
  return {
    model,
    version: String(version),
    isStream,
    requestId: String(id),
    priority: natural(what, 'priority', options.priority),
    timeoutUs: natural(what, 'timeoutUs', options.timeoutUs),
    sequenceId: plain(sequenceId),
    sequenceStart: options.sequenceStart === true,
    sequenceEnd: options.sequenceEnd === true,
    inputs: inputs.map((input) => inputOf(what, input)),
    outputs: outputs.map(String),
    parameters: parametersOf(what, options.parameters),
  };
}

/** Writes the elements of an input where the arena has room for them: `begin` is aligned to them. */
export function writeInput({ datatype, data }: CalledInput, byteSize: number, arena: Uint8Array, begin: number): void {
  if (datatype === 'BYTES') {
    writeValues(data as readonly BytesValue[], arena.subarray(begin, begin + byteSize));
  } else {
    (viewOf(datatype, arena.buffer, begin, byteSize) as { set(from: CalledInput['data']): void }).set(data);
  }
}

/** An input whose elements lie in `buffer`, wholly or in part. */
export function liesIn({ data }: CalledInput, buffer: ArrayBufferLike): boolean {
  if (ArrayBuffer.isView(data)) return data.buffer === buffer;
  return (data as readonly unknown[]).some((element) => ArrayBuffer.isView(element) && element.buffer === buffer);
}

function inputOf(what: string, { name, datatype, shape, data }: CalledInput): CallInput {
  const input = `input '${name}' of ${what}`;
  if (!isDataType(datatype)) throw new TypeError(`${input} has no datatype, but '${datatype}'`);
  if (!Array.isArray(shape) || !shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) {
    throw new TypeError(`${input}: expected a list of whole numbers as its shape`);
  }
  if (typeof (data as { length?: unknown } | undefined)?.length !== 'number' || typeof data === 'string') {
    throw new TypeError(`${input}: expected a typed array or a list as its data`);
  }
  checkElements(input, datatype, elementCount(shape), data);
  return { name: String(name), datatype, shape: [...shape], byteSize: bytesOf(datatype, data) };
}

function bytesOf(datatype: DataType, data: CalledInput['data']): number {
  return datatype === 'BYTES' ? bytesOfValues(data as readonly BytesValue[]) : data.length * elementBytes[datatype];
}

function natural(what: string, name: string, value = 0): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new TypeError(`${what}: expected a whole number as its ${name}, found ${value}`);
}

function parametersOf(what: string, parameters: CallOptions['parameters'] = {}): ReadonlyMap<string, ParameterValue> {
  const entries = Object.entries(parameters);
  for (const [name, value] of entries) {
    const isGood =
      typeof value === 'number' ? Number.isFinite(value) : typeof value !== 'object' && value !== undefined;
    if (!isGood) throw new TypeError(`parameter '${name}' of ${what}: expected a text, a number or a boolean`);
  }
  return new Map(entries.map(([name, value]) => [name, plain(value)]));
}

/** Equal numbers are equal values: there is a bigint only where no number is exact. */
function plain<Value>(value: Value | bigint): Value | bigint | number {
  return typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
