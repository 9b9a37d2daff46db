/** Refuses 1 by `fail`, and throws outside of any request when it meets 2. */

/** @import { Batch } from '../../../../workers/javascript/model-api.js' */

/** @param {Batch} batch */
export function execute({ requests }) {
  for (const request of requests) {
    const number = Number(request.input('INPUT0')?.data[0]);
    if (number === 1) request.fail('one is refused');
    request.output('OUTPUT0', [1, 1], [number]);
    if (number === 2) throw new RangeError('two is too many');
  }
}
