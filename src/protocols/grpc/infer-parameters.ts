import { EXPLAIN } from '../../core/explanation.js';
import { invalid, ServerError } from '../../types/errors.js';
import type { InferHead, ParameterValue, RegionRange } from '../../types/infer.js';
import type { ParameterKind, WireParameter, WireParameters } from './infer-message.js';

/** Longer string correlation ids are refused (fact sheet 1.11); bytes of UTF-8. */
const LONGEST_SEQUENCE_ID = 128;
/** Of a tensor: the region that it lies in. */
export const REGION = 'shared_memory_region';
const EMPTY_FINAL_RESPONSE = 'triton_enable_empty_final_response';

/** Of the accepted kinds, as messages name them. */
const kindNames: Readonly<Record<ParameterKind, string>> = {
  none: '',
  bool: 'bool_param',
  int64: 'int64_param',
  string: 'string_param',
  double: 'double_param',
  uint64: 'uint64_param',
};

interface GivenParameters {
  priority: number;
  timeoutUs: number;
  sequenceId: InferHead['sequenceId'];
  sequenceStart: boolean;
  sequenceEnd: boolean;
  emptyFinal: boolean;
  explain: boolean;
  readonly parameters: Map<string, ParameterValue>;
}

/** The reserved keys have meanings, `triton_` is refused, the rest is the backend's (fact sheet 3.4). Throws INVALID_ARGUMENT. */
export function readRequestParameters(wire: WireParameters): GivenParameters {
  const given: GivenParameters = {
    priority: 0,
    timeoutUs: 0,
    sequenceId: 0,
    sequenceStart: false,
    sequenceEnd: false,
    emptyFinal: false,
    explain: false,
    parameters: new Map(),
  };
  for (const [key, parameter] of wire) readRequestParameter(given, key, parameter);
  return given;
}

function readRequestParameter(given: GivenParameters, key: string, parameter: WireParameter): void {
  if (key === 'sequence_id') given.sequenceId = readSequenceId(parameter);
  else if (key === 'sequence_start') given.sequenceStart = readBool(key, parameter);
  else if (key === 'sequence_end') given.sequenceEnd = readBool(key, parameter);
  else if (key === 'priority') given.priority = readCount(key, parameter, ['int64', 'uint64']);
  else if (key === 'timeout') given.timeoutUs = readCount(key, parameter, ['int64']);
  else if (key === EMPTY_FINAL_RESPONSE) given.emptyFinal = readBool(key, parameter);
  else if (key === EXPLAIN) given.explain = readBool(key, parameter);
  else given.parameters.set(key, readCustom(key, parameter));
}

function readSequenceId({ kind, value }: WireParameter): InferHead['sequenceId'] {
  if (kind === 'string') {
    const text = value as string;
    if (Buffer.byteLength(text) <= LONGEST_SEQUENCE_ID) return text;
    throw new ServerError(
      'UNSUPPORTED',
      `string correlation ID cannot be longer than ${LONGEST_SEQUENCE_ID} characters`,
    );
  }
  if (kind !== 'int64') throw wrongType('sequence_id', 'int64_param or string_param');
  // A negative one wraps (fact sheet 13 item 22).
  const id = value as number | bigint;
  return id < 0 ? BigInt.asUintN(64, BigInt(id)) : id;
}

function readBool(key: string, { kind, value }: WireParameter): boolean {
  if (kind === 'bool') return value as boolean;
  throw wrongType(key, 'bool_param');
}

/** Beyond 2^53 the differences mean nothing here. */
function readCount(key: string, { kind, value }: WireParameter, accepted: readonly ParameterKind[]): number {
  if (!accepted.includes(kind)) throw wrongType(key, accepted.map((name) => kindNames[name]).join(' or '));
  const count = value as number | bigint;
  if (count < 0) throw invalid(`invalid value for '${key}', expected value >= 0.`);
  return Math.min(Number.MAX_SAFE_INTEGER, Number(count));
}

function readCustom(key: string, { kind, value }: WireParameter): ParameterValue {
  if (key.startsWith('triton_')) {
    throw invalid(
      `parameter keys starting with 'triton_' are reserved for Triton usage. Only the following keys starting with 'triton_' are allowed: ${EMPTY_FINAL_RESPONSE}`,
    );
  }
  if (kind === 'none' || kind === 'uint64') throw wrongType(key, 'int64_param, bool_param, or string_param');
  return value;
}

function wrongType(key: string, expected: string): ServerError {
  return invalid(`invalid value type for '${key}' parameter, expected ${expected}.`);
}

/** `classification` of a requested output: k > 0, or 0 where it is not there (fact sheet 2.3). */
export function readClassCount(parameters: WireParameters): number {
  const parameter = parameters.get('classification');
  if (parameter === undefined) return 0;
  if (parameter.kind !== 'int64') {
    throw invalid("invalid value type for 'classification' parameter, expected int64_param");
  }
  const count = Number(parameter.value);
  if (count > 0) return Math.min(count, Number.MAX_SAFE_INTEGER);
  throw invalid("invalid value for 'classification' parameter, expected >= 0");
}

/** Where a tensor lies in shared memory of its client (fact sheet 3.5); null = it does not. */
export function readRegionRange(tensor: string, parameters: WireParameters): RegionRange | null {
  const region = parameters.get(REGION);
  if (region === undefined) return null;
  if (region.kind !== 'string') throw wrongTypeFor(REGION, tensor, 'string_param');
  const byteSize = readBytes('shared_memory_byte_size', tensor, parameters);
  if (byteSize === null) {
    throw invalid(
      `'shared_memory_byte_size' must be specified along with 'shared_memory_region' parameter for tensor '${tensor}'`,
    );
  }
  const offset = readBytes('shared_memory_offset', tensor, parameters) ?? 0;
  return { region: region.value as string, byteSize, offset };
}

/** Beyond 2^53 a neighbour will do: no region is so large. */
function readBytes(key: string, tensor: string, parameters: WireParameters): number | null {
  const parameter = parameters.get(key);
  if (parameter === undefined) return null;
  if (parameter.kind !== 'int64') throw wrongTypeFor(key, tensor, 'int64_param');
  const bytes = parameter.value as number | bigint;
  if (bytes < 0) throw invalid(`invalid value for '${key}' parameter for tensor '${tensor}', expected value >= 0.`);
  return Math.min(Number.MAX_SAFE_INTEGER, Number(bytes));
}

function wrongTypeFor(key: string, tensor: string, expected: string): ServerError {
  return invalid(`invalid value type for '${key}' parameter for tensor '${tensor}', expected ${expected}.`);
}
