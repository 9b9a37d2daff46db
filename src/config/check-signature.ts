import { invalid, type ServerError } from '../types/errors.js';
import type { ModelSignature, SignatureTensor } from '../types/model.js';
import { type Shape, sameShape, shapeText } from '../types/tensor.js';
import { checkControl } from './check-controls.js';
import type { FieldPath } from './config-source.js';
import type { BatchInput, ModelConfig, ModelInput, ModelOutput, SequenceState } from './model-config.js';
import { byName, checkType, findTensor, type Tensors, unable } from './signature-tensors.js';

/**
 * Holds a complete configuration against the model's own signature. Throws INVALID_ARGUMENT that names the tensor, both shapes with
 * their batch dimension and the way out (texts of Triton's ONNX backend, fact sheet 4.5).
 */
export function checkSignature(config: ModelConfig, signature: ModelSignature): void {
  for (const { run } of signatureChecks(config, signature)) run();
}

/** One check, and the part of the configuration that it is about. */
export interface SignatureCheck {
  readonly field: FieldPath;
  /** Throws what `checkSignature` throws. */
  readonly run: () => void;
}

/** The same, check by check: for who wants to know all that is wrong. */
export function signatureChecks(config: ModelConfig, signature: ModelSignature): SignatureCheck[] {
  const inputs = byName([...signature.inputs, ...signature.overridable]);
  const outputs = byName(signature.outputs);
  const sequence = config.sequence_batching;
  return [
    ...each(['sequence_batching', 'control_input'], sequence?.control_input ?? [], (control) =>
      checkControl(config, control, inputs),
    ),
    { field: ['input'], run: () => checkCount(config, signature, inputs) },
    ...each(['input'], config.input, (input) => checkInput(config, input, inputs)),
    ...each(['batch_input'], config.batch_input, (batchInput) => checkBatchInput(config, batchInput, inputs)),
    ...each(['output'], config.output, (output) => checkOutput(config, output, outputs)),
    ...each(['sequence_batching', 'state'], sequence?.state ?? [], (state) =>
      checkState(config, state, inputs, outputs),
    ),
  ];
}

function each<T>(field: FieldPath, items: readonly T[], check: (item: T) => void): SignatureCheck[] {
  return items.map((item, index) => ({ field: [...field, index], run: () => check(item) }));
}

/** Every input of the graph needs a value; those with one of their own may be listed. */
function checkCount(config: ModelConfig, signature: ModelSignature, inputs: Tensors): void {
  const configured = configuredInputs(config);
  const overridden = signature.overridable.filter(({ name }) => configured.includes(name)).length;
  const provided = signature.inputs.length + overridden;
  if (configured.length === provided) return;
  const unknown = configured.filter((name) => !inputs.has(name));
  const missing = signature.inputs.map(({ name }) => name).filter((name) => !configured.includes(name));
  const hints = [
    missing.length > 0 ? `; not configured: ${quoted(missing)}` : '',
    unknown.length > 0 ? `; not in the model: ${quoted(unknown)}` : '',
  ];
  throw unable(
    config,
    `configuration expects ${configured.length} inputs, model provides ${provided}${hints.join('')}`,
  );
}

function configuredInputs({ input, batch_input, sequence_batching }: ModelConfig): string[] {
  return [
    ...input.map(({ name }) => name),
    ...(sequence_batching?.control_input.map(({ name }) => name) ?? []),
    ...(sequence_batching?.state.map(({ input_name }) => input_name) ?? []),
    ...batch_input.flatMap(({ target_name }) => target_name),
  ];
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(', ');
}

function checkInput(config: ModelConfig, input: ModelInput, inputs: Tensors): void {
  if (input.optional && config.max_batch_size > 0) {
    throw unable(
      config,
      `optional input '${input.name}' is not supported for models that support batching. ` +
        'Set max_batch_size to 0 or take the optional input out',
    );
  }
  const model = findTensor('input', input.name, inputs);
  checkType(config, `input '${input.name}'`, input.data_type, model);
  if (input.allow_ragged_batch && input.optional) {
    throw unable(
      config,
      `configuration expects model provides input with shape [-1] for ragged input '${input.name}', which is not supported for optional input`,
    );
  }
  if (input.allow_ragged_batch) checkRagged(config, input, model);
  else checkShape(config, input, model);
}

function checkOutput(config: ModelConfig, output: ModelOutput, outputs: Tensors): void {
  const model = findTensor('output', output.name, outputs);
  checkType(config, `output '${output.name}'`, output.data_type, model);
  const isScattered = config.batch_output.some(({ target_name }) => target_name.includes(output.name));
  // Triton compares with what ONNX Runtime infers, which is often more than the file says. Whether it is so shows when the model runs.
  if (!isScattered) checkShape(config, output, model);
}

