import { Framing } from '../../transport/http1/framing.js';
import { bodyTooLarge, headersTooLong, type Refusal, tooManyHeaders } from '../../transport/http1/refusal.js';
import type { HttpLimits } from './engine.js';

/**
 * The header lines of one request as uWebSockets gives them, taken up one by one. One object serves all requests of a listener: it is
 * read while the handler runs, and no two handlers run at a time.
 */
export class RequestHead {
  readonly #limits: HttpLimits;
  readonly #names: string[] = [];
  readonly #values: string[] = [];
  readonly #framing = new Framing();
  #count = 0;
  #bytes = 0;

  constructor(limits: HttpLimits) {
    this.#limits = limits;
  }

  /** Bytes of the body as announced: 0 where there is none, -1 = chunked. Means nothing in a head that is refused with `endUnknown`. */
  get contentLength(): number {
    return this.#framing.contentLength;
  }

  clear(): void {
    this.#count = 0;
    this.#bytes = 0;
    this.#framing.clear();
  }

  /** `name` in lower case. Bound, because it is handed to native code for each request. */
  readonly add = (name: string, value: string): void => {
    const index = this.#count++;
    this.#names[index] = name;
    this.#values[index] = value;
    this.#bytes += name.length + value.length + ': \r\n'.length;
    switch (name.length) {
      case 4:
        if (name === 'host') this.#framing.addHost(value);
        break;
      case 14:
        if (name === 'content-length') this.#framing.addLength(value);
        break;
      case 17:
        if (name === 'transfer-encoding') this.#framing.addCoding(value);
    }
  };

  /** '' where absent; the first where there are several. */
  header(name: string): string {
    for (let index = 0; index < this.#count; index++) {
      if (this.#names[index] === name) return this.#values[index]!;
    }
    return '';
  }

  each(visit: (name: string, value: string) => void): void {
    for (let index = 0; index < this.#count; index++) visit(this.#names[index]!, this.#values[index]!);
  }

  /** Null = may be handed on. */
  refusal(): Refusal | null {
    return this.#framing.refusal(1) ?? this.#limitRefusal();
  }

  #limitRefusal(): Refusal | null {
    const { maxHeaderCount, maxHeaderBytes, maxBodyBytes } = this.#limits;
    if (this.#count > maxHeaderCount) return tooManyHeaders(this.#count, maxHeaderCount);
    if (this.#bytes > maxHeaderBytes) return headersTooLong(this.#bytes, maxHeaderBytes);
    return this.contentLength > maxBodyBytes ? bodyTooLarge(maxBodyBytes) : null;
  }
}
