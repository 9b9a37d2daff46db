import type { DataType } from '../types/datatype.js';
import { invalid, ServerError } from '../types/errors.js';
import type { SignatureTensor } from '../types/model.js';
import { sameShape, shapeText } from '../types/tensor.js';
import { dataTypeInConfig } from './datatype.js';
import type { ConfigDataType, ModelConfig, ModelSequenceBatching, SequenceControl } from './model-config.js';

/** What ONNX Runtime calls a datatype, where that is another name. */
const onnxNames: Partial<Record<DataType, string>> = {
  FP16: 'FLOAT16',
  FP32: 'FLOAT',
  FP64: 'DOUBLE',
  BYTES: 'STRING',
  BF16: 'BFLOAT16',
};

/** A sequence control is an input of the model, of one element per request (fact sheet 4.5). */
export function checkControl(
  config: ModelConfig,
  { name, control }: ModelSequenceBatching['control_input'][number],
  inputs: ReadonlyMap<string, SignatureTensor>,
): void {
  const model = inputs.get(name);
  if (model === undefined) {
    throw new ServerError(
      'INTERNAL',
      `configuration specified sequence control '${name}', but model does not provide that input`,
    );
  }
  const subject = `unable to load model '${config.name}', sequence control '${name}'`;
  const dims = config.max_batch_size > 0 ? model.shape.slice(1) : model.shape;
  if (!sameShape(dims, [1])) throw invalid(`${subject} in model has dims ${shapeText(dims)} but dims [1] is expected`);
  for (const one of control) checkControlType(subject, model, controlType(one));
}

function checkControlType(subject: string, model: SignatureTensor, configured: ConfigDataType): void {
  if (dataTypeInConfig(model.datatype) === configured) return;
  const expected = onnxNames[model.datatype] ?? model.datatype;
  throw invalid(
    `${subject}, the model expects data-type ${expected} but the model configuration specifies data-type ${configured}`,
  );
}

/** Flags have the type of the list that is given; only a correlation id names its own. */
function controlType(control: SequenceControl): ConfigDataType {
  if (control.kind === 'CONTROL_SEQUENCE_CORRID') return control.data_type;
  if (control.int32_false_true.length > 0) return 'TYPE_INT32';
  return control.fp32_false_true.length > 0 ? 'TYPE_FP32' : 'TYPE_BOOL';
}
