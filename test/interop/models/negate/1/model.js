/** -IN; an error for 1313. */

/** @import { Batch, ModelRequest } from '../../../../../workers/javascript/model-api.js' */

/** @param {Batch} batch */
export async function execute(batch) {
  await batch.each((request) => {
    const numbers = request.input('IN').data;
    if (numbers.includes(1313)) throw new Error('1313 is no number');
    request.output(
      'OUT',
      [request.rows, 1],
      numbers.map((number) => -number),
    );
  });
}
