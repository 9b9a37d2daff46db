import { ConnectionError } from '../../../src/transport/http2/errors.js';
import { reasonOf } from './reasons.js';
import type { Failure } from './wire.js';

/** An answer that the protocol does not allow; its connection is of no more use. */
export class BadAnswer extends Error {
  override readonly name = 'BadAnswer';
}

const kindsByCode: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection reset',
  ETIMEDOUT: 'timeout',
};

/** What the server did wrong, as opposed to a bug of ours. */
export function isOfTheServer(error: unknown): error is Error {
  return error instanceof BadAnswer || error instanceof ConnectionError;
}

/** Of an error of the system or of TLS, or of what `isOfTheServer`. */
export function failureOf(error: Error): Failure {
  const { code = '' } = error as NodeJS.ErrnoException;
  const kind = isOfTheServer(error) ? 'bad answer' : (kindsByCode[code] ?? 'connection failed');
  return { kind, message: reasonOf(error) };
}

const TEXT_CHARS_MAX = 300;

/** The text of `{"error":TEXT}`, or the body as it stands where it is something else. */
export function errorText(body: string): string {
  try {
    const { error } = JSON.parse(body) as { readonly error?: unknown };
    if (typeof error === 'string') return error;
  } catch {
    // Not JSON, or null: the body says what it says.
  }
  return body.length > TEXT_CHARS_MAX ? `${body.slice(0, TEXT_CHARS_MAX)}...` : body;
}
