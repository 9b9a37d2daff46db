import { STATUS_CODES } from 'node:http';
import type { Refusal } from './request-head.js';

const jsonHeaders: readonly string[] = ['Content-Type', 'application/json'];
const comeAgainHeaders: readonly string[] = [...jsonHeaders, 'Retry-After', '1'];

/** `200 OK`, by status. */
const statusTexts: readonly string[] = Array.from({ length: 600 }, (_, status) => {
  return `${status} ${STATUS_CODES[status] ?? 'Unknown'}`;
});

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

/**
 * The text of the last head, for as long as heads repeat: callers hand in the same constants again and again, and comparing them is
 * cheaper than putting the text together.
 */
export class HeadTexts {
  #status = 0;
  #headers: readonly string[] = [];
  #text = '';

  textOf(status: number, headers: readonly string[]): string {
    if (status === this.#status && this.#isSame(headers)) return this.#text;
    const text = headText(status, headers);
    this.#status = status;
    // A copy: the caller may change its array.
    this.#headers = [...headers];
    this.#text = text;
    return text;
  }

  #isSame(headers: readonly string[]): boolean {
    if (headers.length !== this.#headers.length) return false;
    for (let index = 0; index < headers.length; index++) {
      if (headers[index] !== this.#headers[index]) return false;
    }
    return true;
  }
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
