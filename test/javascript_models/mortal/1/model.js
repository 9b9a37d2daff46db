/** Ends its thread in the way that is asked for, or waits until its client is gone. */

/** @import { Batch } from '../../../../workers/javascript/model-api.js' */

/** @type {Record<string, () => unknown>} */
const ways = {
  exit: () => process.exit(3),
  reject: () => void Promise.reject(new Error('nobody waits for this')),
  memory: () => {
    const kept = [];
    for (;;) kept.push(new Array(10_000).fill(kept.length));
  },
};

/** @param {Batch} batch */
export async function execute({ requests: [request] }) {
  const how = request?.input('HOW')?.strings()[0] ?? '';
  if (how === 'wait') {
    console.log('waits for its client');
    await new Promise((resolve) => request?.signal.addEventListener('abort', resolve));
    console.log(`its client is gone: ${request?.isCancelled}`);
  }
  if (ways[how] !== undefined) {
    ways[how]();
    await new Promise(() => {});
  }
  request?.output('OUTPUT0', [1], [1]);
}
