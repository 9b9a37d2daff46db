import { STATUS_CODES } from 'node:http';

/** `200 OK`, by status. */
const statusTexts: readonly string[] = Array.from({ length: 600 }, (_, status) => {
  return `${status} ${STATUS_CODES[status] ?? 'Unknown'}`;
});

/** A NUL ends a line for some readers. */
const lineEnd = /[\r\n\0]/;

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
