import { invalid } from '../../types/errors.js';
import type { ParameterValue } from '../../types/infer.js';
import { FIXED64, LENGTH_DELIMITED, malformed, VARINT, WireReader } from './wire.js';

/** Inputs, outputs, parameters or raw entries of one message: each costs more memory than the two bytes it may have on the wire. */
const MOST_ELEMENTS = 4096;
/** As in JSON: the shapes of tensors have 16 dimensions at most. */
const MOST_DIMENSIONS = 16;

const MODEL_NAME = (1 << 3) | LENGTH_DELIMITED;
const MODEL_VERSION = (2 << 3) | LENGTH_DELIMITED;
export const ID = (3 << 3) | LENGTH_DELIMITED;
const PARAMETERS = (4 << 3) | LENGTH_DELIMITED;
const INPUTS = (5 << 3) | LENGTH_DELIMITED;
const OUTPUTS = (6 << 3) | LENGTH_DELIMITED;
export const RAW_INPUT_CONTENTS = (7 << 3) | LENGTH_DELIMITED;

/** Which member of the oneof is set; of several the last. */
export type ParameterKind = 'none' | 'bool' | 'int64' | 'string' | 'double' | 'uint64';

export interface WireParameter {
  readonly kind: ParameterKind;
  readonly value: ParameterValue;
}

export type WireParameters = ReadonlyMap<string, WireParameter>;

/** Bytes `begin` to `end` of the message. */
export interface WireRange {
  readonly begin: number;
  readonly end: number;
}

export interface WireInput {
  name: string;
  datatype: string;
  readonly shape: number[];
  parameters: WireParameters;
  /** `contents` as it came, normally at once: to be read as if it were one; empty = it is not there. */
  readonly contents: WireRange[];
}

export interface WireOutput {
  name: string;
  parameters: WireParameters;
}

/** A ModelInferRequest as it stands on the wire (fact sheet 3.2), its tensors as ranges of the message. */
export interface WireInferRequest {
  modelName: string;
  modelVersion: string;
  id: string;
  parameters: WireParameters;
  readonly inputs: WireInput[];
  readonly outputs: WireOutput[];
  readonly raw: WireRange[];
  /** Where the field `id` lies, its tag included; where it would lie if there is none: an empty range. */
  idField: WireRange;
  /** Where the first raw entry's tag lies, or the end. */
  rawBegin: number;
  /** At most one id, before the raw entries, behind which comes nothing: only then can the message be known again by its bytes. */
  isOrdered: boolean;
}

const NO_PARAMETERS: WireParameters = new Map();

/** Reads a whole message, or one without its raw entries. Unknown fields are skipped. Throws INVALID_ARGUMENT for what is no message. */
export function parseInferRequest(bytes: Buffer, begin: number, end: number): WireInferRequest {
  const request: WireInferRequest = {
    modelName: '',
    modelVersion: '',
    id: '',
    parameters: NO_PARAMETERS,
    inputs: [],
    outputs: [],
    raw: [],
    idField: { begin: -1, end: -1 },
    rawBegin: -1,
    isOrdered: true,
  };
  const reader = new WireReader(bytes, begin, end);
  while (!reader.isDone) readField(reader, request);
  if (request.raw.length > 0) request.inputs.forEach(dropEmptyContents);
  if (request.rawBegin < 0) request.rawBegin = end;
  if (request.idField.begin < 0) request.idField = { begin: request.rawBegin, end: request.rawBegin };
  return request;
}

function readField(reader: WireReader, request: WireInferRequest): void {
  const begin = reader.at;
  const tag = reader.tag();
  if (tag === RAW_INPUT_CONTENTS) {
    if (request.rawBegin < 0) request.rawBegin = begin;
    bounded(request.raw, 'raw_input_contents').push(readRange(reader));
    return;
  }
  if (request.rawBegin >= 0) request.isOrdered = false;
  if (tag === MODEL_NAME) request.modelName = reader.string();
  else if (tag === MODEL_VERSION) request.modelVersion = reader.string();
  else if (tag === ID) readId(reader, request, begin);
  else if (tag === PARAMETERS) request.parameters = readEntry(reader, request.parameters);
  else if (tag === INPUTS) bounded(request.inputs, 'inputs').push(readInput(reader));
  else if (tag === OUTPUTS) bounded(request.outputs, 'outputs').push(readOutput(reader));
  else reader.skip(tag & 7);
}

/** Beside raw entries `contents` without an element says nothing: MLServer's converter leaves it there. */
function dropEmptyContents({ contents }: WireInput): void {
  if (contents.every(({ begin, end }) => begin === end)) contents.length = 0;
}

