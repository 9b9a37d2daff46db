const FIRST_BYTES = 4096;
/** Longer texts are handed over with the buffer they are in, so that none of that size is kept. */
const LONGEST_COPIED = 64 * 1024;
/** The longest number: a sign, 17 digits, a point, five zeros or an exponent; 64-bit integers have 20. */
const LONGEST_NUMBER = 32;

/** Bytes that JSON strings cannot carry as they are: 1 = escape, 2 = beyond ASCII. */
const special = new Uint8Array(256).fill(1, 0, 0x20).fill(2, 0x80);
special[0x22] = special[0x5c] = 1;

/** Writes JSON as bytes. Knows nothing of commas and brackets: `text` writes them. Reused from one text to the next. */
export class JsonWriter {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #length = 0;

  /** The text so far, which the caller owns; the writer begins anew. */
  take(): Buffer {
    const text = this.#bytes.subarray(0, this.#length);
    this.#length = 0;
    if (text.length <= LONGEST_COPIED) return Buffer.from(text);
    this.#bytes = Buffer.allocUnsafe(FIRST_BYTES);
    return text;
  }

  /** As `take`, but a text of up to 64 KiB stays where it lies: valid until something is written. The writer begins anew. */
  lend(): Buffer {
    if (this.#length > LONGEST_COPIED) return this.take();
    const text = this.#bytes.subarray(0, this.#length);
    this.#length = 0;
    return text;
  }

  /** Bytes as they are. */
  bytes(bytes: Uint8Array): void {
    this.#room(bytes.length).set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Forgets what an error left behind. */
  clear(): void {
    this.#length = 0;
  }

  /** ASCII as it is. */
  text(text: string): void {
    const bytes = this.#room(text.length);
    let at = this.#length;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    this.#length = at;
  }

  /** A string in quotation marks, escaped. */
  string(text: string): void {
    const begin = this.#length;
    const bytes = this.#room(text.length + 2);
    let at = begin;
    bytes[at++] = 0x22;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80 || special[code] !== 0) {
        this.#anyString(text);
        return;
      }
      bytes[at++] = code;
    }
    bytes[at++] = 0x22;
    this.#length = at;
  }

  /** UTF-8 bytes `begin` to `end` as a string; what is no UTF-8 becomes U+FFFD. */
  utf8(from: Uint8Array, begin: number, end: number): void {
    const bytes = this.#room(end - begin + 2);
    let at = this.#length;
    bytes[at++] = 0x22;
    for (let i = begin; i < end; i++) {
      const byte = from[i]!;
      if (special[byte] !== 0) {
        // A copy: text cannot be decoded from shared memory everywhere.
        this.#anyString(Buffer.from(from.subarray(begin, end)).toString('utf8'));
        return;
      }
      bytes[at++] = byte;
    }
    bytes[at++] = 0x22;
    this.#length = at;
  }

  /** A whole number up to 2^53 in magnitude. */
  integer(value: number): void {
    this.#room(LONGEST_NUMBER);
    let rest = value;
    if (rest < 0) {
      this.#bytes[this.#length++] = 0x2d;
      rest = -rest;
    }
    if (rest < 1e9) {
      this.#digits(rest, digitCount(rest));
    } else {
      const high = Math.floor(rest / 1e9);
      this.#digits(high, digitCount(high));
      this.#digits(rest - high * 1e9, 9);
    }
  }

  /** A double as RapidJSON writes it: the shortest digits that give it back, always with a point or an exponent, -0 with its sign. */
  double(value: number): void {
    if (value === (value | 0) && (value !== 0 || 1 / value > 0)) {
      this.integer(value);
      this.text('.0');
    } else {
      this.text(doubleText(value));
    }
  }

  #anyString(text: string): void {
    const quoted = JSON.stringify(text);
    const bytes = this.#room(quoted.length * 3);
    this.#length += bytes.write(quoted, this.#length, 'utf8');
  }

  /** `count` digits of a number below 2^32. */
  #digits(value: number, count: number): void {
    const bytes = this.#bytes;
    const begin = this.#length;
    let rest = value >>> 0;
    for (let at = begin + count - 1; at >= begin; at--) {
      const tens = (rest / 10) >>> 0;
      bytes[at] = 0x30 + (rest - tens * 10);
      rest = tens;
    }
    this.#length = begin + count;
  }

  /** The buffer, with room for `bytes` more. */
  #room(bytes: number): Buffer {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return this.#bytes;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
    return larger;
  }
}

/** Of a whole number below 10^9. */
function digitCount(value: number): number {
  if (value < 10) return 1;
  let count = 2;
  for (let bound = 100; value >= bound; bound *= 10) count++;
  return count;
}

function doubleText(value: number): string {
  const text = String(value);
  const magnitude = Math.abs(value);
  if (magnitude < 1e21) {
    if (value === 0) return '-0.0';
    return Number.isInteger(value) ? `${text}.0` : text;
  }
  return text.replace('e+', 'e');
}
