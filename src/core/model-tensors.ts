import type { TensorLayout } from '../backends/worker-protocol.js';
import { configDataType } from '../config/datatype.js';
import type { ModelConfig } from '../config/model-config.js';
import { type Arena, alignUp } from '../memory/arena.js';
import { RowPlanes } from '../memory/planes.js';
import { type DataType, elementBytes } from '../types/datatype.js';
import { elementCount, type Shape } from '../types/tensor.js';
import { applyReshape } from './reshape.js';
import { type ControlSpec, controlsOf } from './sequence-controls.js';

/** One input or output of a model as clients see it, and what its backend sees instead. Shapes are without the batch dimension. */
export interface ModelTensor {
  readonly name: string;
  readonly datatype: DataType;
  readonly dims: Shape;
  readonly backendDims: Shape;
  /** Bytes of one row; 0 = differs from request to request. */
  readonly rowBytes: number;
  readonly optional: boolean;
  /** `allow_ragged_batch`: it may differ from request to request within a batch. Inputs only. */
  readonly ragged: boolean;
  /** The labels of a classification, by index; null = none. Outputs only; may change while the model serves. */
  labels: readonly string[] | null;
}

/** What its backend says of the tensors of a model. */
export interface TensorTraits {
  /** Tensors of one element that it knows without dimensions, where the model does not batch. */
  readonly scalars: ReadonlySet<string>;
  readonly readsHeads: boolean;
  /** It finds errors behind the head of a request, and names its id. */
  readonly tellsIds?: boolean;
}

const NO_TRAITS: TensorTraits = { scalars: new Set(), readsHeads: false };

/** By the name of the output. */
export type Labels = ReadonlyMap<string, readonly string[]>;

/** The tensors of a model, taken from its configuration once; what a request is checked against and placed by. */
export class ModelTensors {
  /** Those that clients send. */
  readonly inputs: readonly ModelTensor[];
  /** What its backend is fed: those, and behind them the controls of its sequence, which the server writes. */
  readonly feeds: readonly ModelTensor[];
  /** Lines of the tensor table of a request's slot: one for each feed, and one for its head where the model reads that. */
  readonly lines: number;
  /** It is told what a request says beside its tensors. */
  readonly readsHeads: boolean;
  /** Each of its requests has a plan with its own id. */
  readonly tellsIds: boolean;
  readonly outputs: readonly ModelTensor[];
  readonly inputIndex: ReadonlyMap<string, number>;
  readonly outputIndex: ReadonlyMap<string, number>;
  /** 0 = the model does not batch. */
  readonly maxBatchSize: number;
  /** Every input, and every control, has rows of a fixed size: requests whose model needs no head of theirs can lie in planes. */
  readonly hasPlanes: boolean;
  readonly requiredInputs: number;
  /** The control that is given the id of a sequence; null = there is none. */
  readonly correlationId: ControlSpec | null;
  /** Of its memory. */
  readonly owners = { input: { kind: 'input' }, output: { kind: 'output' } } as const;

  constructor(config: ModelConfig, labels: Labels, { scalars, readsHeads, tellsIds }: TensorTraits = NO_TRAITS) {
    this.inputs = config.input.map((input) => modelTensor(input, scalars, input.optional, null));
    const scattered = new Set(config.batch_output.flatMap(({ target_name }) => target_name));
    this.outputs = config.output.map((output) => {
      const tensor = modelTensor(output, scalars, false, labels.get(output.name) ?? null);
      return scattered.has(output.name) ? { ...tensor, rowBytes: 0 } : tensor;
    });
    const controls = controlsOf(config);
    this.feeds = [...this.inputs, ...controls.map(controlTensor)];
    this.lines = this.feeds.length + (readsHeads ? 1 : 0);
    this.readsHeads = readsHeads;
    this.tellsIds = readsHeads || (tellsIds ?? false);
    this.correlationId = controls.find(({ kind }) => kind === 'CONTROL_SEQUENCE_CORRID') ?? null;
    this.inputIndex = new Map(this.inputs.map((input, index) => [input.name, index]));
    this.outputIndex = new Map(this.outputs.map((output, index) => [output.name, index]));
    this.maxBatchSize = config.max_batch_size;
    this.hasPlanes = this.feeds.every((input) => input.rowBytes > 0 && !input.optional);
    this.requiredInputs = this.inputs.filter((input) => !input.optional).length;
  }

  relabel(labels: Labels): void {
    for (const output of this.outputs) output.labels = labels.get(output.name) ?? null;
  }

  /** Rows of one request at most, and of one execution. */
  get maxRows(): number {
    return Math.max(1, this.maxBatchSize);
  }

  /** Planes for the rows of requests; null = rows have no fixed size. */
  planesIn(arena: Arena): RowPlanes | null {
    if (!this.hasPlanes) return null;
    const rowBytes = this.feeds.map((feed) => feed.rowBytes);
    return new RowPlanes(arena, rowBytes, this.maxRows, this.owners.input);
  }

  inputLayouts(): TensorLayout[] {
    let offset = 0;
    return this.feeds.map((input) => {
      const planeOffset = offset;
      offset += alignUp(input.rowBytes * this.maxRows);
      return layout(input, planeOffset);
    });
  }

  outputLayouts(): TensorLayout[] {
    return this.outputs.map((output) => layout(output, 0));
  }
}

/** The shape that the backend sees for a request's shape (both without batch dimension). */
export function toBackend(tensor: ModelTensor, shape: Shape): Shape {
  return tensor.dims === tensor.backendDims ? shape : applyReshape(shape, tensor.dims, tensor.backendDims);
}

/** The shape that the client sees for the backend's. */
export function toClient(tensor: ModelTensor, shape: Shape): Shape {
  return tensor.dims === tensor.backendDims ? shape : applyReshape(shape, tensor.backendDims, tensor.dims);
}

function modelTensor(
  tensor: ModelConfig['input'][number] | ModelConfig['output'][number],
  scalars: ReadonlySet<string>,
  optional: boolean,
  labels: readonly string[] | null,
): ModelTensor {
  const datatype = configDataType(tensor.data_type);
  const { dims } = tensor;
  const ragged = 'allow_ragged_batch' in tensor && tensor.allow_ragged_batch;
  const variable = dims.includes(-1) || datatype === 'BYTES';
  return {
    name: tensor.name,
    datatype,
    dims,
    backendDims: scalars.has(tensor.name) ? [] : (tensor.reshape?.shape ?? dims),
    rowBytes: variable ? 0 : elementCount(dims) * elementBytes[datatype],
    optional,
    ragged,
    labels,
  };
}

function controlTensor({ name, datatype }: ControlSpec): ModelTensor {
  const rowBytes = elementBytes[datatype];
  return { name, datatype, dims: [1], backendDims: [1], rowBytes, optional: false, ragged: false, labels: null };
}

function layout(tensor: ModelTensor, planeOffset: number): TensorLayout {
  const { name, datatype, rowBytes, ragged } = tensor;
  return { name, datatype, dims: tensor.backendDims, rowBytes, planeOffset, ragged };
}
