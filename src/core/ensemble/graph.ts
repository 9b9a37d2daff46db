import type { ModelConfig } from '../../config/model-config.js';
import type { DataType } from '../../types/datatype.js';
import type { ModelTensor, ModelTensors } from '../model-tensors.js';
import type { ServedModel } from '../served-model.js';

/** One end of an ensemble tensor: the input of a step that reads it, or the output of a step that writes it. */
export interface StepTensor {
  readonly name: string;
  readonly datatype: DataType;
  /** Its place in the inputs or the outputs of the step's model. */
  readonly index: number;
  /** Its place in the tensors of the graph. */
  readonly tensor: number;
  readonly optional: boolean;
}

export interface GraphStep {
  readonly model: ServedModel;
  readonly inputs: readonly StepTensor[];
  readonly outputs: readonly StepTensor[];
}

/** Who writes an ensemble tensor. */
export interface GraphTensor {
  readonly name: string;
  /** -1 = it is an input of the ensemble. */
  readonly step: number;
  /** It is written with a leading batch dimension. */
  readonly batched: boolean;
  /** What writes it says of it. */
  readonly source: ModelTensor;
}

/** The steps of an ensemble, and the tensors between them. */
export interface Graph {
  readonly steps: readonly GraphStep[];
  /** The inputs of the ensemble first, in their order. */
  readonly tensors: readonly GraphTensor[];
  /** By output of the ensemble: its tensor. */
  readonly outputs: readonly number[];
}

/**
 * @param config valid, and fitting the models of its steps (config/check-composing.ts)
 * @param models of the steps, in their order
 */
export function ensembleGraph(config: ModelConfig, own: ModelTensors, models: readonly ServedModel[]): Graph {
  const index = new Map<string, number>();
  const tensors: GraphTensor[] = [];
  const add = (tensor: GraphTensor) => index.set(tensor.name, tensors.push(tensor) - 1);
  for (const source of own.inputs) add({ name: source.name, step: -1, batched: own.maxBatchSize > 0, source });
  const steps = config.ensemble_scheduling?.step ?? [];
  for (const [at, { output_map }] of steps.entries()) {
    const { tensors: theirs } = models[at]!;
    for (const [output, name] of Object.entries(output_map)) {
      const source = theirs.outputs[theirs.outputIndex.get(output)!]!;
      add({ name, step: at, batched: theirs.maxBatchSize > 0, source });
    }
  }
  const ends = (map: Record<string, string>, list: readonly ModelTensor[], places: ReadonlyMap<string, number>) =>
    Object.entries(map).map(([name, tensor]) => {
      const place = places.get(name)!;
      const { datatype, optional } = list[place]!;
      return { name, datatype, index: place, tensor: index.get(tensor)!, optional };
    });
  return {
    steps: steps.map(({ input_map, output_map }, at) => {
      const model = models[at]!;
      const { inputs, outputs, inputIndex, outputIndex } = model.tensors;
      return { model, inputs: ends(input_map, inputs, inputIndex), outputs: ends(output_map, outputs, outputIndex) };
    }),
    tensors,
    outputs: own.outputs.map(({ name }) => index.get(name)!),
  };
}
