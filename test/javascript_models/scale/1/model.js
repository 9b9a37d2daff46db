/** Multiplies all rows of a batch at once. */

/** @import { Batch, ModelContext } from '../../../../workers/javascript/model-api.js' */

let factor = 1;

/** @param {ModelContext} context */
export function initialize({ parameters }) {
  factor = Number(parameters.factor);
}

/** @param {Batch} batch */
export function execute(batch) {
  const numbers = batch.input('INPUT0')?.data ?? [];
  const scaled = batch.output('OUTPUT0', [4]);
  for (let index = 0; index < numbers.length; index++) scaled[index] = factor * Number(numbers[index]);
  batch.output('ROWS', [1], new BigInt64Array(batch.rows).fill(BigInt(batch.rows)));
}
