import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConnectionError } from '../../../../src/transport/http2/errors.js';
import { HpackDecoder } from '../../../../src/transport/http2/hpack/decoder.js';
import { Collector } from './collect.js';
import { DumbDecoder, DumbEncoder, dumbInteger, dumbString, type EncodeChoice, type Pair } from './dumb-hpack.js';

function incremental(name: string, value: string): Buffer {
  return Buffer.concat([dumbInteger(0x40, 6, 0), dumbString(name), dumbString(value)]);
}

function indexed(index: number): Buffer {
  return dumbInteger(0x80, 7, index);
}

function sizeUpdate(bytes: number): Buffer {
  return dumbInteger(0x20, 5, bytes);
}

function error(decode: () => unknown): string {
  try {
    decode();
  } catch (thrown) {
    if (thrown instanceof ConnectionError) return `${thrown.name}: ${thrown.message}`;
    throw thrown;
  }
  return 'no error';
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const hexError = (hex: string) => error(() => new Collector().hex(hex));

describe('RFC 7541: what a decoder refuses', () => {
  test('2.3.3, 6.1: index 0', () => {
    expect(hexError('80')).toBe('COMPRESSION_ERROR: expected a header index from 1 to 61, found 0');
  });

  test('2.3.3: an index beyond both tables', () => {
    expect(hexError('be')).toBe('COMPRESSION_ERROR: expected a header index from 1 to 61, found 62');
    expect(hexError('7f0000')).toContain('found 63');
  });

  test('2.3.3: an index of a field that was evicted', () => {
    const decoder = new Collector();
    decoder.decode(incremental('a', 'b'));
    expect(decoder.decode(indexed(62))).toEqual([['a', 'b']]);
    decoder.decode(sizeUpdate(0));
    expect(error(() => decoder.decode(indexed(62)))).toContain('from 1 to 61, found 62');
  });

  test('4.2: a table size update behind a field', () => {
    expect(hexError('8220')).toBe('COMPRESSION_ERROR: a table size update stands behind a field of its block');
  });

  test('4.2, 6.3: a table larger than was offered', () => {
    const message = 'a header table of at most 4096 bytes was offered, 4097 are asked for';
    expect(error(() => new Collector().decode(sizeUpdate(4097)))).toBe(`COMPRESSION_ERROR: ${message}`);
  });

  test('RFC 9113, 4.3.1: a block without size update after the table was made smaller', () => {
    const decoder = new Collector();
    decoder.decoder.limitTable(100);
    expect(error(() => decoder.decode(indexed(2)))).toContain('expected a table size update');
    expect(decoder.decode(Buffer.concat([sizeUpdate(100), indexed(2)]))).toEqual([[':method', 'GET']]);
    expect(decoder.decode(indexed(2))).toEqual([[':method', 'GET']]);
  });

  test('5.1: integers of more than 28 bits, and those that never end', () => {
    expect(hexError('ffffffffff0f')).toContain('an integer has more than 4 octets behind its prefix');
    expect(hexError('ff8080808000')).toContain('an integer has more than 4 octets behind its prefix');
    expect(hexError('ff80')).toContain('ends within a field');
  });

  test('5.2: strings longer than their block', () => {
    expect(hexError('0002 61')).toContain('a header block ends within a field');
    expect(hexError('0001 6101')).toContain('a header block ends within a field');
    expect(hexError('00')).toContain('a header block ends within a field');
    expect(hexError('007f ffff ff7f')).toContain('a header block ends within a field');
  });

  test('5.2: Huffman strings with EOS or wrong padding', () => {
    expect(hexError('0084 ffff ffff 00')).toContain('not Huffman code');
    expect(hexError('0081 18 00')).toContain('not Huffman code');
  });
});

describe('RFC 7541: what a decoder takes', () => {
  test('2.2: the tables of two connections have nothing in common', () => {
    new Collector().decode(incremental('a', 'b'));
    expect(error(() => new Collector().decode(indexed(62)))).toContain('found 62');
  });

  test('4.2: several size updates at the start of a block', () => {
    const decoder = new Collector();
    expect(decoder.decode(Buffer.concat([sizeUpdate(0), sizeUpdate(4096), indexed(2)]))).toEqual([[':method', 'GET']]);
  });

  test('4.2: the peer may shrink its table at any time', () => {
    const decoder = new Collector();
    decoder.decode(Buffer.concat([incremental('old', '1'), incremental('new', '2')]));
    expect(decoder.decode(Buffer.concat([sizeUpdate(36), indexed(62)]))).toEqual([['new', '2']]);
    expect(error(() => decoder.decode(indexed(63)))).toContain('from 1 to 62, found 63');
  });

  test('4.4: a field larger than the table empties it', () => {
    const decoder = new Collector();
    decoder.decode(incremental('a', 'b'));
    expect(decoder.decode(incremental('big', 'x'.repeat(4096)))).toHaveLength(1);
    expect(error(() => decoder.decode(indexed(62)))).toContain('found 62');
  });

  test('4.4: a field may name the field that it evicts', () => {
    const decoder = new Collector();
    decoder.decode(Buffer.concat([sizeUpdate(64), incremental('name', 'v'.repeat(28))]));
    const block = Buffer.concat([dumbInteger(0x40, 6, 62), dumbString('w'.repeat(28)), indexed(62)]);
    expect(decoder.decode(block)).toEqual([
      ['name', 'w'.repeat(28)],
      ['name', 'w'.repeat(28)],
    ]);
  });

  test('5.1: an integer with superfluous octets', () => {
    expect(new Collector().hex('0f80 8000 00')).toEqual([['accept-charset', '']]);
  });

  test('6.2.3: fields that are never to be indexed', () => {
    expect(new Collector().hex('1001 6101 62')).toEqual([['a', 'b']]);
  });

  test('an empty block has no fields', () => {
    expect(new Collector().decode(Buffer.alloc(0))).toEqual([]);
  });
});

describe('RFC 9113, 6.5.2: the size of a field section', () => {
  test('counts octets and 32 for each field', () => {
    const decoder = new Collector();
    decoder.decode(Buffer.concat([incremental('a', 'bc'), indexed(62), indexed(2)]));
    expect(decoder.listBytes).toBe(35 + 35 + 42);
  });

  test('a bomb of references is counted and not handed on', () => {
    const decoder = new Collector();
    decoder.decode(incremental('bomb', 'x'.repeat(4000)));
    const bomb = Buffer.alloc(16_384, 0x80 | 62);
    expect(decoder.decode(bomb)).toHaveLength(4);
    expect(decoder.listBytes).toBe(16_384 * 4036);
  });

  test('text longer than the limit is counted and never made', () => {
    const decoder = new Collector(4096);
    const huge = Buffer.concat([dumbInteger(0x40, 6, 0), dumbString('n'), dumbString('x'.repeat(9000), true)]);
    expect(decoder.decode(huge)).toEqual([]);
    expect(decoder.listBytes).toBe(9000 + 33);
  });

  test('the table is kept while fields are over the limit', () => {
    const decoder = new Collector(4096);
    decoder.decode(Buffer.concat([incremental('x', 'y'.repeat(4090)), incremental('kept', '1')]));
    expect(decoder.decode(indexed(62))).toEqual([['kept', '1']]);
  });
});

const names = fc.constantFrom(':path', 'content-length', 'te', 'user-agent', 'x-a', 'x-b', 'grpc-timeout');
const values = fc.oneof(
  fc.constantFrom('', '/', 'trailers', 'gzip, deflate'),
  fc.string({ maxLength: 40, unit: 'binary-ascii' }),
);
const choices: fc.Arbitrary<EncodeChoice> = fc.record({
  as: fc.constantFrom('indexed', 'incremental', 'without', 'never'),
  huffman: fc.boolean(),
  useNameIndex: fc.boolean(),
});
const step = fc.oneof(
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 4096 }) },
  { weight: 8, arbitrary: fc.array(fc.tuple(fc.tuple(names, values), choices), { maxLength: 12 }) },
);

