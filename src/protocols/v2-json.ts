import { isDataType } from '../types/datatype.js';
import { invalid, ServerError } from '../types/errors.js';
import type { InferHead, InputHead, OutputHead, ParameterValue, TensorSource } from '../types/infer.js';
import { shapeText } from '../types/tensor.js';
import { JsonScanner } from './json-scanner.js';

/** Longer string correlation ids are refused (fact sheet 1.11). */
const LONGEST_SEQUENCE_ID = 128;

type Members = Map<string, unknown>;
const NO_MEMBERS: Members = new Map();

/**
 * Parses the JSON part of an inference request: bytes `begin` to `end` of the body (fact sheet 1.7). JSON `data` is not read, only
 * found. Throws INVALID_ARGUMENT that names the member; the texts' tails are Triton's, their status is 400 (design, section 6).
 */
export function parseInferHead(body: Buffer, begin: number, end: number): InferHead {
  const hasMark = body[begin] === 0xef && body[begin + 1] === 0xbb && body[begin + 2] === 0xbf;
  const scanner = new JsonScanner(body, hasMark ? begin + 3 : begin, end);
  const parts = readBody(scanner);
  if (scanner.peek() !== -1) throw scanner.error('The document root must not be followed by other values.');
  if (parts.inputs === null) throw typeError('inputs', "attempt to access non-existing object member 'inputs'");
  return { ...readParameters(parts.parameters), id: parts.id, inputs: parts.inputs, outputs: parts.outputs ?? [] };
}

interface BodyParts {
  id: string;
  parameters: Members;
  inputs: InputHead[] | null;
  outputs: OutputHead[] | null;
}

function readBody(scanner: JsonScanner): BodyParts {
  if (scanner.peek() === -1) throw scanner.error('The document is empty.');
  if (!scanner.take(0x7b)) {
    scanner.value();
    throw typeError('inputs', "attempt to access non-existing object member 'inputs'");
  }
  const parts: BodyParts = { id: '', parameters: NO_MEMBERS, inputs: null, outputs: null };
  const seen = new Set<string>();
  for (let index = 0; scanner.next(index, 0x7d); index++) {
    const name = scanner.key();
    // A doubled member: the first one counts.
    if (seen.has(name)) scanner.value();
    else readMember(scanner, name, parts);
    seen.add(name);
  }
  return parts;
}

function readMember(scanner: JsonScanner, name: string, parts: BodyParts): void {
  if (name === 'inputs') parts.inputs = readInputs(scanner);
  else if (name === 'outputs') parts.outputs = readOutputs(scanner);
  else if (name === 'id') parts.id = asString(scanner.value(), 'id');
  else if (name === 'parameters') parts.parameters = asMembers(scanner.value(), 'parameters');
  else scanner.value();
}

function readInputs(scanner: JsonScanner): InputHead[] {
  if (!scanner.take(0x5b)) throw typeError('inputs', 'attempt to access JSON non-array as array');
  const inputs: InputHead[] = [];
  for (let index = 0; scanner.next(index, 0x5d); index++) {
    const input = readInput(scanner);
    if (inputs.some((other) => other.name === input.name)) {
      throw invalid(`input '${input.name}' already exists in request`);
    }
    inputs.push(input);
  }
  return inputs;
}

interface RawInput {
  name: unknown;
  datatype: unknown;
  shape: unknown;
  parameters: unknown;
  /** Where the `data` array lies. */
  data: { start: number; end: number } | null;
}

function readInput(scanner: JsonScanner): InputHead {
  const raw: RawInput = { name: undefined, datatype: undefined, shape: undefined, parameters: undefined, data: null };
  if (!scanner.take(0x7b)) throw typeError('inputs', 'attempt to access JSON non-object as object');
  for (let index = 0; scanner.next(index, 0x7d); index++) readInputMember(scanner, scanner.key(), raw);
  const name = asString(raw.name, 'name');
  return {
    name,
    datatype: asString(raw.datatype, 'datatype'),
    shape: asShape(raw.shape, name, raw.datatype),
    source: readSource(raw, name),
  };
}

function readInputMember(scanner: JsonScanner, key: string, raw: RawInput): void {
  if (key === 'data') {
    const range = readData(scanner);
    raw.data ??= range;
    return;
  }
  const value = scanner.value();
  if ((key === 'name' || key === 'datatype' || key === 'shape' || key === 'parameters') && raw[key] === undefined) {
    raw[key] = value;
  }
}

function readData(scanner: JsonScanner): { start: number; end: number } {
  if (scanner.peek() !== 0x5b) throw typeError('data', 'attempt to access JSON non-array as array');
  const start = scanner.at;
  scanner.skipNested();
  return { start, end: scanner.at };
}

function asShape(value: unknown, name: string, datatype: unknown): readonly number[] {
  if (value === undefined) throw typeError('shape', "attempt to access non-existing object member 'shape'");
  if (!Array.isArray(value)) throw typeError('shape', 'attempt to access JSON non-array as array');
  for (const dim of value) {
    const isCount = (typeof dim === 'number' && Number.isInteger(dim) && dim >= 0) || (typeof dim === 'bigint' && dim >= 0n);
    if (!isCount) throw typeError('shape', 'attempt to access JSON non-unsigned-integer as unsigned-integer');
  }
  const shape = value.map(Number);
  let bytes = typeof datatype === 'string' && isDataType(datatype) ? 8 : 1;
  for (const dim of shape) bytes *= Math.max(1, dim);
  if (!Number.isSafeInteger(bytes) || shape.length > 16) {
    throw invalid(
      `invalid shape for input '${name}': shape ${shapeText(shape)} causes total element count to exceed maximum size of ${2 ** 50}`,
    );
  }
  return shape;
}

