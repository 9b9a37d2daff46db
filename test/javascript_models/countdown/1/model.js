/**
 * Counts down from COUNT, one number in each run of a request. FLAGS are those of the first run, where it answers once, or of this one: START and END
 * as the model is fed with them and as the request says them.
 */

/** @import { Batch, ModelContext, ModelRequest } from '../../../../workers/javascript/model-api.js' */

/** @type {ModelContext} */
let context;
/** What the next run begins with, by sequence. @type {Map<string | number | bigint, number>} */
const lefts = new Map();

/** @param {ModelContext} given */
export function initialize(given) {
  context = given;
}

/** @param {ModelRequest} request */
function flagsOf(request) {
  const fed = ['START', 'END'].map((name) => Number(request.input(name)?.data[0]));
  return [...fed, Number(request.sequenceStart), Number(request.sequenceEnd)];
}

/** @param {ModelRequest} request */
function takeOne(request) {
  const id = request.sequenceId;
  const left = request.sequenceStart ? Number(request.input('COUNT')?.data[0]) : lefts.get(id);
  if (left === undefined) throw new Error(`sequence ${id} has no state`);
  const isSame = BigInt(id) === BigInt.asUintN(64, BigInt(request.input('CORRID')?.data[0] ?? 0));
  if (!isSame) throw new Error('the id that is fed is another');
  lefts.set(id, left - 1);
  if (left <= 1) lefts.delete(id);
  return left;
}

/** @param {ModelRequest} request @param {number} left @param {boolean} isFinal */
const answer = (request, left, isFinal) => ({
  outputs: {
    LEFT: { shape: [1, 1], data: [left] },
    FLAGS: { shape: [1, 4], data: flagsOf(request) },
    ID: { shape: [1, 1], data: [String(request.sequenceId)] },
  },
  isFinal,
});

/** @param {ModelRequest} request */
const isFiller = (request) => request.input('READY')?.data[0] === 0;

/** @param {ModelRequest} request */
async function countDown(request) {
  if (isFiller(request)) {
    // Nobody hears it.
    await request.respond(answer(request, 0, true));
    return;
  }
  const left = takeOne(request);
  const how = request.input('HOW')?.strings()[0] ?? '';
  if (how === 'dies' && left === 1) process.exit(1);
  if (how === 'throws' && left === 1) throw new Error('thrown in the last run');
  // Whoever does not read holds up nobody else.
  const sent = request.respond(answer(request, left, left <= 1));
  if (how === 'slow') await sent;
  if (left > 1) request.reschedule();
}

/** @param {ModelRequest} request */
function countOnce(request) {
  if (isFiller(request)) return;
  const left = takeOne(request);
  const how = request.input('HOW')?.strings()[0] ?? '';
  request.output('LEFT', [1, 1], [left]);
  request.output('FLAGS', [1, 4], flagsOf(request));
  request.output('ID', [1, 1], [String(request.sequenceId)]);
  if (left > 1) request.reschedule();
  if (how === 'fails' && left === 2) request.fail('failed between runs', 'UNAVAILABLE');
}

/** @param {Batch} batch */
export async function execute(batch) {
  const isDecoupled = context.config.model_transaction_policy?.decoupled ?? false;
  await batch.each(isDecoupled ? countDown : countOnce);
}
