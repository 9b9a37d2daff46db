/** Answers a request COUNT times, in the way that HOW says; by default while `execute` runs. */

/** @import { Batch, ModelContext, ModelRequest } from '../../../../workers/javascript/model-api.js' */

/** @type {ModelContext['log']} */
let log;

/** @param {ModelContext} context */
export function initialize(context) {
  log = context.log;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** @param {number} nth */
const answer = (nth, isFinal = false, texts = [`answer ${nth}`]) => ({
  outputs: { NTH: { shape: [1, 1], data: [nth] }, TEXT: { shape: [1, texts.length], data: texts } },
  parameters: { nth },
  isFinal,
});

/** @param {ModelRequest} request @param {number} count */
async function send(request, count) {
  for (let nth = 0; nth < count; nth++) {
    if (!(await request.respond(answer(nth)))) return;
  }
  await request.end();
}

/** @type {Record<string, (request: ModelRequest, count: number) => unknown>} */
const ways = {
  plain: send,
  final: async (request, count) => {
    for (let nth = 0; nth < count; nth++) await request.respond(answer(nth, nth === count - 1));
  },
  // Nobody waits for it.
  later: (request, count) => void turn().then(() => send(request, count)),
  unawaited: (request, count) => {
    for (let nth = 0; nth < count; nth++) void request.respond(answer(nth, nth === count - 1));
  },
  growing: async (request, count) => {
    for (let nth = 0; nth < count; nth++) {
      await request.respond(answer(nth, false, Array(10 ** nth).fill('x'.repeat(10))));
    }
    await request.end();
  },
  some: async (request) => {
    await request.respond({ outputs: { NTH: { shape: [1, 1], data: [7] } } });
    await request.end();
  },
  fails: async (request, count) => {
    for (let nth = 0; nth < count; nth++) await request.respond(answer(nth));
    request.fail('enough', 'UNAVAILABLE');
  },
  failsLater: (request, count) => {
    void turn()
      .then(() => request.respond(answer(count)))
      .then(() => request.fail('too late'));
  },
  throws: async (request) => {
    await request.respond(answer(0));
    throw new Error('thrown between answers');
  },
  wrong: async (request) => {
    await request.respond({ outputs: { NTH: { shape: [1, 2], data: [1, 2] } } });
  },
  after: async (request) => {
    await request.end();
    const refused = await request.respond(answer(0)).catch((/** @type {Error} */ error) => error.message);
    log.info(`after the end: ${refused}`);
  },
  dies: async (request) => {
    await request.respond(answer(0));
    await turn();
    process.exit(1);
  },
  // Until its client is gone, while others are served.
  endless: (request) => {
    const aborted = new Promise((resolve) => request.signal.addEventListener('abort', resolve));
    void (async () => {
      let nth = 0;
      while (await request.respond(answer(nth, false, ['x'.repeat(10_000)]))) nth++;
      await aborted;
      log.info(`endless ended, cancelled: ${request.isCancelled}, after ${nth < 1000 ? 'few' : 'many'} answers`);
    })();
  },
  waits: async (request) => {
    log.info('waits');
    await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
    log.info('waits no more');
  },
};

/** @param {Batch} batch */
export async function execute(batch) {
  await batch.each(async (request) => {
    const how = request.input('HOW')?.strings()[0] ?? 'plain';
    await ways[how]?.(request, Number(request.input('COUNT')?.data[0]));
  });
}
