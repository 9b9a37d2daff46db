import { type ErrorCode, ServerError } from '../types/errors.js';

/** The codes of `RequestStatus` (v1 fact sheet 2.3). Our own bounds are UNAVAILABLE, so that clients may try again. */
export const v1Codes: Readonly<Record<ErrorCode, string>> = {
  UNKNOWN: 'UNKNOWN',
  INTERNAL: 'INTERNAL',
  NOT_FOUND: 'NOT_FOUND',
  INVALID_ARGUMENT: 'INVALID_ARG',
  UNAVAILABLE: 'UNAVAILABLE',
  UNSUPPORTED: 'UNSUPPORTED',
  ALREADY_EXISTS: 'ALREADY_EXISTS',
  CANCELLED: 'UNKNOWN',
  RESOURCE_EXHAUSTED: 'UNAVAILABLE',
  PAYLOAD_TOO_LARGE: 'INVALID_ARG',
};

/** What the core's messages begin with, or an ensemble's have in them: V1 has the id in its answers. */
const requestTag = /\[request id: (?:\d+|<id_unknown>)\] /g;

/** What a failure repeats of its request may be long, and clients drop a response whose headers have lines of more than 100 KiB. */
const LONGEST_TEXT = 4096;

/** The text of a failure, as clients of V1 know it. */
export function v1Text(error: ServerError): string {
  const text = error.message.replaceAll(requestTag, '').trimEnd();
  return text.length <= LONGEST_TEXT ? text : `${text.slice(0, LONGEST_TEXT)}...`;
}

/** What the model repository says begins as in V2 (fact sheet there, 1.4); clients of V1 match `failed to load` (V1's appendix B). */
export function v1LoadText(model: string, message: string): string {
  return message
    .replace(`load failed for model '${model}'`, () => `failed to load '${model}'`)
    .replace(', failed to poll from model repository:', ':')
    .replace(', failed to poll from model repository', ', no version is available');
}

/** Whatever fails is this to a client of V1. */
export function v1Unavailable(message: string): ServerError {
  return new ServerError('UNAVAILABLE', message);
}
