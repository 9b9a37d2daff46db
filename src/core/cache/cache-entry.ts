import type { Shape } from '../../types/tensor.js';
import type { InferResponse } from '../infer-response.js';

/** One output as its client got it: classified, where that was asked for. */
export interface CachedOutput {
  readonly shape: Shape;
  readonly bytes: Uint8Array;
}

/** An answer that is kept: copies, in memory of their own. */
export interface CacheEntry {
  /** `hasFixedOutputs` of the answer. */
  readonly isFixed: boolean;
  /** In the order of the plan; null = the model made no such output. */
  readonly outputs: readonly (CachedOutput | null)[];
}

export function entryOf(response: InferResponse): CacheEntry {
  const outputs = response.plan.outputs.map((_, nth) => {
    if (!response.hasOutput(nth)) return null;
    const { shape, bytes } = response.output(nth);
    return { shape, bytes: new Uint8Array(bytes) };
  });
  return { isFixed: response.hasFixedOutputs, outputs };
}

/** What an output costs besides its bytes: measured, resident memory. */
const OUTPUT_OVERHEAD_BYTES = 384;

/** What it costs in memory. */
export function entryBytes({ outputs }: CacheEntry): number {
  return outputs.reduce((sum, output) => sum + (output?.bytes.length ?? 0) + OUTPUT_OVERHEAD_BYTES, 0);
}
