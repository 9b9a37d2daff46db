import { configDataType } from '../config/datatype.js';
import type { ModelConfig } from '../config/model-config.js';
import type { BatchInputLayout, BatchOutputLayout } from '../types/batch-io.js';

/** The batch inputs of a valid configuration, one for each target. */
export function batchInputsOf({ batch_input, input }: ModelConfig): BatchInputLayout[] {
  return batch_input.flatMap(({ kind, target_name, data_type, source_input: [sourceName] }) => {
    // Validation refuses any other.
    const datatype = configDataType(data_type) as BatchInputLayout['datatype'];
    const source = input.findIndex(({ name }) => name === sourceName);
    return target_name.map((name) => ({ name, datatype, kind, source }));
  });
}

/** The outputs of a valid configuration that are cut by the shapes of an input, not by rows. */
export function batchOutputsOf({ batch_output, input, output }: ModelConfig): BatchOutputLayout[] {
  return batch_output.flatMap(({ target_name, source_input: [sourceName] }) =>
    target_name.map((target) => ({
      output: output.findIndex(({ name }) => name === target),
      source: input.findIndex(({ name }) => name === sourceName),
    })),
  );
}
