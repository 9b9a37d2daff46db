/**
 * Every failure that a client can meet, by name. Protocols map a code to a status once, in `protocols/status.ts`.
 * The first eight are Triton's classes (`TRITONSERVER_Error_Code`); the last two are limits of our own.
 */
export type ErrorCode =
  | 'UNKNOWN'
  | 'INTERNAL'
  | 'NOT_FOUND'
  | 'INVALID_ARGUMENT'
  | 'UNAVAILABLE'
  | 'UNSUPPORTED'
  | 'ALREADY_EXISTS'
  | 'CANCELLED'
  /** One of our own bounds on memory or connections is reached; the same request may succeed later. */
  | 'RESOURCE_EXHAUSTED'
  /** The message itself is larger than a flag allows; it will never succeed. */
  | 'PAYLOAD_TOO_LARGE';

/** How Triton writes a class in front of a message, where it does (repository index, load failures). */
const prefixes: Record<ErrorCode, string> = {
  UNKNOWN: 'Unknown',
  INTERNAL: 'Internal',
  NOT_FOUND: 'Not found',
  INVALID_ARGUMENT: 'Invalid argument',
  UNAVAILABLE: 'Unavailable',
  UNSUPPORTED: 'Unsupported',
  ALREADY_EXISTS: 'Already exists',
  CANCELLED: 'Cancelled',
  RESOURCE_EXHAUSTED: 'Resource exhausted',
  PAYLOAD_TOO_LARGE: 'Payload too large',
};

/** An expected failure. Its message is shown to the client as it is: it names the thing, what was expected and what was found. */
export class ServerError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.name = 'ServerError';
    this.code = code;
  }

  /** `Invalid argument: ...`, the form of index reasons and load failures (`Status::AsString`). */
  override toString(): string {
    return `${prefixes[this.code]}: ${this.message}`;
  }
}

export function invalid(message: string): ServerError {
  return new ServerError('INVALID_ARGUMENT', message);
}

/** Anything thrown, as a ServerError: what is not one already was not expected, so it is INTERNAL. */
export function asServerError(error: unknown): ServerError {
  if (error instanceof ServerError) return error;
  return new ServerError('INTERNAL', error instanceof Error ? error.message : String(error));
}
