/** Adds the numbers of a row; TEXT is the sum in words of JSON: an error where it is 1313. */

/** @import { Batch, ModelRequest } from '../../../../../workers/javascript/model-api.js' */

/** @param {Batch} batch */
export async function execute(batch) {
  await batch.each(add);
}

/** @param {ModelRequest} request */
function add(request) {
  const numbers = request.input('NUMBERS').data;
  const totals = Array.from({ length: request.rows }, (_, row) => sum(numbers.subarray(16 * row, 16 * row + 16)));
  if (totals.includes(1313)) throw new Error('1313 is no number');
  request.output('TOTAL', [request.rows, 1], totals);
  request.output(
    'TEXT',
    [request.rows, 1],
    totals.map((total) => `the sum is ${total}`),
  );
}

/** @param {Int32Array} numbers */
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
