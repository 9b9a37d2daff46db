import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import * as ort from 'onnxruntime-node';
import { expect } from 'vitest';

/** A tensor as test/make_tensorflow_*.py writes it. */
export interface Encoded {
  readonly type: string;
  readonly dims: readonly number[];
  /** Elements in base64, or as they are. */
  readonly data?: string;
  readonly strings?: readonly string[];
}

export interface Case {
  readonly name: string;
  /** GraphDef in base64. */
  readonly graph: string;
  readonly inputs: Readonly<Record<string, Encoded>>;
  readonly outputs: Readonly<Record<string, Encoded>>;
}

export function readCases(file: string): Case[] {
  return readLines(file) as Case[];
}

function readLines(file: string): unknown[] {
  const text = gunzipSync(readFileSync(new URL(file, import.meta.url))).toString();
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

const names: Readonly<Record<string, string>> = { object: 'string' };

export function tensorOf({ type, dims, data, strings }: Encoded): ort.Tensor {
  if (strings !== undefined) return new ort.Tensor('string', [...strings], dims);
  return new ort.Tensor((names[type] ?? type) as 'float32', elements(type, data!) as Float32Array, dims);
}

function elements(type: string, data: string): ArrayLike<number | bigint> {
  const { buffer } = Uint8Array.from(Buffer.from(data, 'base64'));
  switch (type) {
    case 'float32':
      return new Float32Array(buffer);
    case 'float64':
      return new Float64Array(buffer);
    case 'float16':
    case 'uint16':
      return new Uint16Array(buffer);
    case 'int32':
      return new Int32Array(buffer);
    case 'uint32':
      return new Uint32Array(buffer);
    case 'int64':
      return new BigInt64Array(buffer);
    case 'int8':
      return new Int8Array(buffer);
    default:
      return new Uint8Array(buffer);
  }
}

/** Runs a model on the inputs and holds its outputs against TensorFlow's: 1e-4 relative + 1e-5 absolute. */
export async function checkAnswers(
  model: Uint8Array,
  inputs: Readonly<Record<string, Encoded>>,
  outputs: Readonly<Record<string, Encoded>>,
): Promise<void> {
  const session = await ort.InferenceSession.create(model, { logSeverityLevel: 3, intraOpNumThreads: 1 });
  try {
    const feeds = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, tensorOf(value)]));
    const results = await session.run(feeds);
    for (const [name, encoded] of Object.entries(outputs)) {
      const [expected, result] = [tensorOf(encoded), results[name]!];
      expect([name, result.type, [...result.dims]]).toEqual([name, expected.type, [...expected.dims]]);
      expect(difference(result.data, expected.data), name).toBe('');
    }
  } finally {
    await session.release();
  }
}

type Data = ort.Tensor['data'];

/** '' = none. */
function difference(results: Data, expected: Data): string {
  for (let i = 0; i < expected.length; i++) {
    if (typeof expected[i] === 'string' ? results[i] === expected[i] : isNear(Number(results[i]), Number(expected[i])))
      continue;
    return `element ${i}: expected ${expected[i]}, got ${results[i]}`;
  }
  return '';
}

function isNear(a: number, b: number): boolean {
  return Object.is(a, b) || a === b || Math.abs(a - b) <= 1e-5 + 1e-4 * Math.abs(b);
}

/** A SavedModel, its files in base64. */
export interface Saved extends Omit<Case, 'graph'> {
  readonly files: Readonly<Record<string, string>>;
}

export function readSaved(file: string): Saved[] {
  return readLines(file) as Saved[];
}

/** @param changed other bytes for some of its files */
export async function writeSaved(
  folder: string,
  { files }: Saved,
  changed: Readonly<Record<string, Uint8Array>> = {},
): Promise<void> {
  for (const [path, data] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), changed[path] ?? Buffer.from(data, 'base64'));
  }
}
