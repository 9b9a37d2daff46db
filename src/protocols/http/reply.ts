import { asServerError, type ServerError } from '../../types/errors.js';
import { httpStatus } from '../status.js';
import { UnsupportedEncoding } from './encoding.js';
import type { HttpExchange } from './engine.js';

export const JSON_HEADERS: readonly string[] = ['Content-Type', 'application/json'];
const LARGEST_COPIED_REPLY = 64 * 1024;

export function replyJson(exchange: HttpExchange, status: number, value: unknown): void {
  replyJsonText(exchange, status, JSON.stringify(value));
}

export function replyJsonText(exchange: HttpExchange, status: number, text: string): void {
  replyBytes(exchange, status, JSON_HEADERS, Buffer.from(text));
}

/** `bytes` must be the caller's no more: a long answer is sent from it while the client reads. */
export function replyBytes(
  exchange: HttpExchange,
  status: number,
  headers: readonly string[],
  bytes: Uint8Array,
): void {
  if (bytes.length <= LARGEST_COPIED_REPLY) exchange.reply(status, headers, bytes);
  else exchange.send(status, headers, [bytes]);
}

/** For an error of this class in a body of this type. */
export function errorHeaders(error: ServerError, contentType: readonly string[]): readonly string[] {
  if (error instanceof UnsupportedEncoding) return [...contentType, 'Accept-Encoding', 'gzip, deflate'];
  return error.code === 'RESOURCE_EXHAUSTED' ? [...contentType, 'Retry-After', '1'] : contentType;
}

/** `{"error": ...}` with the status of its class; a bound of ours says when to come again, an unknown encoding which there are. */
export function replyError(exchange: HttpExchange, error: unknown): void {
  const failure: ServerError = asServerError(error);
  const body = Buffer.from(JSON.stringify({ error: failure.message }));
  replyBytes(exchange, httpStatus[failure.code], errorHeaders(failure, JSON_HEADERS), body);
}

/** @param allowed as the header has them: `GET, POST` (RFC 9110 15.5.6) */
export function replyMethodNotAllowed(exchange: HttpExchange, allowed: string): void {
  const body = Buffer.from(JSON.stringify({ error: 'Method Not Allowed' }));
  replyBytes(exchange, 405, [...JSON_HEADERS, 'Allow', allowed], body);
}