/** Types only: a state has the shape that the model gave it. */
function checkState(config: ModelConfig, state: SequenceState, inputs: Tensors, outputs: Tensors): void {
  const { input_name, output_name, data_type } = state;
  checkType(config, `input state '${input_name}'`, data_type, findTensor('input', input_name, inputs));
  checkType(config, `output state '${output_name}'`, data_type, findTensor('output', output_name, outputs));
}

/** The requests' elements arrive in one row: `[-1]`. */
function checkRagged(config: ModelConfig, input: ModelInput, model: SignatureTensor): void {
  if (sameShape(model.shape, [-1])) return;
  throw unable(
    config,
    `configuration expects model provides input with shape [-1]  for ragged input '${input.name}', model provides ${shapeText(model.shape)}`,
  );
}

/** Each of its targets is an input of the model that takes its type and shape. */
function checkBatchInput(
  config: ModelConfig,
  { kind, target_name, data_type, source_input }: BatchInput,
  inputs: Tensors,
): void {
  const source = config.input.find(({ name }) => name === source_input[0]);
  const dims = source?.reshape?.shape ?? source?.dims ?? [];
  const rank = config.max_batch_size > 0 ? dims.length : Math.max(0, dims.length - 1);
  const shape = kind === 'BATCH_ITEM_SHAPE' ? [-1, rank] : [-1];
  for (const name of target_name) {
    const model = findTensor('input', name, inputs);
    checkType(config, `batch input '${name}'`, data_type, model);
    if (canBe(shape, model.shape)) continue;
    throw unable(
      config,
      `configuration expects model provides input with shape ${shapeText(shape)} for batch input '${name}', model provides ${shapeText(model.shape)}`,
    );
  }
}

/** What one leaves open, the other may say. */
function canBe(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i] || dim === -1 || b[i] === -1);
}

/** The configuration may be stricter than the model, where the model leaves a dimension open. */
function isStricter(config: Shape, model: Shape): boolean {
  return config.length === model.length && config.every((dim, i) => dim === model[i] || model[i] === -1);
}

/** The reshape is what the model sees. */
function checkShape(config: ModelConfig, tensor: ModelInput | ModelOutput, model: SignatureTensor): void {
  const own = tensor.reshape?.shape ?? tensor.dims;
  if (config.max_batch_size === 0) {
    if (model.shape.length === 0) checkScalar(config, tensor.name, own);
    else if (!isStricter(own, model.shape)) throw shapeError(config, tensor, own, model.shape);
    return;
  }
  if (model.shape[0] !== -1) throw noBatching(config, tensor, model.shape);
  if (!isStricter([-1, ...own], model.shape)) throw shapeError(config, tensor, [-1, ...own], model.shape);
}

/** Without batching, one element stands for a scalar. */
function checkScalar(config: ModelConfig, name: string, own: Shape): void {
  if (own.every((dim) => dim === 1)) return;
  throw unable(
    config,
    `scalar tensor '${name}', should only provide 1 in the model configuration when the model doesn't support batching. ` +
      `Model configuration provided: ${shapeText(own)}.`,
  );
}

function noBatching(config: ModelConfig, tensor: ModelInput | ModelOutput, model: Shape): ServerError {
  return invalid(
    `model '${config.name}', tensor '${tensor.name}': for the model to support batching the shape should have at least 1 dimension and ` +
      `the first dimension must be -1; but shape expected by the model is ${shapeText(model)}. ` +
      'Set max_batch_size to 0 and write the full shape into dims, or export the model with a symbolic first dimension',
  );
}

function shapeError(config: ModelConfig, tensor: ModelInput | ModelOutput, full: Shape, model: Shape): ServerError {
  const batching = config.max_batch_size > 0;
  const form = batching
    ? `(an initial batch dimension because max_batch_size > 0 followed by the explicit tensor shape, making complete shape ${shapeText(full)})`
    : `(shape ${shapeText(full)})`;
  const expected = shapeText(batching ? model.slice(1) : model);
  const field = tensor.reshape === undefined ? 'dims' : 'reshape.shape';
  return invalid(
    `model '${config.name}', tensor '${tensor.name}': the model expects ${model.length} dimensions (shape ${shapeText(model)}) but the model ` +
      `configuration specifies ${full.length} dimensions ${form}. To fit the model, ${field} should be ${expected}`,
  );
}
