import type { HttpLimits } from './engine.js';

/** Why a request is not handed on. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
  /** Where this request ends is in doubt: nothing behind it on its connection may be read as a request. */
  readonly endUnknown: boolean;
}

function refusal(status: number, message: string): Refusal {
  return { status, message, endUnknown: false };
}

/** 400 for a head that two readers could take apart differently (request smuggling). */
function doubt(message: string): Refusal {
  return { status: 400, message, endUnknown: true };
}

/** Without leading zeros: uWebSockets 20.30 counts digits, not bytes. */
const decimal = /^(?:0|[1-9][0-9]*)$/;

/**
 * The header lines of one request, taken up one by one. One object serves all requests of a listener: it is read while the
 * handler runs, and no two handlers run at a time.
 */
export class RequestHead {
  readonly #limits: HttpLimits;
  readonly #names: string[] = [];
  readonly #values: string[] = [];
  #count = 0;
  #bytes = 0;
  #hosts = 0;
  #lengths = 0;
  #codings = 0;
  #length = '0';
  /** What `#length` says; lengths repeat, and reading one costs more than comparing it with the last. */
  #lengthBytes = 0;
  #coding = '';

  constructor(limits: HttpLimits) {
    this.#limits = limits;
  }

  /** Bytes of the body as announced: 0 where there is none, -1 = chunked. Means nothing in a head that is refused with `endUnknown`. */
  get contentLength(): number {
    if (this.#codings > 0) return -1;
    return this.#lengths > 0 ? this.#lengthBytes : 0;
  }

  clear(): void {
    this.#count = 0;
    this.#bytes = 0;
    this.#hosts = 0;
    this.#lengths = 0;
    this.#codings = 0;
  }

  /** `name` in lower case. Bound, because it is handed to native code for each request. */
  readonly add = (name: string, value: string): void => {
    const index = this.#count++;
    this.#names[index] = name;
    this.#values[index] = value;
    this.#bytes += name.length + value.length + ': \r\n'.length;
    switch (name.length) {
      case 4:
        if (name === 'host') this.#hosts++;
        break;
      case 14:
        if (name === 'content-length') this.#addLength(value);
        break;
      case 17:
        if (name === 'transfer-encoding') this.#addCoding(value);
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

  /** Null = may be handed on. `needsHost` is false for HTTP/1.0 (RFC 9112, 3.2). */
  refusal(needsHost: boolean): Refusal | null {
    return this.#framingRefusal() ?? this.#hostRefusal(needsHost) ?? this.#limitRefusal();
  }

  #addLength(value: string): void {
    this.#lengths++;
    if (value === this.#length) return;
    this.#length = value;
    this.#lengthBytes = decimal.test(value) ? Number(value) : Number.NaN;
  }

  #addCoding(value: string): void {
    this.#codings++;
    this.#coding = value;
  }

  /** RFC 9112, 6.1 to 6.3, read strictly: a repeated length is refused even where both say the same. */
  #framingRefusal(): Refusal | null {
    if (this.#lengths === 0 && this.#codings === 0) return null;
    if (this.#lengths > 0 && this.#codings > 0) {
      return doubt('a request has either Content-Length or Transfer-Encoding, found both');
    }
    if (this.#lengths > 1) return doubt(`expected one Content-Length, found ${this.#lengths}`);
    if (this.#lengths === 1 && Number.isNaN(this.#lengthBytes)) {
      return doubt(
        `Content-Length is a number of bytes in decimal digits without leading zeros, found '${this.#length}'`,
      );
    }
    if (this.#codings > 1) return doubt(`expected one Transfer-Encoding, found ${this.#codings}`);
    if (this.#codings === 1 && this.#coding.toLowerCase() !== 'chunked') {
      return doubt(`the only Transfer-Encoding supported is 'chunked', found '${this.#coding}'`);
    }
    return null;
  }

  #hostRefusal(needsHost: boolean): Refusal | null {
    if (this.#hosts === 1 || (this.#hosts === 0 && !needsHost)) return null;
    return doubt(this.#hosts === 0 ? 'the Host header is missing' : `expected one Host header, found ${this.#hosts}`);
  }

  #limitRefusal(): Refusal | null {
    const { maxHeaderCount, maxHeaderBytes, maxBodyBytes } = this.#limits;
    if (this.#count > maxHeaderCount) {
      return refusal(431, `the request has ${this.#count} headers, at most ${maxHeaderCount} are accepted`);
    }
    if (this.#bytes > maxHeaderBytes) {
      return refusal(431, `the headers have ${this.#bytes} bytes, at most ${maxHeaderBytes} are accepted`);
    }
    return this.contentLength > maxBodyBytes ? bodyTooLarge(maxBodyBytes) : null;
  }
}

export function bodyTooLarge(maxBodyBytes: number): Refusal {
  return refusal(413, `the request body is larger than ${maxBodyBytes} bytes (--http-max-body-size)`);
}

export function bodyTooSlow(bodyTimeoutMs: number): Refusal {
  return refusal(408, `the request was not complete within ${bodyTimeoutMs} ms`);
}

export function tooManyConnections(maxConnections: number): Refusal {
  return refusal(429, `the server has ${maxConnections} connections, which is its limit`);
}

/** What a handler that threw looks like from outside; the log has the rest. */
export const handlerFailed: Refusal = refusal(500, 'internal error while handling the request');
