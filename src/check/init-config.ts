import { autocomplete } from '../config/autocomplete.js';
import { stringText } from '../config/format-pbtxt.js';
import type { ModelConfig, ModelInput, ModelOutput } from '../config/model-config.js';
import { parseModelConfig } from '../config/pbtxt.js';
import { invalid } from '../types/errors.js';
import type { ModelSignature } from '../types/model.js';
import { canBatch } from './rules-batching.js';
import { listText } from './subject.js';

/** Small enough for any machine, and batches of it are already worth while. */
const USUAL_MAX_BATCH_SIZE = 8;

/**
 * The text of a configuration for a model that nothing but its file is known of, with comments on what may be changed.
 * @param from name of the file it is for, for the first line
 * @param maxBatchSize null = the usual one, where the model can batch; throws INVALID_ARGUMENT where it cannot
 */
export function initialConfig(
  name: string,
  signature: ModelSignature,
  from: string,
  maxBatchSize: number | null,
): string {
  const batches = canBatch(signature);
  if (!batches && maxBatchSize !== null && maxBatchSize > 0) {
    throw invalid(
      `${from} cannot batch: the first dimension of each input and output would have to be open. Take --max-batch-size out, or export it so`,
    );
  }
  const rows = batches ? (maxBatchSize ?? USUAL_MAX_BATCH_SIZE) : 0;
  const bare = { ...parseModelConfig('', ''), name, backend: 'onnxruntime', max_batch_size: rows };
  const { config } = autocomplete(bare, signature, { defaultMaxBatchSize: rows });
  const sections = [
    head(name, from),
    batching(rows, batches),
    tensors(config, rows),
    scheduling(rows),
    instances(name),
  ];
  return sections.join('\n');
}

function head(name: string, from: string): string {
  return `# Made from ${oneWord(from)}. Every field is explained in docs/configuration.md of Conch, "conch check" says what is wrong.

# Must be the name of the folder.
name: ${stringText(name)}
backend: "onnxruntime"
`;
}

function oneWord(text: string): string {
  return text.replaceAll(/\s+/g, ' ');
}

function batching(rows: number, batches: boolean): string {
  if (rows > 0) {
    return `# Rows that one execution takes at most. Requests have a batch dimension in front of dims; 0 = they have none.
max_batch_size: ${rows}
`;
  }
  const why = batches
    ? 'The first dimension of every tensor is open: the model could batch, if it counts requests.'
    : 'The first dimension of some tensor is fixed: the model does not batch, and dims are full shapes.';
  return `# ${why}
max_batch_size: 0
`;
}

function tensors(config: ModelConfig, rows: number): string {
  const behind = rows > 0 ? ' without the batch dimension' : '';
  const outputs = config.output.map((output) => tensorText(output)).join(',\n');
  return `# As the model file has them; dims${behind}, -1 = any size.
${config.input.length === 0 ? '' : `input [\n${config.input.map((input) => tensorText(input)).join(',\n')}\n]\n`}output [
${outputs}
]
# An output with classes may name them: label_filename: "labels.txt", one label per line.
`;
}

function tensorText({ name, data_type, dims, reshape }: ModelInput | ModelOutput): string {
  const shape = reshape === undefined ? '' : ` reshape { shape: ${listText(reshape.shape)} }`;
  return `  { name: ${stringText(name)} data_type: ${data_type} dims: ${listText(dims)}${shape} }`;
}

function scheduling(rows: number): string {
  if (rows <= 1) return '';
  return `# Requests that wait are run together. Take this out if the rows of a batch depend on each other.
# max_queue_delay_microseconds lets the oldest wait for company; without it nobody waits longer than for an instance.
dynamic_batching { }
`;
}

function instances(name: string): string {
  return `# Instances run at the same time, each with its share of the cores. Left out: one group called ${stringText(name)}, on a GPU or twice on the CPU.
# instance_group [ { kind: KIND_CPU count: 1 } ]

# The latest version alone is served unless this says otherwise.
# version_policy { latest { num_versions: 2 } }
`;
}
