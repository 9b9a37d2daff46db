import type { LoadOptions } from './options.js';
import type { TargetModel } from './target/target.js';

/** What is asked for and this model cannot do; null = it can. */
export function refuseForModel(options: LoadOptions, model: TargetModel): string | null {
  const { batchSize, loads, sequences } = options;
  if (model.maxBatchSize === 0 && batchSize > 1) {
    return `-b ${batchSize}: the model '${model.name}' does not batch (max_batch_size is 0); only -b 1 works`;
  }
  if (batchSize > Math.max(model.maxBatchSize, 1)) {
    return `-b ${batchSize}: the model '${model.name}' takes batches of ${model.maxBatchSize} at most (max_batch_size)`;
  }
  const canStream = options.streaming || options.protocol === 'ws' || options.inProcess !== null;
  if (model.isDecoupled && !canStream) {
    return `the model '${model.name}' is decoupled, its answers come as a stream: use -i grpc --streaming, or -i ws`;
  }
  const ids = sequences.idRange.last - sequences.idRange.first + 1;
  const alive = loads.kind === 'concurrency' || loads.kind === 'periodic' ? loads.range.end : sequences.count;
  if (model.scheduler === 'sequence' && alive > ids) {
    return `--sequence-id-range has ${ids} ids, and ${alive} sequences are alive at a time: their ids would collide`;
  }
  return null;
}

/** What is asked for and has no effect with this model, each in a sentence. */
export function notesForModel({ sequences }: LoadOptions, { name, scheduler }: TargetModel): string[] {
  if (sequences.length === null || scheduler === 'sequence') return [];
  const why =
    scheduler === 'iterative'
      ? `each request to the model '${name}' is a sequence of its own`
      : `the model '${name}' has no sequences`;
  return [`--sequence-length has no effect: ${why}.`];
}
