import { join } from 'node:path';
import type { StateLayout } from '../backends/worker-protocol.js';
import { configDataType } from '../config/datatype.js';
import type { ModelConfig, SequenceState } from '../config/model-config.js';
import { elementBytes } from '../types/datatype.js';
import { invalid } from '../types/errors.js';
import { elementCount } from '../types/tensor.js';
import { readModelFile } from './model-files.js';

/** The implicit states of a model and what they are in the beginning (fact sheet 5.4). Throws INVALID_ARGUMENT. */
export function sequenceStates(config: ModelConfig, modelDirectory: string): Promise<StateLayout[]> {
  const states = config.sequence_batching?.state ?? [];
  return Promise.all(states.map((state) => stateLayout(state, modelDirectory)));
}

async function stateLayout(state: SequenceState, modelDirectory: string): Promise<StateLayout> {
  const [initial] = state.initial_state;
  const datatype = configDataType(state.data_type);
  const initialDims = initial?.dims ?? state.dims.map((dim) => (dim === -1 ? 1 : dim));
  // An empty string is four bytes of zeros.
  const bytes = elementCount(initialDims) * (elementBytes[datatype] || 4);
  const file = initial?.data_file;
  return {
    input: state.input_name,
    output: state.output_name,
    datatype,
    dims: state.dims,
    initialDims,
    initial:
      file === undefined ? new Uint8Array(bytes) : await readInitial(modelDirectory, file, datatype === 'BYTES', bytes),
    sameBuffer: state.use_same_buffer_for_input_output,
  };
}

/** The first `bytes` bytes of a file; of strings all of it. */
async function readInitial(directory: string, file: string, isWhole: boolean, bytes: number): Promise<Uint8Array> {
  const content = await readModelFile(join(directory, 'initial_state'), file, `initial state '${file}'`);
  if (isWhole) return Uint8Array.from(content);
  if (content.length >= bytes) return Uint8Array.from(content.subarray(0, bytes));
  throw invalid(
    `initial_state setting expects ${bytes} bytes, but the data provided from fileonly has ${content.length} bytes.`,
  );
}
