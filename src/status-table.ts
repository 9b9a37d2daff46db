import Table from 'cli-table3';
import type { InferenceServer } from './core/server.js';

/** What serves, for the person who just started it: one line per version, models that failed included. */
export function statusTable(server: InferenceServer): string {
  const table = new Table({
    head: ['model', 'version', 'backend', 'instances', 'batching', 'state'],
    style: { head: [], border: [], compact: true },
  });
  const loaded = new Map(server.loaded().map((model) => [`${model.name}/${model.version}`, model]));
  for (const { name, version = '', state = '', reason = '' } of server.states()) {
    const model = loaded.get(`${name}/${version}`);
    const config = model?.config;
    table.push([
      name,
      version,
      config?.backend || (config?.platform ?? ''),
      config === undefined ? '' : instances(config),
      config === undefined ? '' : batching(config),
      reason === '' ? state : `${state}: ${shorten(reason)}`,
    ]);
  }
  return table.toString();
}

type Config = ReturnType<InferenceServer['loaded']>[number]['config'];

function instances(config: Config): string {
  return config.instance_group
    .map((group) => {
      const device = group.kind === 'KIND_GPU' ? `GPU ${group.gpus.join(',')}` : group.kind.replace('KIND_', '');
      return `${group.count} x ${device}`;
    })
    .join(', ');
}

function batching(config: Config): string {
  const { dynamic_batching, sequence_batching, max_batch_size } = config;
  if (sequence_batching !== undefined) {
    const strategy = sequence_batching.oldest === undefined ? 'direct' : 'oldest';
    return `sequences (${strategy}), up to ${Math.max(1, max_batch_size)}`;
  }
  if (max_batch_size === 0) return 'none';
  return `${dynamic_batching === undefined ? 'by the client' : 'dynamic'}, up to ${max_batch_size}`;
}

function shorten(reason: string): string {
  return reason.length <= 60 ? reason : `${reason.slice(0, 57)}...`;
}

/** A line to paste that asks the first model something it can answer, a step of an ensemble aside; '' where there is no model. */
export function exampleCall(server: InferenceServer, url: string): string {
  const loaded = server.loaded();
  const steps = new Set(
    loaded.flatMap(({ config }) => config.ensemble_scheduling?.step.map(({ model_name }) => model_name) ?? []),
  );
  const model = loaded.find(
    ({ name, tensors, config }) =>
      tensors.hasPlanes && tensors.inputs.every(isShort) && config.sequence_batching === undefined && !steps.has(name),
  );
  if (model === undefined) return '';
  const inputs = model.tensors.inputs.map(({ name, datatype, dims }) => {
    const shape = model.tensors.maxBatchSize > 0 ? [1, ...dims] : dims;
    const count = dims.reduce((product, dim) => product * dim, 1);
    const data = Array.from({ length: count }, (_, index) => (datatype === 'BOOL' ? index % 2 === 0 : index));
    return { name, datatype, shape, data };
  });
  return `curl -s ${url}/v2/models/${encodeURIComponent(model.name)}/infer -d '${JSON.stringify({ inputs })}'`;
}

function isShort({ dims }: { readonly dims: readonly number[] }): boolean {
  return dims.reduce((product, dim) => product * dim, 1) <= 32;
}
