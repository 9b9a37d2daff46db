import { doubt, type Refusal } from './refusal.js';

/** Without leading zeros: uWebSockets 20.30 counts digits, not bytes. */
const decimal = /^(?:0|[1-9][0-9]*)$/;

/** `uri-host [":" port]` of RFC 9112, 3.2, or nothing, where the target has no authority. */
const hostPattern = /^(?:\[[0-9A-Fa-f:.]+\]|(?:[\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?$/;

export function isHost(text: string): boolean {
  return hostPattern.test(text);
}

/**
 * The three headers that say whose a request is and where it ends. Both engines read them by these rules, which are stricter than
 * RFC 9112 wherever it leaves a choice: what two readers could take apart differently is refused (request smuggling).
 */
export class Framing {
  #hosts = 0;
  #lengths = 0;
  #codings = 0;
  #host = '';
  #length = '0';
  /** What `#length` says, NaN = nothing. Lengths repeat, and reading one costs more than comparing it with the last. */
  #lengthBytes = 0;
  #coding = '';
  /** Hosts repeat: the last one that was found valid. */
  #validHost = '';

  clear(): void {
    this.#hosts = 0;
    this.#lengths = 0;
    this.#codings = 0;
  }

  addHost(value: string): void {
    this.#hosts++;
    this.#host = value;
  }

  addLength(value: string): void {
    this.#lengths++;
    if (value === this.#length) return;
    this.#length = value;
    this.#lengthBytes = decimal.test(value) ? Number(value) : Number.NaN;
  }

  addCoding(value: string): void {
    this.#codings++;
    this.#coding = value;
  }

  /** Bytes of the body as announced: 0 where there is none, -1 = chunked. Means nothing where `refusal` is `endUnknown`. */
  get contentLength(): number {
    if (this.#codings > 0) return -1;
    return this.#lengths > 0 ? this.#lengthBytes : 0;
  }

  /** Null = clear. @param minorVersion 0 for HTTP/1.0, which needs no Host and knows no chunks */
  refusal(minorVersion: number): Refusal | null {
    return this.#endRefusal(minorVersion) ?? this.#hostRefusal(minorVersion);
  }

  /** RFC 9112, 6.1 to 6.3, read strictly: a repeated length is refused even where both say the same. */
  #endRefusal(minorVersion: number): Refusal | null {
    if (this.#codings > 0) return this.#codingRefusal(minorVersion);
    if (this.#lengths === 0) return null;
    if (this.#lengths > 1) return doubt(`expected one Content-Length, found ${this.#lengths}`);
    if (!Number.isNaN(this.#lengthBytes)) return null;
    return doubt(
      `Content-Length is a number of bytes in decimal digits without leading zeros, found '${this.#length}'`,
    );
  }

  #codingRefusal(minorVersion: number): Refusal | null {
    if (this.#lengths > 0) return doubt('a request has either Content-Length or Transfer-Encoding, found both');
    if (this.#codings > 1) return doubt(`expected one Transfer-Encoding, found ${this.#codings}`);
    if (this.#coding.toLowerCase() !== 'chunked') {
      return doubt(`the only Transfer-Encoding supported is 'chunked', found '${this.#coding}'`);
    }
    return minorVersion === 0 ? doubt('HTTP/1.0 has no Transfer-Encoding') : null;
  }

  #hostRefusal(minorVersion: number): Refusal | null {
    if (this.#hosts > 1) return doubt(`expected one Host header, found ${this.#hosts}`);
    if (this.#hosts === 0) return minorVersion === 0 ? null : doubt('the Host header is missing');
    if (this.#host === this.#validHost) return null;
    if (!isHost(this.#host))
      return doubt(`the Host header is a name or an address with or without a port, found '${this.#host}'`);
    this.#validHost = this.#host;
    return null;
  }
}
