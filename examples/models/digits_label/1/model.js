/** Names the likeliest class of each row of scores, which add up to 1, and gives its score. */

/** @import { Batch, ModelContext, Tensor } from 'conch-server/model' */

/** @type {string[]} */
let labels;

/** @param {ModelContext} context */
export function initialize({ parameters, config }) {
  labels = (parameters.labels ?? '').split(' ');
  const classes = config.input[0].dims[0];
  if (labels.length !== classes) throw new Error(`'labels' has ${labels.length} names for ${classes} classes`);
}

/** @param {Batch} batch */
export function execute(batch) {
  const { data } = /** @type {Tensor<'FP32'>} */ (batch.input('scores'));
  const rows = Array.from({ length: batch.rows }, (_, row) =>
    data.subarray(row * labels.length, (row + 1) * labels.length),
  );
  const best = rows.map((scores) => Math.max(...scores));
  batch.output('SCORE', [1], best);
  const names = rows.map((scores, row) => labels[scores.indexOf(best[row])]);
  batch.output('LABEL', [1], names);
}
