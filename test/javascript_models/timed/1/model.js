/** Says when a batch of it began and ended, microseconds by a clock that all threads share; takes as long as HOW says. */

import { setTimeout as pause } from 'node:timers/promises';

/** @import { Batch } from '../../../../workers/javascript/model-api.js' */

/** Between all instances of all models of the process. */
const channel = new BroadcastChannel('timed');
/** @type {Map<string, () => void>} */
const awaited = new Map();

channel.onmessage = ({ data }) => awaited.get(data)?.();
channel.unref();

/** @param {string} message */
const heard = (message) => new Promise((resolve) => awaited.set(message, () => resolve(undefined)));
const now = () => process.hrtime.bigint() / 1000n;

/** @type {Record<string, () => unknown>} */
const ways = {
  // Until somebody says go.
  hold: () => heard('go'),
  go: () => channel.postMessage('go'),
  // Until another instance does the same.
  meet: async () => {
    const met = heard('meet');
    channel.postMessage('meet');
    await met;
    channel.postMessage('meet');
  },
  exit: () => process.exit(1),
};

/** @param {string} how */
const spend = (how) => ways[how]?.() ?? pause(Number(how));

/** @param {Batch} batch */
export async function execute({ requests }) {
  const begin = now();
  await Promise.all(requests.map((request) => spend(request.input('HOW')?.strings()[0] ?? '')));
  const end = now();
  for (const request of requests) {
    request.output('BEGIN', [request.rows, 1], new BigInt64Array(request.rows).fill(begin));
    request.output('END', [request.rows, 1], new BigInt64Array(request.rows).fill(end));
  }
}
