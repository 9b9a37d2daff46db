import { CR, equalsLower, SPACE } from './octets.js';

const FIRST_FIELDS = 24;

/** Of each field: where its name and its value begin and end. */
const SPAN = 4;

const noBytes = Buffer.alloc(0);

export const noProtocols: readonly string[] = [];

/**
 * The head of one request. Fields stay bytes until somebody asks for them: most are never read. One object serves all requests of a
 * connection, and `bytes` is overwritten by the next.
 */
export class Head {
  /** As sent: methods are case-sensitive (RFC 9110, 9.1). */
  method = '';
  /** As sent: not decoded, without the query. */
  path = '';
  /** Of a target in absolute form: it is the Host, whatever the header says (RFC 9112, 3.2.2). '' = none. */
  authority = '';
  minorVersion = 1;
  /** As announced: 0 where there is no body, -1 = chunked. */
  contentLength = 0;
  /** The client wants to send more requests on this connection (RFC 9112, 9.3). */
  keepAlive = true;
  /** The client waits for 100 before it sends the body (RFC 9110, 10.1.1). */
  expectsContinue = false;
  /** Protocols that the client would rather speak on this connection, in lower case, the best first (RFC 9110, 7.8). */
  upgrades: readonly string[] = noProtocols;
  count = 0;

  #bytes: Buffer = noBytes;
  #spans = new Int32Array(FIRST_FIELDS * SPAN);
  readonly #asked = new Map<string, string>();
  /** In lower case, of the fields of the request before that were visited: a client mostly sends the same. */
  readonly #names: string[] = [];

  clear(): void {
    this.count = 0;
    if (this.#asked.size > 0) this.#asked.clear();
  }

  /** Where the fields lie in what `setBytes` will be given. */
  add(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    const at = this.count++ * SPAN;
    if (at === this.#spans.length) this.#grow();
    this.#spans[at] = nameStart;
    this.#spans[at + 1] = nameEnd;
    this.#spans[at + 2] = valueStart;
    this.#spans[at + 3] = valueEnd;
  }

  setBytes(bytes: Buffer): void {
    this.#bytes = bytes;
  }

  /** As sent, with its query. Read again from the bytes: hardly anybody asks for it. */
  get target(): string {
    const start = this.#bytes[0] === CR ? 2 : 0;
    const targetStart = this.#bytes.indexOf(SPACE, start) + 1;
    return this.#bytes.toString('latin1', targetStart, this.#bytes.indexOf(SPACE, targetStart));
  }

  /** By lower-case name; '' where absent; the first where there are several. */
  header(name: string): string {
    if (this.authority !== '' && name === 'host') return this.authority;
    const known = this.#asked.get(name);
    if (known !== undefined) return known;
    const value = this.#find(name);
    this.#asked.set(name, value);
    return value;
  }

  /** Calls back for each field as sent, its name in lower case. */
  each(visit: (name: string, value: string) => void): void {
    for (let index = 0; index < this.count; index++) {
      const at = index * SPAN;
      const name = this.#nameOf(index);
      visit(name, name === 'host' && this.authority !== '' ? this.authority : this.#value(at));
    }
  }

  #nameOf(index: number): string {
    const start = this.#spans[index * SPAN]!;
    const end = this.#spans[index * SPAN + 1]!;
    const last = this.#names[index] ?? '';
    if (last.length === end - start && equalsLower(this.#bytes, start, last)) return last;
    const name = this.#bytes.toString('latin1', start, end).toLowerCase();
    this.#names[index] = name;
    return name;
  }

  #find(name: string): string {
    for (let at = 0; at < this.count * SPAN; at += SPAN) {
      const start = this.#spans[at]!;
      if (this.#spans[at + 1]! - start === name.length && equalsLower(this.#bytes, start, name)) return this.#value(at);
    }
    return '';
  }

  #value(at: number): string {
    return this.#bytes.toString('latin1', this.#spans[at + 2]!, this.#spans[at + 3]!);
  }

  #grow(): void {
    const spans = new Int32Array(this.#spans.length * 2);
    spans.set(this.#spans);
    this.#spans = spans;
  }
}
