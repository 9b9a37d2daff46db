import { invalid } from '../types/errors.js';
import { type Shape, shapeText } from '../types/tensor.js';
import type { ConfigDataType, ModelConfig, ModelEnsembling, ModelInput, ModelOutput } from './model-config.js';

type Step = ModelEnsembling['step'][number];

/** A tensor of an ensemble, as the first who has to do with it sees it. */
interface Tensor {
  readonly model: string;
  readonly type: ConfigDataType;
  /** Without and with the dimension of the batch. */
  readonly dims: Shape;
  readonly fullDims: Shape;
}

/**
 * Holds an ensemble whose own configuration is valid against the models of its steps. Throws INVALID_ARGUMENT with Triton's texts, in
 * Triton's order (fact sheet 5.6). What a step's map cannot express, or `validateEnsemble` refuses, is not asked for again.
 * @param models configurations as they are served, one for each step; that of an ensemble is what this function returned for it
 * @returns the configuration as it is served: it is decoupled where a step is, whatever was written
 */
export function checkComposing(config: ModelConfig, models: readonly ModelConfig[]): ModelConfig {
  const tensors = ownTensors(config);
  for (const [i, step] of stepsOf(config).entries()) {
    const model = models[i]!;
    checkBatchSize(config, step, model);
    checkInputs(config, step, model, tensors);
    checkOutputs(config, step, model, tensors);
  }
  checkOrigins(config, models);
  return { ...config, model_transaction_policy: { decoupled: models.some(isDecoupled) } };
}

function stepsOf(config: ModelConfig): readonly Step[] {
  return config.ensemble_scheduling!.step;
}

function isDecoupled(config: ModelConfig): boolean {
  return config.model_transaction_policy?.decoupled ?? false;
}

/** Inside the ensemble its own tensors have the shape that they are reshaped to. */
function ownTensors(config: ModelConfig): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  for (const own of [...config.input, ...config.output]) {
    if (!tensors.has(own.name))
      tensors.set(own.name, tensorOf(config, config.name, own, own.reshape?.shape ?? own.dims));
  }
  return tensors;
}

function tensorOf(
  { max_batch_size }: ModelConfig,
  model: string,
  { data_type }: ModelInput | ModelOutput,
  dims: Shape,
): Tensor {
  return { model, type: data_type, dims, fullDims: max_batch_size > 0 ? [-1, ...dims] : dims };
}

/** A step that does not batch has no bound of rows: its shapes have to fit. */
function checkBatchSize(config: ModelConfig, { model_name }: Step, model: ModelConfig): void {
  if (model.max_batch_size === 0 || model.max_batch_size >= config.max_batch_size) return;
  throw invalid(
    `ensemble ${config.name} allows maximum batch size ${config.max_batch_size}, but it contains model ${model_name} ` +
      `which only allows maximum batch size to be ${model.max_batch_size}`,
  );
}

function checkInputs(config: ModelConfig, step: Step, model: ModelConfig, tensors: Map<string, Tensor>): void {
  const where = `in ensemble ${config.name}`;
  const known = new Set(model.input.map(({ name }) => name));
  for (const [input, tensor] of Object.entries(step.input_map)) {
    if (known.has(input)) continue;
    throw invalid(
      `${where}, ensemble tensor ${tensor} is mapping to non-existing input ${input} in model ${step.model_name}`,
    );
  }
  for (const input of model.input) {
    const tensor = step.input_map[input.name];
    if (tensor !== undefined) meet(config, tensors, tensor, tensorOf(model, step.model_name, input, input.dims));
    else if (!input.optional) {
      throw invalid(`${where}, input ${input.name} in model ${step.model_name} is not mapped to any ensemble tensors`);
    }
  }
}

function checkOutputs(config: ModelConfig, step: Step, model: ModelConfig, tensors: Map<string, Tensor>): void {
  const known = new Map(model.output.map((output) => [output.name, output]));
  const outputs = Object.entries(step.output_map);
  for (const [output, tensor] of outputs) {
    if (known.has(output)) continue;
    throw invalid(
      `in ensemble ${config.name}, ensemble tensor ${tensor} is mapped from non-existing output ${output} in model ${step.model_name}`,
    );
  }
  for (const [name, tensor] of outputs) {
    const output = known.get(name)!;
    meet(config, tensors, tensor, tensorOf(model, step.model_name, output, output.dims));
  }
}

/** Two models that share a tensor agree on it. */
function meet(config: ModelConfig, tensors: Map<string, Tensor>, name: string, seen: Tensor): void {
  const known = tensors.get(name);
  if (known === undefined) {
    tensors.set(name, seen);
    return;
  }
  const differ = (what: string, ours: string, theirs: string) =>
    invalid(
      `in ensemble ${config.name}, ensemble tensor ${name}: inconsistent ${what}: ${ours} is inferred from model ${known.model} ` +
        `while ${theirs} is inferred from model ${seen.model}`,
    );
  if (known.type !== seen.type) throw differ('data type', known.type, seen.type);
  // `[-1, d]` of a model that does not batch is what `[d]` of one that does is with its batch.
  if (fits(known.dims, seen.dims) || fits(known.fullDims, seen.fullDims)) return;
  throw differ('shape', shapeText(known.fullDims), shapeText(seen.fullDims));
}

function fits(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i] || dim === -1 || b[i] === -1);
}

/** What belongs to one answer of a decoupled model has no counterpart among the answers of another. */
function checkOrigins(config: ModelConfig, models: readonly ModelConfig[]): void {
  /** Which decoupled step a tensor comes from; -1 = none. */
  const origins = new Map(config.input.map(({ name }) => [name, -1]));
  const left = new Map(stepsOf(config).entries());
  for (let before = -1; before !== left.size; ) {
    before = left.size;
    for (const [i, step] of left) {
      const inputs = Object.values(step.input_map);
      if (!inputs.every((tensor) => origins.has(tensor))) continue;
      const origin = commonOrigin(config, step.model_name, inputs, origins);
      for (const tensor of Object.values(step.output_map)) origins.set(tensor, isDecoupled(models[i]!) ? i : origin);
      left.delete(i);
    }
  }
  const outputs = config.output.map(({ name }) => name);
  commonOrigin(config, config.name, outputs, origins);
}

function commonOrigin(
  config: ModelConfig,
  model: string,
  tensors: readonly string[],
  origins: ReadonlyMap<string, number>,
): number {
  const [first = -1, ...others] = tensors.map((tensor) => origins.get(tensor)!);
  if (others.every((origin) => origin === first)) return first;
  throw invalid(
    `in ensemble ${config.name}, step of model '${model}' receives inputs originated from different decoupled models`,
  );
}
