import { invalid } from '../types/errors.js';
import type { ModelConfig, ModelSequenceBatching, SequenceControl } from './model-config.js';
import { validateStates } from './validate-states.js';

const CORRID = 'CONTROL_SEQUENCE_CORRID';
const corridTypes = ['TYPE_UINT64', 'TYPE_INT64', 'TYPE_UINT32', 'TYPE_INT32', 'TYPE_STRING'];

/** `sequence_batching` (fact sheet 4.6, 5.4). */
export function validateSequence(config: ModelConfig): void {
  const batching = config.sequence_batching;
  if (batching === undefined) return;
  validateControls(config.name, batching);
  validateStates(config);
  for (const size of batching.oldest?.preferred_batch_size ?? []) {
    if (size <= 0) throw invalid(`sequence batching preferred batch size must be positive for ${config.name}`);
    if (size > config.max_batch_size) {
      throw invalid(`sequence batching preferred batch size must be <= max batch size for ${config.name}`);
    }
  }
  const utilization = batching.direct?.minimum_slot_utilization ?? 0;
  if (!(utilization >= 0 && utilization <= 1)) {
    throw invalid(`sequence batching minimum slot utilization must be in range (0.0, 1.0] for ${config.name}`);
  }
}

function validateControls(model: string, batching: ModelSequenceBatching): void {
  const tensors = new Set<string>();
  const kinds = new Set<string>();
  for (const { name, control } of batching.control_input) {
    if (name === '') throw invalid(`sequence batching control tensor must have a name for ${model}`);
    const isShared = tensors.has(name);
    tensors.add(name);
    for (const one of control) {
      if (kinds.has(one.kind)) throw invalid(`sequence batching specifies multiple ${one.kind} tensors for ${model}`);
      kinds.add(one.kind);
      validateControl(model, one);
    }
    // Two kinds in one entry are the same thing: one element cannot carry both.
    if (isShared || control.length > 1) {
      throw invalid(`sequence batching control tensor '${name}' is specified for multiple control kinds for ${model}`);
    }
  }
}

function validateControl(model: string, control: SequenceControl): void {
  const lists = {
    int32_false_true: control.int32_false_true.length,
    fp32_false_true: control.fp32_false_true.length,
    bool_false_true: control.bool_false_true.length,
  };
  const given = Object.entries(lists).filter(([, length]) => length > 0);
  const any = "'int32_false_true', 'fp32_false_true'";
  if (control.kind === CORRID) {
    if (given.length > 0) {
      throw invalid(`sequence batching must not specify either ${any} or 'bool_false_true' for ${CORRID} for ${model}`);
    }
    if (!corridTypes.includes(control.data_type)) {
      throw invalid(
        `unexpected data type for control ${CORRID} for ${model}. Allowed data types are TYPE_UINT64, TYPE_INT64, TYPE_UINT32, TYPE_INT32 and TYPE_STRING`,
      );
    }
    return;
  }
  if (given.length === 0) {
    throw invalid(`sequence batching must specify either ${any} or 'bool_false_true' for ${control.kind} for ${model}`);
  }
  if (given.length > 1) {
    throw invalid(
      `sequence batching specifies more than one from ${any} and 'bool_false_true' for ${control.kind} for ${model}`,
    );
  }
  const [list, length] = given[0]!;
  if (length === 2) return;
  throw invalid(`sequence batching control '${list}' must have exactly 2 entries for ${control.kind} for ${model}`);
}
