/** -IN; an error for 13. */

/** @import { Batch, ModelRequest } from '../../../../../workers/javascript/model-api.js' */

/** @param {Batch} batch */
export async function execute(batch) {
  await batch.each((request) => {
    const numbers = request.input('IN').data;
    if (numbers.includes(13)) throw new Error('13 is no number');
    request.output('OUT', [request.rows, 1], numbers.map((number) => -number));
  });
}
