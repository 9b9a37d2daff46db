import { elementBytes, isDataType } from '../types/datatype.js';
import { invalid, ServerError } from '../types/errors.js';
import type { InferHead, InputHead, OutputHead, RegionRange, TensorSource } from '../types/infer.js';
import { type Shape, shapeText } from '../types/tensor.js';
import type { DataRange } from './data-range.js';
import { JsonScanner, textBegin } from './json-scanner.js';
import { shapeMismatch } from './json-tensor.js';
import {
  asBoolean,
  asCount,
  asLong,
  asMembers,
  asString,
  type Members,
  missingMember,
  NO_MEMBERS,
  readParameters,
  typeError,
} from './v2-json-values.js';

/** Bytes of any tensor stay exact in a double, with room for sums. */
export const MOST_ELEMENTS = 2 ** 49;
const MOST_DIMENSIONS = 16;

/**
 * Parses the JSON part of an inference request: bytes `begin` to `end` of the body (fact sheet 1.7). JSON `data` is not read, only
 * found. Throws INVALID_ARGUMENT that names the member; the texts' tails are Triton's, their status is 400 (design, section 6).
 * UNSUPPORTED for shared memory unless `sharedMemory` is true.
 * @param id is told where the id lies, where there is one
 */
export function parseInferHead(
  body: Buffer,
  begin: number,
  end: number,
  sharedMemory = false,
  id: DataRange | null = null,
): InferHead {
  const scanner = new JsonScanner(body, textBegin(body, begin), end);
  const head = new HeadReader(scanner, sharedMemory, id).read();
  if (scanner.peek() !== -1) throw scanner.error('The document root must not be followed by other values.');
  scanner.checkUtf8();
  return head;
}

/** Members of an input as they stand; undefined = not there. */
interface RawInput {
  name: unknown;
  datatype: unknown;
  shape: unknown;
  parameters: Members;
  /** Where the `data` array lies; 0 = nowhere. */
  start: number;
  end: number;
  /** `data` is null: not there, where there is another source. */
  isDataNull: boolean;
}

class HeadReader {
  readonly #scanner: JsonScanner;
  readonly #sharedMemory: boolean;
  readonly #idRange: DataRange | null;
  #id: string | null = null;
  #parameters: Members | null = null;
  #inputs: InputHead[] | null = null;
  #outputs: OutputHead[] | null = null;

  constructor(scanner: JsonScanner, sharedMemory: boolean, idRange: DataRange | null) {
    this.#scanner = scanner;
    this.#sharedMemory = sharedMemory;
    this.#idRange = idRange;
  }

