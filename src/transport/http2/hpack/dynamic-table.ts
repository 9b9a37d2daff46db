import type { TableField } from './field.js';

/** The fields seen last (RFC 7541, 2.3.2), in an array used as a ring: adding and evicting move nothing. */
export class DynamicTable {
  #ring: (TableField | null)[] = new Array(16).fill(null);
  /** Where the next field goes. */
  #next = 0;
  #length = 0;
  #bytes = 0;
  #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get length(): number {
    return this.#length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get bytesMax(): number {
    return this.#bytesMax;
  }

  /** 4.3: evicts what is too much now. */
  resize(bytesMax: number): void {
    this.#bytesMax = bytesMax;
    this.#evictTo(bytesMax);
  }

  /** The field added `age` additions before the last; `age` is below `length`. */
  at(age: number): TableField {
    return this.#ring[(this.#next - 1 - age) & (this.#ring.length - 1)]!;
  }

  /** 4.4: a field larger than the table empties it, and that is no error. */
  add(field: TableField): void {
    this.#evictTo(this.#bytesMax - field.bytes);
    if (field.bytes > this.#bytesMax) return;
    if (this.#length === this.#ring.length) this.#grow();
    this.#ring[this.#next] = field;
    this.#next = (this.#next + 1) & (this.#ring.length - 1);
    this.#length++;
    this.#bytes += field.bytes;
  }

  #evictTo(bytes: number): void {
    while (this.#length > 0 && this.#bytes > bytes) {
      const oldest = (this.#next - this.#length) & (this.#ring.length - 1);
      this.#bytes -= this.#ring[oldest]!.bytes;
      this.#ring[oldest] = null;
      this.#length--;
    }
  }

  /** Never beyond what the smallest fields could fill: `bytesMax` / 32 places, made a power of two. */
  #grow(): void {
    const ring: (TableField | null)[] = new Array(this.#ring.length * 2).fill(null);
    for (let age = 0; age < this.#length; age++) ring[this.#length - 1 - age] = this.at(age);
    this.#ring = ring;
    this.#next = this.#length;
  }
}
