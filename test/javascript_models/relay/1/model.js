/** Answers what the model says that its parameter `to` names. */

/** @import { Batch, ModelContext, Tensor } from '../../../../workers/javascript/model-api.js' */

/** @type {ModelContext} */
let ctx;

/** @param {ModelContext} context */
export function initialize(context) {
  ctx = context;
}

/** @param {Batch} batch */
export async function execute(batch) {
  const input = /** @type {Tensor<'FP32'>} */ (batch.input('INPUT0'));
  const answer = await ctx.infer({ model: ctx.parameters.to ?? '', inputs: [input], borrow: true });
  const { shape, data } = /** @type {Tensor<'FP32'>} */ (answer.output('OUTPUT0'));
  batch.output('OUTPUT0', shape.slice(1), data);
}
