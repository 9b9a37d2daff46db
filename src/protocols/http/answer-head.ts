import { STATUS_CODES } from 'node:http';
import type { Refusal } from './request-head.js';

const jsonHeaders: readonly string[] = ['Content-Type', 'application/json'];
const comeAgainHeaders: readonly string[] = [...jsonHeaders, 'Retry-After', '1'];

/** `200 OK`, by status. */
const statusTexts: readonly string[] = Array.from({ length: 600 }, (_, status) => {
  return `${status} ${STATUS_CODES[status] ?? 'Unknown'}`;
});

export function statusText(status: number): string {
  return statusTexts[status]!;
}

const lineEnd = /[\r\n]/;

/** `200 OK`, CRLF, `Name: value`, ..., without the last CRLF. Throws where a value would end its line: it would become a header. */
export function headText(status: number, headers: readonly string[]): string {
  let text = statusTexts[status]!;
  for (let index = 0; index < headers.length; index += 2) {
    const value = headers[index + 1]!;
    if (lineEnd.test(value)) throw new Error(`header ${headers[index]!} has a line end in its value`);
    text += `\r\n${headers[index]!}: ${value}`;
  }
  return text;
}

export function refusalHeaders(refusal: Refusal): readonly string[] {
  return refusal.status === 429 ? comeAgainHeaders : jsonHeaders;
}

export function refusalBody(refusal: Refusal): Buffer {
  return Buffer.from(JSON.stringify({ error: refusal.message }));
}

/** A whole answer, for a connection on which nothing else will be said. */
export function refusalAnswer(refusal: Refusal): Buffer {
  const body = refusalBody(refusal);
  const headers = [...refusalHeaders(refusal), 'Content-Length', String(body.length), 'Connection', 'close'];
  const head = `HTTP/1.1 ${headText(refusal.status, headers)}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}
