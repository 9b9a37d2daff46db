import { isTarget, isToken, QUESTION, SPACE } from './octets.js';
import { doubt, type Refusal, refusal } from './refusal.js';
import { readTarget } from './request-target.js';

/** Instead of the position behind what was read. */
export const CUT = -1;
export const REFUSED = -2;

/** No method is that long; a longer one is not implemented for certain (RFC 9112, 3: 501). */
const METHOD_BYTES_MAX = 32;

/** Behind the last blank; `d` stands for a digit. */
const versionPattern = Buffer.from('HTTP/d.d\r\n');
const MAJOR_AT = 5;
const MINOR_AT = 7;

const ZERO = 0x30;
const NINE = 0x39;
const SLASH = 0x2f;
const ANY_DIGIT = 0x64;

/** `method SP request-target SP HTTP-version CRLF` (RFC 9112, 3), with exactly one blank between them. */
export class RequestLine {
  method = '';
  path = '';
  authority = '';
  /** 0 or 1: a 1.x of the future is served as 1.1 (RFC 9110, 2.5). */
  minorVersion = 1;
  refusal: Refusal | null = null;
  /** First `?` of the target; where there is none its end. */
  #query = 0;

  clear(): void {
    this.method = '';
    this.path = '';
    this.authority = '';
    this.refusal = null;
  }

  /** The position behind the line, or CUT (`end` comes before its end), or REFUSED. */
  read(bytes: Buffer, start: number, end: number): number {
    const methodEnd = this.#methodEnd(bytes, start, end);
    if (methodEnd < 0) return methodEnd;
    const targetStart = methodEnd + 1;
    const targetEnd = this.#targetEnd(bytes, targetStart, end);
    if (targetEnd < 0) return targetEnd;
    const lineEnd = this.#version(bytes, targetEnd + 1, end);
    if (lineEnd < 0) return lineEnd;
    this.method = bytes.toString('latin1', start, methodEnd);
    return this.#takeTarget(bytes, targetStart, targetEnd) ? lineEnd : REFUSED;
  }

  #methodEnd(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && isToken[bytes[at]!] === 1) at++;
    if (at - start > METHOD_BYTES_MAX) return this.#refuse(refusal(501, 'the method is not implemented'));
    if (at === end) return CUT;
    if (at === start || bytes[at] !== SPACE) return this.#refuse(doubt('the request does not begin with a method'));
    return at;
  }

  #targetEnd(bytes: Buffer, start: number, end: number): number {
    let at = start;
    this.#query = -1;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (isTarget[byte] === 0) break;
      if (byte === QUESTION && this.#query < 0) this.#query = at;
    }
    if (at === end) return CUT;
    if (bytes[at] !== SPACE || at === start) {
      return this.#refuse(doubt('the request target has a byte that must be percent-encoded, or no version behind it'));
    }
    if (this.#query < 0) this.#query = at;
    return at;
  }

  #version(bytes: Buffer, start: number, end: number): number {
    for (let index = 0; index < versionPattern.length; index++) {
      if (start + index === end) return CUT;
      const byte = bytes[start + index]!;
      const wanted = versionPattern[index]!;
      if (wanted === ANY_DIGIT ? !isDigit(byte) : byte !== wanted) return this.#refuse(badVersion);
    }
    if (bytes[start + MAJOR_AT] !== ZERO + 1) return this.#refuse(otherVersion);
    this.minorVersion = bytes[start + MINOR_AT] === ZERO ? 0 : 1;
    return start + versionPattern.length;
  }

  #takeTarget(bytes: Buffer, start: number, end: number): boolean {
    if (bytes[start] === SLASH && this.method !== 'CONNECT') {
      this.path = bytes.toString('latin1', start, this.#query);
      return true;
    }
    const target = readTarget(this.method, bytes.toString('latin1', start, end));
    if ('status' in target) {
      this.refusal = target;
      return false;
    }
    this.path = target.path;
    this.authority = target.authority;
    return true;
  }

  #refuse(reason: Refusal): number {
    this.refusal = reason;
    return REFUSED;
  }
}

const otherVersion = refusal(505, 'this server speaks HTTP/1.1 and HTTP/1.0');
const badVersion = doubt("the request line does not end with 'HTTP/1.1' and a line end (CR LF)");

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}
