const lstmOutputs = ['i', 'cs', 'f', 'o', 'ci', 'co', 'h'] as const;
const normOutputs = [
  'y',
  'batch_mean',
  'batch_variance',
  'reserve_space_1',
  'reserve_space_2',
  'reserve_space_3',
] as const;

/** Outputs of ops that have more than one, by the names that they go by in functions. */
const outputNames: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    BlockLSTM: lstmOutputs,
    BlockLSTMV2: lstmOutputs,
    FusedBatchNorm: normOutputs,
    FusedBatchNormV2: normOutputs,
    FusedBatchNormV3: normOutputs,
    GRUBlockCell: ['r', 'u', 'c', 'h'],
    LSTMBlockCell: lstmOutputs,
    Merge: ['output', 'value_index'],
    Switch: ['output_false', 'output_true'],
    TensorArrayConcatV3: ['value', 'lengths'],
    TensorArrayV3: ['handle', 'flow'],
    TensorListConcatV2: ['tensor', 'lengths'],
    TensorListPopBack: ['output_handle', 'tensor'],
    TopKV2: ['values', 'indices'],
  }),
);

/** `node:output:0` of a function as `node:1`; any other form as it is. An output of many values is the only one of its op. */
export function placed(text: string, opOf: (node: string) => string): string {
  const [node, output, index, ...rest] = text.split(':') as [string, ...string[]];
  if (index === undefined || rest.length > 0) return text;
  const place = outputNames.get(opOf(node))?.indexOf(output!) ?? -1;
  return place < 0 ? `${node}:${index}` : `${node}:${place}`;
}
