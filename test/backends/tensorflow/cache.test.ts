import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { markUsed, trimCache, writeCached } from '../../../src/backends/tensorflow/cache-folder.js';
import { type CachedFile, evictable, LEASE_MS } from '../../../src/backends/tensorflow/cache-plan.js';

const NOW = 10 * LEASE_MS;
const name = (nth: number) => `${nth.toString(16).padStart(64, '0')}.onnx`;

describe('which files may go', () => {
  const file = (nth: number, bytes: number, age: number): CachedFile => ({
    name: name(nth),
    bytes,
    usedMs: NOW - age * LEASE_MS,
  });

  test('those longest not used, until what stays is small enough', () => {
    const files = [file(1, 10, 2), file(2, 10, 4), file(3, 10, 3), file(4, 10, 5)];
    expect(evictable(files, 40, NOW)).toEqual([]);
    expect(evictable(files, 39, NOW)).toEqual([name(4)]);
    expect(evictable(files, 15, NOW)).toEqual([name(4), name(2), name(3)]);
    expect(evictable(files, 0, NOW)).toHaveLength(4);
  });

  test('none that is in use, however large', () => {
    expect(evictable([file(1, 100, 0), file(2, 100, 1), file(3, 1, 1.01)], 0, NOW)).toEqual([name(3)]);
  });

  test('what dead writers left, and nothing that is not ours', () => {
    const old = { bytes: 1e12, usedMs: 0 };
    const draft = '.0b4f7a3e-1111-4222-8333-123456789abc';
    const names = [draft, 'model.onnx', '.bashrc', `${'0'.repeat(63)}.onnx`, `${name(1)}.txt`, 'saved'];
    expect(
      evictable(
        names.map((other) => ({ ...old, name: other })),
        0,
        NOW,
      ),
    ).toEqual([draft]);
    expect(evictable([{ name: draft, bytes: 1, usedMs: NOW }], 0, NOW)).toEqual([]);
  });

  test('as many as needed and no more, whatever is there', () => {
    const files = fc.array(fc.record({ bytes: fc.nat(100), age: fc.double({ min: 0, max: 5, noNaN: true }) }));
    fc.assert(
      fc.property(files, fc.nat(1000), (given, maxBytes) => {
        const all = given.map(({ bytes, age }, nth) => file(nth, bytes, age));
        const gone = evictable(all, maxBytes, NOW).map((one) => all.find((other) => other.name === one)!);
        const stay = all.filter((one) => !gone.includes(one));
        const sum = (some: readonly CachedFile[]) => some.reduce((bytes, one) => bytes + one.bytes, 0);
        expect(gone.every(({ usedMs }) => NOW - usedMs > LEASE_MS)).toBe(true);
        if (gone.length > 0) expect(sum(stay) + gone.at(-1)!.bytes).toBeGreaterThan(maxBytes);
        if (sum(stay) > maxBytes) expect(stay.every(({ usedMs }) => NOW - usedMs <= LEASE_MS)).toBe(true);
      }),
    );
  });
});

describe('the folder', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'conch-cache-'));
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function made(nth: number, agesMs: number): Promise<string> {
    const path = join(folder, name(nth));
    writeCached(folder, path, new Uint8Array(100));
    const used = new Date(Date.now() - agesMs);
    await utimes(path, used, used);
    return path;
  }

  test('what was said to be used stays; the oldest go; strangers stay', async () => {
    const [first, second, third] = [await made(1, 3 * LEASE_MS), await made(2, 2 * LEASE_MS), await made(3, 0)];
    await writeFile(join(folder, 'notes'), 'x'.repeat(1000));
    trimCache(folder, 250);
    expect([first, second, third].map((path) => existsSync(path!))).toEqual([false, true, true]);
    expect(markUsed(second!)).toBe(true);
    expect(markUsed(first!)).toBe(false);
    trimCache(folder, 0);
    expect((await readdir(folder)).sort()).toEqual([name(2), name(3), 'notes']);
  });

  test('a folder that is not there is said', () => {
    expect(() => trimCache(join(folder, 'none'), 0)).toThrow('ENOENT');
    expect(markUsed(join(folder, 'none', name(1)))).toBe(false);
  });
});
