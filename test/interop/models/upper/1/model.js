/** The same text in capital letters. */

/** @import { Batch, ModelRequest } from '../../../../../workers/javascript/model-api.js' */

/** @param {Batch} batch */
export async function execute(batch) {
  await batch.each((request) => {
    const texts = request.input('TEXT').strings();
    request.output(
      'UPPER',
      [request.rows, 1],
      texts.map((text) => text.toUpperCase()),
    );
  });
}
