import type { TwinRequest } from '../protocols/grpc/twin.js';
import type { Random } from './random.js';

export const CALLED_MODELS = ['identity_fp32', 'identity_bytes', 'simple_b64', 'slow'] as const;
export type CalledModel = (typeof CALLED_MODELS)[number];

const SMALLEST_BYTES = 64;

/** A request with values of its own, and what is to come of it. */
export interface RandomCall {
  readonly model: CalledModel;
  readonly request: TwinRequest;
  readonly inputBytes: number;
  readonly outputs: readonly Buffer[];
}

/** Sizes are 64 bytes times a power of two, so that requests of several clients meet in batches. */
export function randomCall(random: Random, largestBytes: number): RandomCall {
  const bytes = SMALLEST_BYTES * 2 ** random.below(Math.log2(largestBytes / SMALLEST_BYTES) + 1);
  switch (random.below(16)) {
    case 0:
      return slowCall(random);
    case 1:
    case 2:
    case 3:
    case 4:
      return simpleCall(random);
    case 5:
    case 6:
    case 7:
    case 8:
      return stringsCall(random, bytes);
    default:
      return floatsCall(random, bytes);
  }
}

/** Any bits will do, for they are only copied. */
export function floatsCall(random: Random, bytes: number): RandomCall {
  return callOf('identity_fp32', 'FP32', [1, bytes / 4], [random.bytes(bytes)]);
}

/** Computes, with floats: whole numbers come back as they are. */
function slowCall(random: Random): RandomCall {
  return callOf('slow', 'FP32', [1, 1], [Buffer.from(Float32Array.of(random.below(1_000_000)).buffer)]);
}

/** Sums and differences, which wrap around as 32 bits do. */
function simpleCall(random: Random): RandomCall {
  const inputs = [random.bytes(64), random.bytes(64)];
  const [a, b] = inputs.map(({ buffer }) => new Int32Array(buffer)) as [Int32Array, Int32Array];
  const outputs = [a.map((value, index) => value + b[index]!), a.map((value, index) => value - b[index]!)];
  return {
    ...callOf('simple_b64', 'INT32', [1, 16], inputs),
    outputs: outputs.map(({ buffer }) => Buffer.from(buffer)),
  };
}

/** Four strings, of a little more than `bytes` together. */
function stringsCall(random: Random, bytes: number): RandomCall {
  const parts = Array.from({ length: 4 }, () => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes / 4);
    return Buffer.concat([length, Buffer.from(random.bytes(bytes / 8).toString('hex'))]);
  });
  return callOf('identity_bytes', 'BYTES', [1, 4], [Buffer.concat(parts)]);
}

/** Its inputs come back. */
function callOf(model: CalledModel, datatype: string, shape: readonly number[], inputs: readonly Buffer[]): RandomCall {
  const request = {
    model_name: model,
    inputs: inputs.map((_, index) => ({ name: `INPUT${index}`, datatype, shape })),
    raw_input_contents: inputs,
  };
  const inputBytes = inputs.reduce((sum, { length }) => sum + length, 0);
  return { model, request, inputBytes, outputs: inputs };
}
