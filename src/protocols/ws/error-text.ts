import type { ServerError } from '../../types/errors.js';
import { httpStatus } from '../status.js';

/** The client gave its request up; a status that others use for it, too. */
export const CLIENT_CLOSED_REQUEST = 499;

/** `{"id":...,"error":...,"status":...}`: the answer to a message that has no other. @param id '' = it has none, or one that cannot be read */
export function errorText(id: string, error: ServerError): Buffer {
  const status = error.code === 'CANCELLED' ? CLIENT_CLOSED_REQUEST : httpStatus[error.code];
  return Buffer.from(JSON.stringify({ id: id === '' ? null : id, error: error.message, status }));
}
