/** Does what each request wishes; a wish that throws outside of `each` is one of the whole batch. */

/** @import { Batch, ModelRequest } from '../../../../workers/javascript/model-api.js' */

/** @type {Record<string, (request: ModelRequest) => unknown>} */
const wishes = {
  good: (request) => request.output('OUTPUT0', [1, 1], [7]),
  large: (request) => request.output('OUTPUT0', [1, 500_000]).fill(1),
  fail: (request) => request.fail('as it wished', 'NOT_FOUND'),
  throw: () => {
    throw new Error('thrown for one');
  },
  coded: () => {
    throw Object.assign(new Error('a bad value'), { code: 'INVALID_ARGUMENT' });
  },
  nothing: () => {},
  shape: (request) => request.output('OUTPUT0', [1, 2, 3]),
  rows: (request) => request.output('OUTPUT0', [5, 2]),
  name: (request) => request.output('OUTPUT1', [1, 1]),
  values: (request) => request.output('OUTPUT0', [1, 3], [1]),
  texts: (request) => request.output('OUTPUT0', [1, 1], ['a']),
};

const wishOf = (/** @type {ModelRequest} */ request) => request.input('WISH')?.strings()[0] ?? '';

/** @param {Batch} batch */
export async function execute(batch) {
  await batch.each(async (request) => {
    await wishes[wishOf(request)]?.(request);
  });
}