function readSource(raw: RawInput, name: string): TensorSource {
  const parameters = raw.parameters instanceof Map ? (raw.parameters as Members) : NO_MEMBERS;
  const found = [
    ...(raw.data === null ? [] : ["'data'"]),
    ...(parameters.has('binary_data_size') ? ["'binary_data_size'"] : []),
    ...(parameters.has('shared_memory_region') ? ["'shared_memory_region'"] : []),
  ];
  if (found.length !== 1) {
    throw invalid(
      "Input must set only one of the following fields: 'data', 'binary_data_size' in 'parameters', 'shared_memory_region' in " +
        `'parameters'. But ${found.length === 0 ? 'no field is set' : `set ${found.join(' ')}`}${name === '' ? '' : ` for input '${name}'`}`,
    );
  }
  if (raw.data !== null) return { kind: 'json', ...raw.data };
  if (parameters.has('shared_memory_region')) throw sharedMemoryRefused();
  return { kind: 'binary', byteSize: asCount(parameters.get('binary_data_size'), 'binary_data_size') };
}

function sharedMemoryRefused(): ServerError {
  return new ServerError('UNSUPPORTED', 'Client shared memory is disabled. Send the tensors in the request instead.');
}

function readOutputs(scanner: JsonScanner): OutputHead[] {
  const value = scanner.value();
  if (!Array.isArray(value)) throw typeError('outputs', 'attempt to access JSON non-array as array');
  const outputs: OutputHead[] = [];
  for (const element of value) {
    const output = readOutput(asMembers(element, 'outputs'));
    if (outputs.some((other) => other.name === output.name)) {
      throw invalid(`output '${output.name}' already exists in request`);
    }
    outputs.push(output);
  }
  return outputs;
}

function readOutput(members: Members): OutputHead {
  const name = asString(members.get('name'), 'name');
  const parameters = members.get('parameters');
  const given = parameters === undefined ? NO_MEMBERS : asMembers(parameters, 'parameters');
  const classes = given.get('classification');
  if (given.has('shared_memory_region')) throw sharedMemoryRefused();
  return {
    name,
    binary: given.has('binary_data') ? asBoolean(given.get('binary_data'), 'binary_data') : false,
    classCount: classes === undefined ? 0 : asCount(classes, 'classification'),
    shared: null,
  };
}

type HeadParameters = Omit<InferHead, 'id' | 'inputs' | 'outputs'>;

const NO_PARAMETERS: HeadParameters = {
  priority: 0,
  timeoutUs: 0,
  sequenceId: 0,
  sequenceStart: false,
  sequenceEnd: false,
  binaryOutput: false,
  parameters: new Map(),
};

/** The reserved keys have meanings, `triton_` is refused, the rest is the backend's (fact sheet 1.11). */
function readParameters(members: Members): HeadParameters {
  if (members.size === 0) return NO_PARAMETERS;
  const custom = new Map<string, ParameterValue>();
  const head = { ...NO_PARAMETERS, parameters: custom };
  for (const [key, value] of members) {
    if (key === 'priority') head.priority = asCount(value, key);
    else if (key === 'timeout') head.timeoutUs = asCount(value, key);
    else if (key === 'sequence_id') head.sequenceId = asSequenceId(value);
    else if (key === 'sequence_start') head.sequenceStart = asBoolean(value, key);
    else if (key === 'sequence_end') head.sequenceEnd = asBoolean(value, key);
    else if (key === 'binary_data_output') head.binaryOutput = asBoolean(value, key);
    else custom.set(key, asParameter(value, key));
  }
  return head;
}

function asParameter(value: unknown, key: string): ParameterValue {
  if (key.startsWith('triton_')) {
    throw invalid("parameter keys starting with 'triton_' are reserved for Triton usage and should not be specified.");
  }
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') {
    return value;
  }
  throw invalid(`parameter '${key}' has invalid type. It should be either 'int', 'bool', or 'string'.`);
}

function asSequenceId(value: unknown): InferHead['sequenceId'] {
  if (typeof value === 'string') {
    if (value.length <= LONGEST_SEQUENCE_ID) return value;
    throw new ServerError(
      'UNSUPPORTED',
      `string correlation ID cannot be longer than ${LONGEST_SEQUENCE_ID} characters`,
    );
  }
  if (typeof value === 'bigint' && value >= 0n && value < 2n ** 64n) return value;
  return asCount(value, 'sequence_id');
}

function asString(value: unknown, member: string): string {
  if (typeof value === 'string') return value;
  const what = value === undefined ? `attempt to access non-existing object member '${member}'` : undefined;
  throw typeError(member, what ?? 'attempt to access JSON non-string as string');
}

function asBoolean(value: unknown, member: string): boolean {
  if (typeof value === 'boolean') return value;
  throw typeError(member, 'attempt to access JSON non-boolean as boolean');
}

/** A whole number from 0 to 2^53. */
function asCount(value: unknown, member: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw typeError(member, 'attempt to access JSON non-unsigned-integer as unsigned-integer');
}

function asMembers(value: unknown, member: string): Members {
  if (value instanceof Map) return value as Members;
  throw typeError(member, 'attempt to get members for non-object');
}

function typeError(member: string, what: string): ServerError {
  return invalid(`Unable to parse '${member}': ${what}`);
}
