/** Texts in capitals; says what it is in its configuration itself. Waits before it answers. */

/** @import { Batch, ModelConfig, ModelContext } from '../../../../workers/javascript/model-api.js' */

/** @type {ModelContext} */
let context;

/** @returns {Partial<ModelConfig>} */
export function configure() {
  return {
    max_batch_size: 8,
    input: [{ name: 'TEXT', data_type: 'TYPE_STRING', dims: [-1] }],
    output: [{ name: 'UPPER', data_type: 'TYPE_STRING', dims: [-1] }],
    dynamic_batching: {},
  };
}

/** @param {ModelContext} given */
export function initialize(given) {
  context = given;
  context.log.info(`${context.name} ${context.version} ${context.kind} ${context.device}`);
}

/** @param {Batch} batch */
export async function execute(batch) {
  await batch.each(async (request) => {
    const text = request.input('TEXT');
    if (text === null) throw new Error('TEXT is not optional');
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (text.strings().includes('refuse')) throw new Error('this text is refused');
    const upper = text.strings().map((string) => string.toUpperCase());
    request.output('UPPER', text.shape, upper);
  });
}

export function finalize() {
  context.log.info(`bye, aborted: ${context.signal.aborted}`);
}
