import type { CacheEntry } from './cache-entry.js';

/**
 * An answer as bytes, for those who keep nothing else:
 *
 *     | FORMAT | bytes of the head, u32 LE | head: JSON | output 0 | output 1 | ...
 */
const FORMAT = 1;
const HEAD_BEGIN = 5;

interface EntryHead {
  readonly isFixed: boolean;
  readonly outputs: readonly ({ readonly shape: readonly number[]; readonly bytes: number } | null)[];
}

export function encodeEntry({ isFixed, outputs }: CacheEntry): Buffer {
  const head: EntryHead = {
    isFixed,
    outputs: outputs.map((output) => output && { shape: output.shape, bytes: output.bytes.length }),
  };
  const json = Buffer.from(JSON.stringify(head));
  const start = Buffer.alloc(HEAD_BEGIN);
  start.writeUInt8(FORMAT, 0);
  start.writeUInt32LE(json.length, 1);
  return Buffer.concat([start, json, ...outputs.flatMap((output) => (output === null ? [] : [output.bytes]))]);
}

/** Null = these are no bytes of an answer. The outputs are views. */
export function decodeEntry(bytes: Buffer): CacheEntry | null {
  if (bytes.length < HEAD_BEGIN || bytes.readUInt8(0) !== FORMAT) return null;
  const headEnd = HEAD_BEGIN + bytes.readUInt32LE(1);
  const head = readHead(bytes.toString('utf8', HEAD_BEGIN, Math.min(headEnd, bytes.length)));
  if (head === null) return null;
  let at = headEnd;
  const outputs = head.outputs.map((output) => {
    if (output === null) return null;
    const begin = at;
    at += output.bytes;
    return { shape: output.shape, bytes: bytes.subarray(begin, at) };
  });
  return at === bytes.length ? { isFixed: head.isFixed, outputs } : null;
}

function readHead(text: string): EntryHead | null {
  try {
    const head = JSON.parse(text) as EntryHead;
    return Array.isArray(head.outputs) && head.outputs.every(isOutput) ? head : null;
  } catch {
    return null;
  }
}

function isOutput(output: EntryHead['outputs'][number]): boolean {
  return output === null || (Array.isArray(output.shape) && output.shape.every(isCount) && isCount(output.bytes));
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
