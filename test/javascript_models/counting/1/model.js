/** Counts what it sees; a number below zero ends its thread, one over a thousand asks for a bad metric. */

/** @import { Batch, Counter, Gauge, HistogramMetric, ModelContext } from '../../../../workers/javascript/model-api.js' */

/** @type {ModelContext} */
let context;
/** @type {Counter} */
let seen;
/** @type {Gauge} */
let last;
/** @type {HistogramMetric} */
let sizes;

const bad = [
  () => context.metrics.counter('nv_mine', 'not mine'),
  () => context.metrics.counter('a-b', 'no name'),
  () => context.metrics.counter('numbers_seen', 'with a label of the server', { model: 'x' }),
  () => context.metrics.gauge('numbers_seen', 'another type'),
  () => context.metrics.histogram('disorder', 'bounds that do not ascend', {}, [2, 1]),
  () => seen.increment(-1),
];

/** @param {ModelContext} given */
export function initialize(given) {
  context = given;
  seen = context.metrics.counter('numbers_seen', 'Numbers that came', { kind: 'all' });
  last = context.metrics.gauge('number_last', 'The number that came last');
  sizes = context.metrics.histogram('number_size', 'How large they are', {}, [10, 100]);
}

/** @param {Batch} batch */
export function execute({ requests }) {
  for (const request of requests) {
    const number = request.input('INPUT0')?.data[0] ?? 0;
    if (number > 1000) bad[number - 1001]?.();
    context.metrics.counter('numbers_seen', 'Numbers that came', { kind: 'all' }).increment();
    last.set(number);
    sizes.observe(number);
    if (number < 0) process.exit(1);
    request.output('OUTPUT0', [1, 1], [number]);
  }
}
