import type { RequestLimits } from './limits.js';
import { COLON, CR, isToken, isValue, LF } from './octets.js';
import { doubt, headersTooLong, type Refusal, tooManyHeaders } from './refusal.js';

/** The trailer section behind the last chunk (RFC 9112, 7.1.2), byte by byte: checked as headers are, bounded as they are, and dropped. */
export class TrailerParser {
  refusal: Refusal | null = null;
  readonly #limits: RequestLimits;
  #part: 'start' | 'name' | 'value' | 'line-feed' | 'last-line-feed' = 'start';
  #bytes = 0;
  #lines = 0;

  constructor(limits: RequestLimits) {
    this.#limits = limits;
  }

  begin(): void {
    this.#part = 'start';
    this.#bytes = 0;
    this.#lines = 0;
  }

  /** `refused`: why is in `refusal`. */
  take(byte: number): 'more' | 'end' | 'refused' {
    if (this.#part === 'last-line-feed') return byte === LF ? 'end' : this.#refuse(malformed);
    if (this.#part === 'start' && byte === CR) {
      this.#part = 'last-line-feed';
      return 'more';
    }
    if (++this.#bytes > this.#limits.maxHeaderBytes) {
      return this.#refuse(headersTooLong(this.#bytes, this.#limits.maxHeaderBytes));
    }
    return this.#takeField(byte);
  }

  #takeField(byte: number): 'more' | 'refused' {
    switch (this.#part) {
      case 'start':
        return this.#begins(byte);
      case 'name':
        if (byte === COLON) this.#part = 'value';
        else if (isToken[byte] === 0) return this.#refuse(malformed);
        return 'more';
      case 'value':
        if (byte === CR) this.#part = 'line-feed';
        else if (isValue[byte] === 0) return this.#refuse(malformed);
        return 'more';
      default:
        this.#part = 'start';
        return byte === LF ? 'more' : this.#refuse(malformed);
    }
  }

  #begins(byte: number): 'more' | 'refused' {
    if (isToken[byte] === 0) return this.#refuse(malformed);
    this.#part = 'name';
    if (++this.#lines <= this.#limits.maxHeaderCount) return 'more';
    return this.#refuse(tooManyHeaders(this.#lines, this.#limits.maxHeaderCount));
  }

  #refuse(reason: Refusal): 'refused' {
    this.refusal = reason;
    return 'refused';
  }
}

const malformed = doubt('the chunked body does not end with proper header lines and an empty line');
