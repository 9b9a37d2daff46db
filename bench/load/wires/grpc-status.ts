import { errorName } from '../../../src/transport/http2/wire.js';
import type { AnswerFields } from './http2/answer-fields.js';
import type { Failure } from './wire.js';

/** By number: https://grpc.io/docs/guides/status-codes/. */
const names = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

/** What a status of HTTP means to a call: doc/http-grpc-status-mapping.md of gRPC. */
const namesByHttpStatus: Readonly<Record<number, string>> = {
  400: 'INTERNAL',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'UNIMPLEMENTED',
  429: 'UNAVAILABLE',
  502: 'UNAVAILABLE',
  503: 'UNAVAILABLE',
  504: 'UNAVAILABLE',
};

/** And a stream that the server gave up: doc/PROTOCOL-HTTP2.md, "Errors". */
const namesByReset: Readonly<Record<string, string>> = {
  REFUSED_STREAM: 'UNAVAILABLE',
  CANCEL: 'CANCELLED',
  ENHANCE_YOUR_CALM: 'RESOURCE_EXHAUSTED',
  INADEQUATE_SECURITY: 'PERMISSION_DENIED',
};

export function grpcFailure(name: string, message: string): Failure {
  return { kind: `gRPC ${name}`, message };
}

/** Of a call that is over. @param trailers null = it ended without; null = all is well */
export function failureOfCall(httpStatus: number, trailers: AnswerFields | null): Failure | null {
  const status = trailers?.grpcStatus ?? -1;
  if (status === 0) return null;
  if (status > 0) return grpcFailure(names[status] ?? String(status), decodeMessage(trailers!.grpcMessage));
  if (httpStatus === 200) return grpcFailure('INTERNAL', 'the answer has no grpc-status');
  return grpcFailure(namesByHttpStatus[httpStatus] ?? 'UNKNOWN', `the answer has the status ${httpStatus} of HTTP`);
}

export function failureOfReset(code: number): Failure {
  const name = errorName(code);
  return grpcFailure(namesByReset[name] ?? 'INTERNAL', `the server reset the stream: ${name}`);
}

/** doc/PROTOCOL-HTTP2.md: percent-encoded UTF-8; what is not is taken as it stands. */
function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
