import { invalid, ServerError } from '../types/errors.js';

const MAX_INT64 = 2n ** 63n - 1n;

/**
 * Why a version was not found: a ServerError with Triton's text (fact sheet 0.3, 13.2 items 7 to 10).
 * @param version as the client wrote it; '' = the latest
 * @param known versions that the server knows a state of; none = the model was never loaded, or is unknown
 */
export function notFound(name: string, version: string, known: readonly number[]): ServerError {
  const number = version === '' ? 0n : parseVersion(version);
  if (known.length === 0) return unknown('NOT_FOUND', `'${name}' is not found`);
  if (version === '') return unknown('NOT_FOUND', `'${name}' has no available versions`);
  if (!known.some((candidate) => BigInt(candidate) === number)) {
    return unknown('NOT_FOUND', `'${name}' version ${number} is not found`);
  }
  return unknown('UNAVAILABLE', `'${name}' version ${number} is not at ready state`);
}

function unknown(code: 'NOT_FOUND' | 'UNAVAILABLE', what: string): ServerError {
  return new ServerError(code, `Request for unknown model: ${what}`);
}

/** A version as a client writes it. Throws INVALID_ARGUMENT for what is no number, beyond int64 (Triton: `stol`) or negative. */
export function parseVersion(text: string): bigint {
  const number = /^-?[0-9]+$/.test(text) ? BigInt(text) : null;
  if (number === null || number > MAX_INT64 || number < -MAX_INT64 - 1n) {
    throw invalid(
      `failed to get model version from specified version string '${text}' (details: stol), version should be an integral value > 0`,
    );
  }
  if (number >= 0n) return number;
  throw invalid(`invalid model version specified '${text}' , version should be an integral value > 0`);
}
