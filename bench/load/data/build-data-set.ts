import type { DataOptions } from '../options.js';
import type { TargetModel } from '../target/target.js';
import { DataError } from './data-error.js';
import type { DataSet } from './data-set.js';
import { generateStep } from './generated.js';
import { rowFormOf } from './input-shapes.js';

/** What requests of `batchSize` rows carry. Throws a DataError. */
export async function buildDataSet(model: TargetModel, options: DataOptions, batchSize: number): Promise<DataSet> {
  checkBatchSize(model, batchSize);
  const form = rowFormOf(model, options.shapes);
  const batch = model.maxBatchSize > 0 ? [batchSize] : [];
  return { streams: [[generateStep(form, batch, options)]] };
}

function checkBatchSize({ name, maxBatchSize }: TargetModel, batchSize: number): void {
  if (batchSize <= Math.max(1, maxBatchSize)) return;
  const limit =
    maxBatchSize === 0 ? 'has no batch dimension (max_batch_size: 0)' : `takes at most ${maxBatchSize} rows`;
  throw new DataError(`-b ${batchSize}: model '${name}' ${limit}`);
}
