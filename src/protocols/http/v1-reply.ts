import type { V1Message } from '../v1-messages.js';
import type { HttpExchange } from './engine.js';
import { replyBytes } from './reply.js';

const NOTHING = new Uint8Array(0);
const PLAIN: readonly string[] = ['Content-Type', 'text/plain'];

/** V1 has these alone: every failure is 400, and a method that is not answered 405. */
type V1HttpStatus = 200 | 400 | 405;

/** An empty body: clients of 19.11 print what health and model control answer. @param status the text of NV-Status; '' = none */
export function replyEmpty(exchange: HttpExchange, code: V1HttpStatus, status = ''): void {
  exchange.reply(code, status === '' ? PLAIN : [...PLAIN, 'NV-Status', status], NOTHING);
}

/** `?format=` of a message: that of 19.11 and, our own, JSON; text where it is neither. */
export function replyMessage(exchange: HttpExchange, type: V1Message, message: object, status: string): void {
  const [contentType, body] = written(type, message, new URLSearchParams(exchange.query()).get('format'));
  replyBytes(exchange, 200, ['Content-Type', contentType, 'NV-Status', status], body);
}

function written(type: V1Message, message: object, format: string | null): [string, Uint8Array] {
  if (format === 'binary') return ['application/octet-stream', type.binary(message)];
  if (format === 'json') return ['application/json', Buffer.from(type.json(message))];
  return ['text/plain', Buffer.from(type.text(message))];
}