function readId(reader: WireReader, request: WireInferRequest, begin: number): void {
  request.id = reader.string();
  if (request.idField.begin >= 0) request.isOrdered = false;
  request.idField = { begin, end: reader.at };
}

function bounded<T>(list: T[], what: string): T[] {
  if (list.length < MOST_ELEMENTS) return list;
  throw invalid(`a request may have ${MOST_ELEMENTS} ${what} at most`);
}

function readRange(reader: WireReader): WireRange {
  const length = reader.length();
  const begin = reader.at;
  reader.at += length;
  return { begin, end: reader.at };
}

/** A reader of the message that is the next field's value; `reader` stands behind it. */
function nested(reader: WireReader): WireReader {
  const { begin, end } = readRange(reader);
  return new WireReader(reader.bytes, begin, end);
}

function readInput(outer: WireReader): WireInput {
  const reader = nested(outer);
  const input: WireInput = { name: '', datatype: '', shape: [], parameters: NO_PARAMETERS, contents: [] };
  while (!reader.isDone) {
    const tag = reader.tag();
    if (tag === ((1 << 3) | LENGTH_DELIMITED)) input.name = reader.string();
    else if (tag === ((2 << 3) | LENGTH_DELIMITED)) input.datatype = reader.string();
    else if (tag === ((3 << 3) | LENGTH_DELIMITED)) readDims(nested(reader), input.shape);
    else if (tag === ((3 << 3) | VARINT)) input.shape.push(readDim(reader, input.shape));
    else if (tag === ((4 << 3) | LENGTH_DELIMITED)) input.parameters = readEntry(reader, input.parameters);
    else if (tag === ((5 << 3) | LENGTH_DELIMITED))
      bounded(input.contents, 'contents of an input').push(readRange(reader));
    else reader.skip(tag & 7);
  }
  return input;
}

function readDims(reader: WireReader, shape: number[]): void {
  while (!reader.isDone) shape.push(readDim(reader, shape));
}

/** Beyond 2^53 a neighbour will do: no tensor is so large. */
function readDim(reader: WireReader, shape: readonly number[]): number {
  if (shape.length < MOST_DIMENSIONS) return Number(reader.int64());
  throw invalid(`the shape of an input may have ${MOST_DIMENSIONS} dimensions at most`);
}

function readOutput(outer: WireReader): WireOutput {
  const reader = nested(outer);
  const output: WireOutput = { name: '', parameters: NO_PARAMETERS };
  while (!reader.isDone) {
    const tag = reader.tag();
    if (tag === ((1 << 3) | LENGTH_DELIMITED)) output.name = reader.string();
    else if (tag === ((2 << 3) | LENGTH_DELIMITED)) output.parameters = readEntry(reader, output.parameters);
    else reader.skip(tag & 7);
  }
  return output;
}

/** An entry of a map: a message of key (1) and value (2). Of two with one key the later counts. */
function readEntry(outer: WireReader, known: WireParameters): WireParameters {
  const reader = nested(outer);
  let key = '';
  let value: WireParameter = { kind: 'none', value: 0 };
  while (!reader.isDone) {
    const tag = reader.tag();
    if (tag === ((1 << 3) | LENGTH_DELIMITED)) key = reader.string();
    else if (tag === ((2 << 3) | LENGTH_DELIMITED)) value = readParameter(nested(reader), value);
    else reader.skip(tag & 7);
  }
  const entries = known === NO_PARAMETERS ? new Map<string, WireParameter>() : (known as Map<string, WireParameter>);
  if (entries.size >= MOST_ELEMENTS) throw malformed(`it has more than ${MOST_ELEMENTS} parameters`);
  return entries.set(key, value);
}

function readParameter(reader: WireReader, before: WireParameter): WireParameter {
  let parameter = before;
  while (!reader.isDone) {
    const tag = reader.tag();
    if (tag === ((1 << 3) | VARINT)) parameter = { kind: 'bool', value: reader.bool() };
    else if (tag === ((2 << 3) | VARINT)) parameter = { kind: 'int64', value: reader.int64() };
    else if (tag === ((3 << 3) | LENGTH_DELIMITED)) parameter = { kind: 'string', value: reader.string() };
    else if (tag === ((4 << 3) | FIXED64)) parameter = { kind: 'double', value: reader.double() };
    else if (tag === ((5 << 3) | VARINT)) parameter = { kind: 'uint64', value: reader.uint64() };
    else reader.skip(tag & 7);
  }
  return parameter;
}