  read(): InferHead {
    const scanner = this.#scanner;
    if (scanner.peek() === -1) throw scanner.error('The document is empty.');
    if (scanner.take(0x7b)) for (let index = 0; scanner.next(index, 0x7d); index++) this.#member(scanner.key());
    else scanner.value();
    if (this.#inputs === null) throw missingMember('inputs');
    const given = readParameters(this.#parameters ?? NO_MEMBERS);
    return {
      id: this.#id ?? '',
      priority: given.priority,
      timeoutUs: given.timeoutUs,
      sequenceId: given.sequenceId,
      sequenceStart: given.sequenceStart,
      sequenceEnd: given.sequenceEnd,
      inputs: this.#inputs,
      outputs: this.#outputs ?? [],
      binaryOutput: given.binaryOutput,
      ...(given.emptyFinal !== undefined && { emptyFinal: given.emptyFinal }),
      ...(given.explain && { explain: true }),
      parameters: given.parameters,
    };
  }

  /** Unknown members are ignored; of doubled ones the first counts. Those that may be left out may be null: MLServer's clients write them. */
  #member(name: string): void {
    const scanner = this.#scanner;
    if (name === 'inputs' && this.#inputs === null) this.#inputs = this.#readInputs();
    else if (name === 'outputs' && this.#outputs === null) this.#outputs = this.#readOutputs();
    else if (name === 'id' && this.#id === null) this.#id = this.#readId();
    else if (name === 'parameters' && this.#parameters === null) this.#parameters = requestParameters(scanner.value());
    else scanner.value();
  }

  #readId(): string | null {
    const scanner = this.#scanner;
    scanner.peek();
    const start = scanner.at;
    const value = scanner.value();
    if (value === null) return null;
    const id = asString(value, 'id');
    if (this.#idRange !== null) {
      this.#idRange.start = start;
      this.#idRange.end = scanner.at;
    }
    return id;
  }

  #readInputs(): InputHead[] {
    const scanner = this.#scanner;
    if (!scanner.take(0x5b)) throw typeError('inputs', 'attempt to access JSON non-array as array');
    const inputs: InputHead[] = [];
    for (let index = 0; scanner.next(index, 0x5d); index++) inputs.push(this.#readInput());
    checkDistinct(inputs, 'input');
    return inputs;
  }

  #readInput(): InputHead {
    const scanner = this.#scanner;
    if (!scanner.take(0x7b)) throw typeError('inputs', 'attempt to access JSON non-object as object');
    const raw: RawInput = {
      name: undefined,
      datatype: undefined,
      shape: undefined,
      parameters: NO_MEMBERS,
      start: 0,
      end: 0,
      isDataNull: false,
    };
    for (let index = 0; scanner.next(index, 0x7d); index++) readInputMember(scanner, scanner.key(), raw);
    const name = asString(raw.name, 'name');
    const datatype = asString(raw.datatype, 'datatype');
    const shape = asShape(raw.shape, name);
    const source = readSource(raw, name);
    if (source.kind === 'json') checkElements(shape, datatype, source.end - source.start);
    if (source.kind === 'shared' && !this.#sharedMemory) throw sharedMemoryRefused(`input '${name}'`);
    return { name, datatype, shape, source };
  }

  #readOutputs(): OutputHead[] | null {
    const value = this.#scanner.value();
    if (value === null) return null;
    if (!Array.isArray(value)) throw typeError('outputs', 'attempt to access JSON non-array as array');
    const outputs = value.map((element) => readOutput(asMembers(element, 'outputs')));
    checkDistinct(outputs, 'output');
    const shared = outputs.find((output) => output.shared !== null);
    if (shared !== undefined && !this.#sharedMemory) throw sharedMemoryRefused(`output '${shared.name}'`);
    return outputs;
  }
}

function requestParameters(value: unknown): Members | null {
  if (value === null || value instanceof Map) return value as Members | null;
  throw typeError('parameters', 'failed to get request params.: attempt to get members for non-object');
}

function readInputMember(scanner: JsonScanner, key: string, raw: RawInput): void {
  if (key === 'data') {
    const first = scanner.peek();
    if (first === 0x6e) {
      raw.isDataNull = scanner.value() === null;
      return;
    }
    if (first !== 0x5b) throw dataIsNoArray();
    const start = scanner.at;
    scanner.skipArray();
    if (raw.end === 0) {
      raw.start = start;
      raw.end = scanner.at;
    }
    return;
  }
  const value = scanner.value();
  if (key === 'name' && raw.name === undefined) raw.name = value;
  else if (key === 'datatype' && raw.datatype === undefined) raw.datatype = value;
  else if (key === 'shape' && raw.shape === undefined) raw.shape = value;
  // Parameters of an input that are no object are ignored (fact sheet 13 item 12).
  else if (key === 'parameters' && raw.parameters === NO_MEMBERS && value instanceof Map) raw.parameters = value;
}

function dataIsNoArray(): ServerError {
  return typeError('data', 'attempt to access JSON non-array as array');
}

function asShape(value: unknown, name: string): Shape {
  if (value === undefined) throw missingMember('shape');
  if (!Array.isArray(value)) throw typeError('shape', 'attempt to access JSON non-array as array');
  let elements = 1;
  for (let i = 0; i < value.length; i++) {
    const dim: unknown = value[i];
    const isCount = typeof dim === 'bigint' ? dim >= 0n : Number.isInteger(dim) && (dim as number) >= 0;
    if (!isCount) throw typeError('shape', 'attempt to access JSON non-unsigned-integer as unsigned-integer');
    elements *= Math.max(1, Number(dim));
  }
  if (value.length > MOST_DIMENSIONS) {
    throw invalid(`invalid shape for input '${name}': ${value.length} dimensions, of at most ${MOST_DIMENSIONS}`);
  }
  if (elements > MOST_ELEMENTS) throw tooManyElements(name, value.map(Number));
  return value as number[];
}

export function tooManyElements(input: string, shape: Shape): ServerError {
  return invalid(
    `invalid shape for input '${input}': shape ${shapeText(shape)} causes total element count to exceed maximum size of ${MOST_ELEMENTS}`,
  );
}

/**
 * A shape that promises more elements than the text can hold (a digit and a comma each) is refused before memory is taken for it.
 * Strings are counted where they are read.
 */
function checkElements(shape: Shape, datatype: string, textBytes: number): void {
  if (!isDataType(datatype) || elementBytes[datatype] === 0) return;
  let elements = 1;
  for (let i = 0; i < shape.length; i++) elements *= shape[i]!;
  if (elements * 2 > textBytes) throw shapeMismatch();
}

function readSource(raw: RawInput, name: string): TensorSource {
  const { parameters } = raw;
  if (raw.end > 0 && parameters.size === 0) return { kind: 'json', start: raw.start, end: raw.end };
  const found: string[] = [];
  if (raw.end > 0) found.push("'data'");
  if (parameters.has('binary_data_size')) found.push("'binary_data_size'");
  if (parameters.has('shared_memory_region')) found.push("'shared_memory_region'");
  if (found.length === 0 && raw.isDataNull) throw dataIsNoArray();
  if (found.length !== 1) {
    throw invalid(
      "Input must set only one of the following fields: 'data', 'binary_data_size' in 'parameters', 'shared_memory_region' in " +
        `'parameters'. But ${found.length === 0 ? 'no field is set' : `set ${found.join(' ')}`} for input '${name}'`,
    );
  }
  if (raw.end > 0) return { kind: 'json', start: raw.start, end: raw.end };
  const shared = readShared(parameters);
  if (shared !== null) return { kind: 'shared', ...shared };
  return { kind: 'binary', byteSize: asCount(parameters.get('binary_data_size'), 'binary_data_size') };
}

/** The shared-memory trio of an input or output (fact sheet 1.6), for which regions beyond 2^53 are all too short; null = it has none. */
function readShared(parameters: Members): RegionRange | null {
  if (!parameters.has('shared_memory_region')) return null;
  const offset = parameters.get('shared_memory_offset');
  if (!parameters.has('shared_memory_byte_size')) throw missingMember('shared_memory_byte_size');
  return {
    region: asString(parameters.get('shared_memory_region'), 'shared_memory_region'),
    byteSize: asLong(parameters.get('shared_memory_byte_size'), 'shared_memory_byte_size'),
    offset: offset === undefined ? 0 : asLong(offset, 'shared_memory_offset'),
  };
}

export function sharedMemoryRefused(tensor: string): ServerError {
  return new ServerError(
    'UNSUPPORTED',
    `shared memory of clients is off, but ${tensor} has 'shared_memory_region': start the server with --allow-client-shm=true, or send the tensor in the request`,
  );
}

function readOutput(members: Members): OutputHead {
  const name = asString(members.get('name'), 'name');
  const parameters = members.get('parameters') ?? null;
  const given = parameters === null ? NO_MEMBERS : asMembers(parameters, 'parameters');
  const shared = readShared(given);
  const classCount = readClassCount(given);
  const binary = given.has('binary_data') && asBoolean(given.get('binary_data'), 'binary_data');
  if (shared !== null && classCount > 0) throw regionAnd('classification');
  // tritonclient says `false`.
  if (shared !== null && binary) throw regionAnd('binary_data');
  return { name, binary, classCount, shared };
}

function readClassCount(parameters: Members): number {
  const value = parameters.get('classification');
  if (value === undefined) return 0;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalid("Unable to set 'classification': attempt to access JSON non-unsigned-integer as unsigned-integer");
}

export function regionAnd(other: string): ServerError {
  return invalid(`Output can't set both 'shared_memory_region' and '${other}'`);
}

/** Few names are compared with each other; many, which only a mischievous client sends, through a set. */
function checkDistinct(tensors: readonly { readonly name: string }[], kind: 'input' | 'output'): void {
  if (tensors.length < 2 || (tensors.length === 2 && tensors[0]!.name !== tensors[1]!.name)) return;
  const names = new Set<string>();
  for (const { name } of tensors) {
    if (names.has(name)) throw invalid(`${kind} '${name}' already exists in request`);
    names.add(name);
  }
}