describe('against a dumb twin', () => {
  test('blocks of any encoder are decoded to what was encoded', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const encoder = new DumbEncoder();
        const decoder = new Collector();
        const twin = new DumbDecoder();
        let update = Buffer.alloc(0);
        for (const item of steps) {
          if (typeof item === 'number') {
            update = Buffer.concat([update, encoder.resize(item)]);
            continue;
          }
          const block = Buffer.concat([update, ...item.map(([pair, choice]) => encoder.encode(pair, choice))]);
          update = Buffer.alloc(0);
          const expected = item.map(([pair]): Pair => pair);
          expect(decoder.decode(block)).toEqual(expected);
          expect(twin.decode(block)).toEqual(expected);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('strings that come again are told from others of their length', () => {
    const again = fc
      .tuple(fc.constantFrom(0, 1, 2, 8, 10, 63, 64, 65, 103, 130), fc.constantFrom('a', 'b'), fc.constantFrom('', 'y'))
      .map(([length, letter, end]) => letter.repeat(length) + end);
    const field = fc.tuple(fc.oneof(names, again), again, choices);
    fc.assert(
      fc.property(fc.array(field, { minLength: 20, maxLength: 100 }), (fields) => {
        const encoder = new DumbEncoder();
        const decoder = new Collector();
        for (const [name, value, choice] of fields) {
          expect(decoder.decode(encoder.encode([name, value], choice))).toEqual([[name, value]]);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('a string of Huffman code is not taken for a plain one of the same octets', () => {
    const decoder = new Collector();
    const octets = dumbString('a b', true).subarray(1);
    const plain = Buffer.concat([dumbInteger(0, 4, 28), dumbInteger(0, 7, octets.length), octets]);
    const huffman = Buffer.concat([dumbInteger(0, 4, 28), dumbString('a b', true)]);
    for (const block of [plain, huffman, plain]) {
      const expected = new DumbDecoder().decode(block);
      expect(decoder.decode(block)).toEqual(expected);
    }
  });

  /** There is a place for each name of the static table. */
  test('long strings without a place in the table are not kept', () => {
    const value = 'x'.repeat(100_000);
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    const decoders = Array.from({ length: 20 }, () => new HpackDecoder(200_000));
    for (const decoder of decoders) {
      for (let index = 15; index <= 61; index++) {
        const block = Buffer.concat([dumbInteger(0, 4, index), dumbString(value)]);
        decoder.decode(block, 0, block.length, { field: () => {} });
      }
    }
    collectGarbage();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(30_000_000);
    expect(decoders).toHaveLength(20);
  });

  test('any bytes are decoded or refused by name', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 }), (blocks) => {
        const decoder = new Collector();
        for (const block of blocks) {
          const outcome = error(() => decoder.decode(Buffer.from(block)));
          expect(outcome).toMatch(/^no error$|^COMPRESSION_ERROR/);
          if (outcome !== 'no error') return;
        }
      }),
      { numRuns: 3000 },
    );
  });
});
