import { checkComposing } from '../../config/check-composing.js';
import { ModelStatistics } from '../../telemetry/statistics.js';
import { readLabels } from '../labels.js';
import type { LoadSettings } from '../load-model.js';
import { ModelTensors } from '../model-tensors.js';
import type { ServedModel } from '../served-model.js';
import type { ModelVersionSource } from '../version-source.js';
import { Ensemble, type EnsembleSurroundings } from './ensemble.js';
import { ensembleGraph } from './graph.js';

/**
 * Loads one version of an ensemble. Throws a ServerError.
 * @param steps the models of its steps, in their order: it is bound to these, whatever takes their place
 */
export async function loadEnsemble(
  { name, version, directory, ...source }: ModelVersionSource,
  steps: readonly ServedModel[],
  settings: Pick<LoadSettings, 'finish' | 'latencyDetail' | 'cacheOf'>,
  surroundings: EnsembleSurroundings,
): Promise<Ensemble> {
  const models = steps.map((step) => step.config);
  const config = checkComposing(settings.finish(source.config), models);
  const labels = await readLabels(config, directory);
  const readsHeads = steps.some(({ tensors }) => tensors.readsHeads);
  const tensors = new ModelTensors(config, labels, { scalars: new Set(), readsHeads, tellsIds: true });
  const graph = ensembleGraph(config, tensors, steps);
  const statistics = new ModelStatistics(settings.latencyDetail(config));
  const cache = settings.cacheOf?.({ config, tensors, statistics }) ?? null;
  return new Ensemble({ name, version, config, tensors, graph, statistics, cache }, surroundings);
}
