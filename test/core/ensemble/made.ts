import { silentLog } from '../../../src/base/log.js';
import { Ensemble } from '../../../src/core/ensemble/ensemble.js';
import { ensembleGraph } from '../../../src/core/ensemble/graph.js';
import { ModelTensors } from '../../../src/core/model-tensors.js';
import type { ServedModel } from '../../../src/core/served-model.js';
import type { Arena } from '../../../src/memory/arena.js';
import { ModelStatistics } from '../../../src/telemetry/statistics.js';
import { HandClock } from '../../fakes/clock.js';
import { configOf } from './fake-step.js';

/** A step as text: `MODEL INPUT=tensor ... -> OUTPUT=tensor ...`. */
type StepText = string;

export interface EnsembleText {
  readonly name?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly steps: readonly StepText[];
  readonly more?: string;
}

/** An ensemble of tensors of one INT32 over these models. */
export function makeEnsemble(
  { name = 'e', inputs, outputs, steps, more = '' }: EnsembleText,
  models: Readonly<Record<string, ServedModel>>,
  arena: Arena,
): Ensemble {
  const tensor = (kind: string, of: string) => `${kind} { name: "${of}" data_type: TYPE_INT32 dims: [ 1 ] }`;
  const config = configOf(`name: "${name}" platform: "ensemble" max_batch_size: 0
    ${inputs.map((of) => tensor('input', of)).join('\n')} ${outputs.map((of) => tensor('output', of)).join('\n')}
    ensemble_scheduling { ${more} ${steps.map(stepText).join('\n')} }`);
  const tensors = new ModelTensors(config, new Map(), { scalars: new Set(), readsHeads: false, tellsIds: true });
  const served = steps.map((step) => models[step.split(' ')[0]!]!);
  const graph = ensembleGraph(config, tensors, served);
  const statistics = new ModelStatistics();
  return new Ensemble(
    { name, version: 1, config, tensors, graph, statistics },
    { arena, clock: new HandClock(), log: silentLog },
  );
}

function stepText(step: StepText): string {
  const [reads, writes] = step.split(' -> ').map((side) => side.split(' '));
  const map = (kind: string, ends: readonly string[]) =>
    ends.map((end) => `${kind} { key: "${end.split('=')[0]}" value: "${end.split('=')[1]}" }`).join(' ');
  return `step { model_name: "${reads![0]}" model_version: -1 ${map('input_map', reads!.slice(1))} ${map('output_map', writes!)} }`;
}
