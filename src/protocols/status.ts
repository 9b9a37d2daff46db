import type { ErrorCode } from '../types/errors.js';

/** The one place where a failure gets its number (fact sheet 0.1; 413 and 429 are our own, design section 5). */
export const httpStatus: Readonly<Record<ErrorCode, number>> = {
  UNKNOWN: 400,
  INTERNAL: 500,
  NOT_FOUND: 404,
  INVALID_ARGUMENT: 400,
  UNAVAILABLE: 503,
  UNSUPPORTED: 501,
  ALREADY_EXISTS: 400,
  CANCELLED: 400,
  RESOURCE_EXHAUSTED: 429,
  PAYLOAD_TOO_LARGE: 413,
};

/** Status codes of gRPC by name, as far as they are used. */
export const GRPC_OK = 0;
export const GRPC_CANCELLED = 1;
export const GRPC_UNKNOWN = 2;
export const GRPC_INVALID_ARGUMENT = 3;
export const GRPC_DEADLINE_EXCEEDED = 4;
export const GRPC_NOT_FOUND = 5;
export const GRPC_ALREADY_EXISTS = 6;
export const GRPC_RESOURCE_EXHAUSTED = 8;
export const GRPC_UNIMPLEMENTED = 12;
export const GRPC_INTERNAL = 13;
export const GRPC_UNAVAILABLE = 14;

/** Fact sheet 0.1; our own bounds are UNAVAILABLE, so that clients may try again, but for a message that never fits. */
export const grpcStatus: Readonly<Record<ErrorCode, number>> = {
  UNKNOWN: GRPC_UNKNOWN,
  INTERNAL: GRPC_INTERNAL,
  NOT_FOUND: GRPC_NOT_FOUND,
  INVALID_ARGUMENT: GRPC_INVALID_ARGUMENT,
  UNAVAILABLE: GRPC_UNAVAILABLE,
  UNSUPPORTED: GRPC_UNIMPLEMENTED,
  ALREADY_EXISTS: GRPC_ALREADY_EXISTS,
  CANCELLED: GRPC_CANCELLED,
  RESOURCE_EXHAUSTED: GRPC_UNAVAILABLE,
  PAYLOAD_TOO_LARGE: GRPC_RESOURCE_EXHAUSTED,
};
