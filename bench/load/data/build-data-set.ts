import { stat } from 'node:fs/promises';
import type { DataOptions } from '../options.js';
import type { TargetModel } from '../target/target.js';
import { batched } from './batches.js';
import { DataError } from './data-error.js';
import type { DataSet } from './data-set.js';
import { readDirectory } from './directory.js';
import { generateStep } from './generated.js';
import { type RowForm, rowFormOf } from './input-shapes.js';
import { type RowStreams, readJsonFile } from './json-file.js';

/**
 * What requests of `batchSize` rows carry: one step of random or zero data, or what files and folders say. Throws a DataError for what the
 * model cannot take.
 */
export async function buildDataSet(model: TargetModel, options: DataOptions, batchSize: number): Promise<DataSet> {
  checkBatchSize(model, batchSize);
  const { maxBatchSize, scheduler } = model;
  const form = rowFormOf(model, options.shapes);
  if (typeof options.source === 'string') {
    return { streams: [[generateStep(form, maxBatchSize > 0 ? [batchSize] : [], options)]] };
  }
  const streams = await readPaths(options.source.paths, form);
  if (maxBatchSize === 0) return { streams };
  const isSequence = scheduler === 'sequence';
  return { streams: streams.map((rows, nth) => batched(rows, batchSize, isSequence, `--input-data, stream ${nth}`)) };
}

function checkBatchSize({ name, maxBatchSize }: TargetModel, batchSize: number): void {
  if (batchSize <= Math.max(1, maxBatchSize)) return;
  const limit =
    maxBatchSize === 0 ? 'has no batch dimension (max_batch_size: 0)' : `takes at most ${maxBatchSize} rows`;
  throw new DataError(`-b ${batchSize}: model '${name}' ${limit}`);
}

/** Plain lists of steps, and folders, are one stream, which comes first. */
async function readPaths(paths: readonly string[], form: RowForm): Promise<DataSet['streams']> {
  const read: RowStreams[] = [];
  for (const path of paths) read.push(await readPath(path, form));
  const flat = read.filter(({ isFlat }) => isFlat).flatMap(({ streams }) => streams.flat());
  const streams = read.filter(({ isFlat }) => !isFlat).flatMap((path) => path.streams);
  return flat.length === 0 ? streams : [flat, ...streams];
}

async function readPath(path: string, form: RowForm): Promise<RowStreams> {
  try {
    if (!(await stat(path)).isDirectory()) return await readJsonFile(path, form);
    return { isFlat: true, streams: [[await readDirectory(path, form)]] };
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new DataError(
      `--input-data ${path}: cannot be read: ${error.message}; expected 'random', 'zero', a JSON file or a folder`,
    );
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
