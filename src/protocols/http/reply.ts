import { asServerError, type ServerError } from '../../types/errors.js';
import { httpStatus } from '../status.js';
import type { HttpExchange } from './engine.js';

export const JSON_HEADERS: readonly string[] = ['Content-Type', 'application/json'];
const RETRY_HEADERS = [...JSON_HEADERS, 'Retry-After', '1'] as const;
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

/** `{"error": ...}` with the status of its class; a bound of ours says when to come again. */
export function replyError(exchange: HttpExchange, error: unknown): void {
  const failure: ServerError = asServerError(error);
  const headers = failure.code === 'RESOURCE_EXHAUSTED' ? RETRY_HEADERS : JSON_HEADERS;
  const body = Buffer.from(JSON.stringify({ error: failure.message }));
  replyBytes(exchange, httpStatus[failure.code], headers, body);
}
