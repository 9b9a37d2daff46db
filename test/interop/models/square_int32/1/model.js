/** As Triton's example of the name: the answer to a number comes as many times as the number says. A negative one is an error. */

/** @import { Batch, ModelRequest } from '../../../../../workers/javascript/model-api.js' */

/** @param {Batch} batch */
export function execute(batch) {
  for (const request of batch.requests) square(request).catch((error) => request.fail(error));
}

/** @param {ModelRequest} request */
async function square(request) {
  const [number] = request.input('IN').data;
  if (number < 0) return request.fail(`no answer comes ${number} times`, 'INVALID_ARGUMENT');
  for (let nth = 0; nth < number; nth++) {
    if (!(await request.respond({ outputs: { OUT: { shape: [1], data: [number] } } }))) return;
  }
  await request.end();
}
