import { stringText } from '../config/format-pbtxt.js';

/** Small enough for any machine, and batches of it are already worth while. */
const USUAL_MAX_BATCH_SIZE = 8;

/** The text of a configuration for the module below, with comments on what may be changed. @param maxBatchSize null = the usual one */
export function javascriptConfig(name: string, maxBatchSize: number | null): string {
  const rows = maxBatchSize ?? USUAL_MAX_BATCH_SIZE;
  const scheduling =
    rows > 1
      ? `
# Requests that wait are run together, in one call of execute().
dynamic_batching { }
`
      : '';
  return `# Every field is explained in docs/configuration.md of Conch, the model's code in docs/javascript-models.md.

# Must be the name of the folder.
name: ${stringText(name)}
backend: "javascript"

# Rows that one execution takes at most. Requests have a batch dimension in front of dims; 0 = they have none.
max_batch_size: ${rows}

# TYPE_STRING for texts and files; -1 = any size.
input [ { name: "INPUT0" data_type: TYPE_FP32 dims: [ -1 ] } ]
output [ { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ -1 ] } ]
${scheduling}
# Each instance runs the code in a thread of its own.
instance_group [ { kind: KIND_CPU count: 1 } ]

# For the code to read. Those that the server reads, such as max_old_generation_mb, are in docs/javascript-models.md.
parameters { key: "factor" value { string_value: "2" } }
`;
}

/** The module of a model that multiplies numbers. */
export const javascriptModule = `// @ts-check
/** @import { Batch, ModelContext } from 'conch-server/model' */

let factor = 1;

/**
 * Called once for each instance, before it serves: load here what execute() needs. What it throws is why the model does not load.
 * @param {ModelContext} context
 */
export async function initialize(context) {
  factor = Number(context.parameters.factor ?? 1);
  context.log.info(\`multiplies by \${factor}\`);
}

/**
 * Answers all requests of a batch; the next batch comes when it has returned.
 * @param {Batch} batch
 */
export async function execute(batch) {
  // What is thrown for one request fails that request only.
  await batch.each(async (request) => {
    const input = request.input('INPUT0');
    if (input === null) throw new Error('INPUT0 is not optional');
    const output = request.output('OUTPUT0', input.shape);
    for (let index = 0; index < output.length; index++) output[index] = factor * input.data[index];
  });
}

/** Called once for each instance, when it has run its last batch. */
export async function finalize() {}
`;
