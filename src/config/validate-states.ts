import { invalid } from '../types/errors.js';
import type { ModelConfig, SequenceInitialState, SequenceState } from './model-config.js';
import { isDimension } from './validate-tensors.js';

/** `sequence_batching.state` (fact sheet 5.4). */
export function validateStates(config: ModelConfig): void {
  const seen = new Set<string>();
  const outputs = new Set<string>();
  for (const state of config.sequence_batching?.state ?? []) {
    const { input_name, initial_state } = state;
    if (seen.has(input_name)) throw invalid(`State input name '${input_name}' specified more than once.`);
    seen.add(input_name);
    if (outputs.has(state.output_name)) {
      throw invalid(`State output name '${state.output_name}' specified more than once.`);
    }
    outputs.add(state.output_name);
    validateState(config, state);
    if (initial_state.length > 1) {
      throw invalid(
        `initial_state field for state input '${input_name}' must contain exactly one or zero element. Found '${initial_state.length}' elements.`,
      );
    }
    for (const initial of initial_state) validateInitial(state, initial);
  }
}

function validateState(config: ModelConfig, state: SequenceState): void {
  const subject = `state input '${state.input_name}'`;
  if (state.data_type === 'TYPE_INVALID') throw invalid(`${subject} must specify 'data_type' for ${config.name}`);
  if (!state.dims.every(isDimension)) {
    throw invalid(
      `${subject} dimension must be integer >= 1, or -1 to indicate a variable-size dimension for ${config.name}`,
    );
  }
  if (!state.use_growable_memory) return;
  const isOnGpu = config.instance_group.every(({ kind }) => kind === 'KIND_GPU');
  if (isOnGpu && state.use_same_buffer_for_input_output) return;
  throw invalid(
    `${subject} sets 'use_growable_memory' for ${config.name}, which needs 'use_same_buffer_for_input_output' and instances of KIND_GPU`,
  );
}

function validateInitial(state: SequenceState, initial: SequenceInitialState): void {
  const name = state.input_name;
  if (initial.data_type !== state.data_type) {
    throw invalid(
      `The data type used for 'initial_state' field of state '${name}' does not match the state data type.`,
    );
  }
  if (initial.name === '')
    throw invalid(`Field 'name' must be set when using initial_state for state input '${name}'.`);
  if (initial.dims.length !== state.dims.length) {
    throw invalid(
      `Number of dimensions in 'initial_state' doesn't match the size of 'state' dimensions for state input '${name}'. ${initial.dims.length} != ${state.dims.length}`,
    );
  }
  for (const [i, dim] of initial.dims.entries()) validateInitialDim(name, dim, state.dims[i]!);
  if (initial.zero_data === undefined && initial.data_file === undefined) {
    throw invalid(`initial_state setting expects state'${name}' to have state_data set`);
  }
}

function validateInitialDim(name: string, dim: number, declared: number): void {
  if (dim === -1) throw invalid(`'initial_state' field for state input name '${name}' contains variable dimensions.`);
  if (isDimension(dim) && (declared === -1 || dim === declared)) return;
  throw invalid(
    `'initial_state' dim for input name '${name}' doesn't match 'state' dim description. ${dim} != ${declared}`,
  );
}
