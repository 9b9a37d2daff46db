import type { OpTable, Translate } from '../call.js';

const through: Translate = (call) => call.input(0);

/** What has no effect on a model that only answers. `Switch`, `Merge`, functions, constants and variables are those of the translator. */
export const flowOps: OpTable = {
  CheckNumerics: through,
  EnsureShape: through,
  Identity: through,
  IdentityN: (call) => [...call.inputs],
  PlaceholderWithDefault: through,
  PreventGradient: through,
  ReadVariableOp: through,
  Snapshot: through,
  StopGradient: through,
};
