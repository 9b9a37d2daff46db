import { EXPLAIN } from '../core/explanation.js';
import { invalid, ServerError } from '../types/errors.js';
import type { InferHead, ParameterValue } from '../types/infer.js';

/** The members of a JSON object, of doubled ones the first. */
export type Members = ReadonlyMap<string, unknown>;
export const NO_MEMBERS: Members = new Map();

/** Longer string correlation ids are refused (fact sheet 1.11); bytes of UTF-8. */
const LONGEST_SEQUENCE_ID = 128;
const LARGEST_SEQUENCE_ID = 2n ** 64n - 1n;

type HeadParameters = Pick<
  InferHead,
  | 'priority'
  | 'timeoutUs'
  | 'sequenceId'
  | 'sequenceStart'
  | 'sequenceEnd'
  | 'binaryOutput'
  | 'emptyFinal'
  | 'explain'
  | 'parameters'
>;

export const NO_PARAMETERS: HeadParameters = {
  priority: 0,
  timeoutUs: 0,
  sequenceId: 0,
  sequenceStart: false,
  sequenceEnd: false,
  binaryOutput: false,
  parameters: new Map(),
};

/** Wrong types of members are INVALID_ARGUMENT with Triton's tails behind the member's name (fact sheet 1.7; design, section 6). */
export function typeError(member: string, what: string): ServerError {
  return invalid(`Unable to parse '${member}': ${what}`);
}

export function missingMember(member: string): ServerError {
  return typeError(member, `attempt to access non-existing object member '${member}'`);
}

/**
 * The reserved keys have meanings, `triton_` is refused but for the one that WebSocket has from gRPC, the rest is the backend's (fact sheet
 * 1.11).
 */
export function readParameters(members: Members): HeadParameters {
  if (members.size === 0) return NO_PARAMETERS;
  const custom = new Map<string, ParameterValue>();
  const head = { ...NO_PARAMETERS, parameters: custom };
  for (const [key, value] of members) {
    if (key === 'priority') head.priority = asLong(value, key);
    else if (key === 'timeout') head.timeoutUs = asLong(value, key);
    else if (key === 'sequence_id') head.sequenceId = asSequenceId(value);
    else if (key === 'sequence_start') head.sequenceStart = asBoolean(value, key);
    else if (key === 'sequence_end') head.sequenceEnd = asBoolean(value, key);
    else if (key === 'binary_data_output') head.binaryOutput = asBoolean(value, key);
    else if (key === 'triton_enable_empty_final_response') head.emptyFinal = asBoolean(value, key);
    else if (key === EXPLAIN) head.explain = asBoolean(value, key);
    else custom.set(key, asParameter(value, key));
  }
  return head;
}

/** A parameter of Triton's own, where it has no meaning. */
export function reservedParameter(): ServerError {
  return invalid("parameter keys starting with 'triton_' are reserved for Triton usage and should not be specified.");
}

function asParameter(value: unknown, key: string): ParameterValue {
  if (key.startsWith('triton_')) throw reservedParameter();
  return customParameter(value, key);
}

/** A value that is handed to the backend (fact sheet 1.11). @param where in front of the text of a refusal */
export function customParameter(value: unknown, key: string, where = ''): ParameterValue {
  if (
    typeof value === 'string' ||
    typeof value === 'number' ||
    typeof value === 'bigint' ||
    typeof value === 'boolean'
  ) {
    return value;
  }
  throw invalid(`${where}parameter '${key}' has invalid type. It should be either 'int', 'bool', or 'string'.`);
}

function asSequenceId(value: unknown): InferHead['sequenceId'] {
  if (typeof value === 'string') {
    if (Buffer.byteLength(value) <= LONGEST_SEQUENCE_ID) return value;
    throw new ServerError(
      'UNSUPPORTED',
      `string correlation ID cannot be longer than ${LONGEST_SEQUENCE_ID} characters`,
    );
  }
  if (typeof value === 'bigint' && value >= 0n && value <= LARGEST_SEQUENCE_ID) return value;
  return asCount(value, 'sequence_id');
}

export function asString(value: unknown, member: string): string {
  if (typeof value === 'string') return value;
  if (value === undefined) throw missingMember(member);
  throw typeError(member, 'attempt to access JSON non-string as string');
}

export function asBoolean(value: unknown, member: string): boolean {
  if (typeof value === 'boolean') return value;
  throw typeError(member, 'attempt to access JSON non-boolean as boolean');
}

/** A whole number from 0 to 2^53. */
export function asCount(value: unknown, member: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value + 0;
  throw typeError(member, 'attempt to access JSON non-unsigned-integer as unsigned-integer');
}

/** A whole number of 64 bits; beyond 2^53 the differences between them mean nothing here. */
export function asLong(value: unknown, member: string): number {
  if (typeof value === 'bigint' && value >= 0n) return Number.MAX_SAFE_INTEGER;
  return asCount(value, member);
}

export function asMembers(value: unknown, member: string): Members {
  if (value instanceof Map) return value as Members;
  throw typeError(member, 'attempt to get members for non-object');
}
