import { deflateSync, gunzip, gzipSync, inflate, unzip } from 'node:zlib';
import { expect, test } from 'vitest';
import { inflateAll } from '../../src/protocols/inflate.js';

function inflated(run: typeof gunzip, bytes: Buffer, limit = 100): Promise<string> {
  return new Promise((resolve) => {
    inflateAll(
      run,
      () => bytes,
      limit,
      (error, plain) => resolve(error === null ? plain.toString() : error.message),
    );
  });
}

const text = 'text '.repeat(10);
const junk = Buffer.from('junk');

test.each([
  ['gzip', gunzip, gzipSync(text)],
  ['gzip, by unzip', unzip, gzipSync(text)],
  ['zlib', inflate, deflateSync(text)],
  ['zlib, by unzip', unzip, deflateSync(text)],
])('%s is inflated, and nothing may follow or be missing', async (_name, run, bytes) => {
  expect(await inflated(run, bytes)).toBe(text);
  expect(await inflated(run, bytes, text.length)).toBe(text);
  expect(await inflated(run, bytes, text.length - 1)).toMatch(/^Cannot create a Buffer larger than 49 bytes$/);
  expect(await inflated(run, Buffer.concat([bytes, junk]))).toMatch(/4 bytes follow the end|incorrect header check/);
  expect(await inflated(run, bytes.subarray(0, -1))).toBe('unexpected end of file');
});

test('several members of gzip are one text', async () => {
  expect(await inflated(gunzip, Buffer.concat([gzipSync('a'), gzipSync('b')]))).toBe('ab');
});

test('the bytes may change as soon as they were given', async () => {
  const bytes = Buffer.from(deflateSync(text));
  const done = inflated(inflate, bytes);
  bytes.fill(0);
  expect(await done).toBe(text);
});

test('a few are inflated at a time, and those that nobody waits for never', async () => {
  const bytes = deflateSync(text);
  let asked = 0;
  const done: Promise<string>[] = [];
  for (let nth = 0; nth < 20; nth++) {
    const bytesOf = () => {
      asked++;
      return nth % 2 === 0 ? bytes : null;
    };
    const one = new Promise<string>((resolve) => inflateAll(inflate, bytesOf, 100, () => resolve(`${asked}`)));
    if (nth % 2 === 0) done.push(one);
    else void one.then(() => expect.unreachable());
  }
  // Four of those that are waited for, and what stands before the fifth.
  expect(asked).toBe(7);
  await Promise.all(done);
  expect(asked).toBe(20);
});
