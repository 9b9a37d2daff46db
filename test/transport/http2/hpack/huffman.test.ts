import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeHuffman, encodeHuffman, huffmanLength } from '../../../../src/transport/http2/hpack/huffman.js';
import { codeBits, codes } from '../../../../src/transport/http2/hpack/huffman-code.js';
import { codeTexts } from './appendix-b.js';
import { dumbHuffmanDecode, dumbHuffmanEncode } from './dumb-hpack.js';

const octets = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));

function decode(source: Buffer): Buffer | null {
  const target = Buffer.alloc(2 * source.length);
  const length = decodeHuffman(source, 0, source.length, target);
  return length < 0 ? null : target.subarray(0, length);
}

describe('RFC 7541, 5.2 Huffman coding', () => {
  test('appendix B: every symbol has its code', () => {
    const ours = Array.from(codes, (code, symbol) => code.toString(2).padStart(codeBits[symbol]!, '0'));
    expect(ours).toEqual(codeTexts);
  });

  test('what is encoded is decoded, as a dumb twin does it', () => {
    fc.assert(
      fc.property(octets, (plain) => {
        const encoded = encodeHuffman(plain);
        expect(encoded).toEqual(dumbHuffmanEncode(plain));
        expect(huffmanLength(plain)).toBe(encoded.length);
        expect(decode(encoded)).toEqual(plain);
      }),
      { numRuns: 500 },
    );
  });

  test('any octets are decoded or refused as a dumb twin does it', () => {
    fc.assert(
      fc.property(octets, (source) => {
        expect(decode(source)).toEqual(dumbHuffmanDecode(source));
      }),
      { numRuns: 2000 },
    );
  });

  test('short octet strings are all decoded or refused as a dumb twin does it', () => {
    for (let value = 0; value < 65_536; value++) {
      const source = Buffer.of(value >> 8, value & 0xff);
      expect(decode(source)).toEqual(dumbHuffmanDecode(source));
    }
  });

  test('padding of more than 7 bits is refused', () => {
    expect(decode(Buffer.of(0x1f, 0xff))).toBeNull();
  });

  test('padding with a zero is refused', () => {
    expect(decode(Buffer.of(0x18))).toBeNull();
  });

  test('the EOS symbol is refused', () => {
    expect(decode(Buffer.of(0xff, 0xff, 0xff, 0xff))).toBeNull();
  });

  test('what does not fit is counted and not kept', () => {
    const source = encodeHuffman(Buffer.alloc(100, 'a'));
    const target = Buffer.alloc(10, '-');
    expect(decodeHuffman(source, 0, source.length, target)).toBe(100);
    expect(target.toString()).toBe('aaaaaaaaaa');
  });
});
