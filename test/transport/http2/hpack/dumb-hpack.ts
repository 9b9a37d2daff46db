import { staticFields } from '../../../../src/transport/http2/hpack/static-table.js';
import { codeTexts } from './appendix-b.js';

/** HPACK as one would write it first: for comparison, not for speed. Tables are arrays, Huffman codes are text. */

export type Pair = readonly [name: string, value: string];

const ENTRY_BYTES = 32;
const symbols = new Map(codeTexts.map((code, symbol) => [code, symbol]));

export function dumbHuffmanEncode(text: Buffer): Buffer {
  let bits = '';
  for (const octet of text) bits += codeTexts[octet];
  while (bits.length % 8 !== 0) bits += '1';
  return Buffer.from(
    Array.from({ length: bits.length / 8 }, (_, at) => Number.parseInt(bits.slice(at * 8, at * 8 + 8), 2)),
  );
}

/** Null = not a Huffman string. */
export function dumbHuffmanDecode(source: Buffer): Buffer | null {
  let code = '';
  const octets: number[] = [];
  for (const bit of [...source].map((octet) => octet.toString(2).padStart(8, '0')).join('')) {
    code += bit;
    const symbol = symbols.get(code);
    if (symbol === undefined) continue;
    if (symbol === 256) return null;
    octets.push(symbol);
    code = '';
  }
  return code.length < 8 && !code.includes('0') ? Buffer.from(octets) : null;
}

export function dumbInteger(pattern: number, prefixBits: number, value: number): Buffer {
  const full = 2 ** prefixBits - 1;
  if (value < full) return Buffer.of(pattern | value);
  const octets = [pattern | full];
  let left = value - full;
  while (left >= 128) {
    octets.push(128 + (left % 128));
    left = Math.floor(left / 128);
  }
  return Buffer.of(...octets, left);
}

export function dumbString(text: string, huffman = false): Buffer {
  const plain = Buffer.from(text, 'latin1');
  const octets = huffman ? dumbHuffmanEncode(plain) : plain;
  return Buffer.concat([dumbInteger(huffman ? 0x80 : 0, 7, octets.length), octets]);
}

class DumbTable {
  entries: Pair[] = [];
  bytesMax = 4096;

  add(pair: Pair): void {
    this.entries.unshift(pair);
    this.trim();
  }

  trim(): void {
    while (this.bytes > this.bytesMax) this.entries.pop();
  }

  get bytes(): number {
    return this.entries.reduce((sum, [name, value]) => sum + name.length + value.length + ENTRY_BYTES, 0);
  }

  get all(): Pair[] {
    return [...staticFields.map(({ name, value }): Pair => [name, value]), ...this.entries];
  }
}

export interface EncodeChoice {
  readonly as: 'indexed' | 'incremental' | 'without' | 'never';
  readonly huffman: boolean;
  readonly useNameIndex: boolean;
}

/** An encoder that does what it is told to, where it can. */
export class DumbEncoder {
  readonly #table = new DumbTable();

  resize(bytes: number): Buffer {
    this.#table.bytesMax = bytes;
    this.#table.trim();
    return dumbInteger(0x20, 5, bytes);
  }

  encode([name, value]: Pair, choice: EncodeChoice): Buffer {
    const { all } = this.#table;
    const index = all.findIndex((pair) => pair[0] === name && pair[1] === value) + 1;
    if (choice.as === 'indexed' && index > 0) return dumbInteger(0x80, 7, index);
    const nameIndex = choice.useNameIndex ? all.findIndex((pair) => pair[0] === name) + 1 : 0;
    const [pattern, prefix] = choice.as === 'without' ? [0x00, 4] : choice.as === 'never' ? [0x10, 4] : [0x40, 6];
    if (pattern === 0x40) this.#table.add([name, value]);
    const parts = [dumbInteger(pattern!, prefix!, nameIndex)];
    if (nameIndex === 0) parts.push(dumbString(name, choice.huffman));
    return Buffer.concat([...parts, dumbString(value, choice.huffman)]);
  }
}

/** Decodes what a correct encoder made. */
export class DumbDecoder {
  readonly table = new DumbTable();

  decode(block: Buffer): Pair[] {
    const pairs: Pair[] = [];
    let at = 0;
    const integer = (prefixBits: number): number => {
      const full = 2 ** prefixBits - 1;
      let value = block[at++]! & full;
      if (value < full) return value;
      for (let shift = 1; ; shift *= 128) {
        const octet = block[at++]!;
        value += (octet & 127) * shift;
        if (octet < 128) return value;
      }
    };
    const string = (): string => {
      const huffman = block[at]! >= 128;
      const length = integer(7);
      const octets = block.subarray(at, at + length);
      at += length;
      return (huffman ? dumbHuffmanDecode(octets)! : octets).toString('latin1');
    };
    while (at < block.length) {
      const first = block[at]!;
      if (first >= 0x80) pairs.push(this.table.all[integer(7) - 1]!);
      else if (first >= 0x20 && first < 0x40) {
        this.table.bytesMax = integer(5);
        this.table.trim();
      } else {
        const index = integer(first >= 0x40 ? 6 : 4);
        const name = index === 0 ? string() : this.table.all[index - 1]![0];
        const pair: Pair = [name, string()];
        if (first >= 0x40) this.table.add(pair);
        pairs.push(pair);
      }
    }
    return pairs;
  }
}
