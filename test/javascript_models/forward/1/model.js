/** Answers whatever `repeat` answers, when `execute` is over. */

/** @import { Batch, ModelContext, ModelRequest } from '../../../../workers/javascript/model-api.js' */

/** @type {ModelContext} */
let ctx;

/** @param {ModelContext} context */
export function initialize(context) {
  ctx = context;
}

/** @param {ModelRequest} request */
async function forward(request) {
  const inputs = ['COUNT', 'HOW'].flatMap((name) => request.input(name) ?? []);
  try {
    for await (const answer of ctx.inferStream({ model: 'repeat', inputs, request, borrow: true })) {
      const { shape, data } = answer.output('NTH');
      if (!(await request.respond({ outputs: { NTH: { shape, data } } }))) break;
    }
    await request.end();
  } catch (error) {
    request.fail(/** @type {Error} */ (error));
  }
  ctx.log.info(`forwarded, cancelled: ${request.isCancelled}`);
}

/** @param {Batch} batch */
export function execute({ requests }) {
  for (const request of requests) void forward(request);
}
