/** Counts the elements of its inputs; -1 = there is none. */

/** @import { Batch } from '../../../../workers/javascript/model-api.js' */

/** @param {Batch} batch */
export function execute({ requests }) {
  const counts = ['NUMBERS', 'TEXTS'].map((name) => requests[0]?.input(name)?.data.length ?? -1);
  requests[0]?.output('COUNTS', [2], counts);
}
