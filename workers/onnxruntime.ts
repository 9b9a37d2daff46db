import { createRequire } from 'node:module';
import type { InstanceInit, OnnxSettings, TensorLayout } from '../src/backends/worker-protocol.js';
import type { DataType } from '../src/types/datatype.js';
import { ServerError } from '../src/types/errors.js';
import { type TensorData, typedArrays } from '../src/types/typed-array.js';
import type { BoundInput } from './inputs.js';
import { type OutputPlace, type Runner, serveInstance } from './loop.js';
import type { RunOutput } from './outputs.js';

/** A tensor as the binding reads and makes it; FP16 works in this form on every Node (design, section 2). */
interface OrtTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: TensorData | readonly string[];
  readonly location: 'cpu';
}

/** The synchronous session under `onnxruntime-node`'s promise API: half the time per call, and this thread has nothing else to do. */
interface OrtSession {
  loadModel(path: string, options: object): void;
  loadModel(buffer: ArrayBufferLike, byteOffset: number, byteLength: number, options: object): void;
  run(
    feeds: Record<string, OrtTensor>,
    fetches: Record<string, OrtTensor | null>,
    options: object,
  ): Record<string, OrtTensor>;
}

interface OrtBinding {
  readonly binding: { readonly InferenceSession: new () => OrtSession };
  initOrt(): void;
}

const ortTypes: Readonly<Record<DataType, string>> = {
  BOOL: 'bool',
  UINT8: 'uint8',
  UINT16: 'uint16',
  UINT32: 'uint32',
  UINT64: 'uint64',
  INT8: 'int8',
  INT16: 'int16',
  INT32: 'int32',
  INT64: 'int64',
  FP16: 'float16',
  FP32: 'float32',
  FP64: 'float64',
  BYTES: 'string',
  // The binding has no such type; a model that needs one is refused at load.
  BF16: 'bfloat16',
};

const runOptions = {};

class OnnxRunner implements Runner {
  readonly #session: OrtSession;
  readonly #inputs: readonly TensorLayout[];
  readonly #outputs: readonly TensorLayout[];
  readonly #batching: boolean;
  readonly #defaults: ReadonlyMap<string, OrtTensor>;

  constructor(init: InstanceInit<OnnxSettings>) {
    this.#inputs = init.inputs;
    this.#outputs = init.outputs;
    this.#batching = init.batching;
    this.#defaults = new Map(init.settings.defaults.map((value) => [value.name, defaultTensor(value)]));
    this.#session = openSession(init.settings);
  }

  run(inputs: readonly (BoundInput | null)[], rows: number, place: OutputPlace | null): readonly RunOutput[] {
    const fetches = this.#fetches(rows, place);
    let results: Record<string, OrtTensor | null>;
    try {
      results = this.#session.run(this.#feeds(inputs), fetches, runOptions);
    } catch (error) {
      throw new ServerError('INTERNAL', `onnx runtime error: ${(error as Error).message}`);
    }
    // What is written to memory that it was given, the binding returns as a copy beside it.
    const written = place === null ? results : fetches;
    return this.#outputs.map((output) => written[output.name]!);
  }

  #feeds(inputs: readonly (BoundInput | null)[]): Record<string, OrtTensor> {
    const feeds: Record<string, OrtTensor> = {};
    for (let i = 0; i < inputs.length; i++) {
      const input = inputs[i]!;
      const { name, datatype } = this.#inputs[i]!;
      const tensor = input === null ? this.#defaults.get(name) : tensorOf(datatype, input.dims, input.data);
      if (tensor !== undefined) feeds[name] = tensor;
    }
    return feeds;
  }

  #fetches(rows: number, place: OutputPlace | null): Record<string, OrtTensor | null> {
    const fetches: Record<string, OrtTensor | null> = {};
    for (let i = 0; i < this.#outputs.length; i++) {
      const { name, datatype, dims } = this.#outputs[i]!;
      fetches[name] =
        place === null ? null : tensorOf(datatype, this.#batching ? [rows, ...dims] : dims, place(i, rows));
    }
    return fetches;
  }
}

function tensorOf(datatype: DataType, dims: readonly number[], data: OrtTensor['data']): OrtTensor {
  return { type: ortTypes[datatype], dims, data, location: 'cpu' };
}

function defaultTensor(value: OnnxSettings['defaults'][number]): OrtTensor {
  const View = typedArrays[value.datatype as keyof typeof typedArrays];
  const bytes = value.bytes.slice();
  return tensorOf(value.datatype, value.shape, new View(bytes.buffer, 0, bytes.byteLength / View.BYTES_PER_ELEMENT));
}

function openSession(settings: OnnxSettings): OrtSession {
  const require = createRequire(import.meta.url);
  const { binding, initOrt } = require('onnxruntime-node/dist/binding.js') as OrtBinding;
  initOrt();
  const session = new binding.InferenceSession();
  const { modelBytes } = settings;
  try {
    if (modelBytes.byteLength === 0) session.loadModel(settings.modelPath, settings.session);
    else session.loadModel(modelBytes.buffer, modelBytes.byteOffset, modelBytes.byteLength, settings.session);
  } catch (error) {
    throw new ServerError('INTERNAL', `onnx runtime error: ${(error as Error).message}`);
  }
  return session;
}

/** Entry point of an ONNX Runtime instance: piscina runs it once, for the instance's whole life. */
export function runInstance(init: InstanceInit<OnnxSettings>): void {
  serveInstance(init, () => new OnnxRunner(init));
}
