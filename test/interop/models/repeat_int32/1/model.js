/**
 * As Triton's example of the name: each element of IN is an answer, which follows the one before after as many milliseconds as DELAY says. The
 * next request comes after WAIT ms.
 */

/** @import { Batch, ModelRequest } from '../../../../../workers/javascript/model-api.js' */

import { setTimeout as sleep } from 'node:timers/promises';

/** @param {Batch} batch */
export async function execute(batch) {
  for (const request of batch.requests) repeat(request).catch((error) => request.fail(error));
  await pause(Math.max(...batch.requests.map((request) => request.input('WAIT').data[0])));
}

/** @param {ModelRequest} request */
async function repeat(request) {
  const values = request.input('IN').data;
  const delays = request.input('DELAY').data;
  if (delays.length !== values.length)
    throw new Error(`${values.length} elements of IN, but ${delays.length} of DELAY`);
  for (let index = 0; index < values.length; index++) {
    await pause(delays[index]);
    const outputs = { OUT: { shape: [1], data: [values[index]] }, IDX: { shape: [1], data: [index] } };
    if (!(await request.respond({ outputs }))) return;
  }
  await request.end();
}

/** @param {number} ms */
async function pause(ms) {
  if (ms > 0) await sleep(ms);
}
