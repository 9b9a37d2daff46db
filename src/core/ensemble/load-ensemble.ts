import type { ModelConfig } from '../../config/model-config.js';
import { invalid } from '../../types/errors.js';
import { readLabels } from '../labels.js';
import type { ModelVersionSource } from '../load-model.js';
import { ModelTensors } from '../model-tensors.js';
import type { ServedModel } from '../served-model.js';
import { Ensemble, type EnsembleParts } from './ensemble.js';
import { ensembleGraph } from './graph.js';

/** What an ensemble needs of the server. */
export type EnsembleSurroundings = ConstructorParameters<typeof Ensemble>[1] & {
  readonly statistics: (config: ModelConfig) => EnsembleParts['statistics'];
  /** The model that requests of this name and version find; '' = the latest. Throws where there is none. */
  readonly find: (name: string, version: string) => ServedModel;
};

/** Loads one version of an ensemble, bound to the models of its steps, which must serve. Throws a ServerError. */
export async function loadEnsemble(
  source: ModelVersionSource,
  { find, statistics, ...surroundings }: EnsembleSurroundings,
): Promise<Ensemble> {
  const { name, version } = source;
  const labels = await readLabels(source.config, source.directory);
  const steps = source.config.ensemble_scheduling?.step ?? [];
  const models = steps.map(({ model_name, model_version }) =>
    find(model_name, Number(model_version) < 0 ? '' : String(model_version)),
  );
  if (models.some((model) => model.name === name))
    throw invalid(`circular dependency between ensembles: ${name} -> ${name}`);
  const config = source.config;
  const tensors = new ModelTensors(config, labels, {
    scalars: new Set(),
    readsHeads: models.some((model) => model.tensors.readsHeads),
  });
  const graph = ensembleGraph(config, tensors, models);
  return new Ensemble({ name, version, config, tensors, graph, statistics: statistics(config) }, surroundings);
}
