import { invalid } from '../types/errors.js';
import type { ModelConfig } from './model-config.js';

/** A tensor of an ensemble: what it is computed from, and what is computed from it. */
interface Node {
  readonly name: string;
  readonly previous: Set<Node>;
  readonly next: Set<Node>;
  isReady: boolean;
}

type Graph = ReadonlyMap<string, Node>;

/** What an ensemble's own configuration can tell (fact sheet 5.6); its models are not looked at. */
export function validateEnsemble(config: ModelConfig): void {
  const { name, platform, ensemble_scheduling: scheduling } = config;
  if (scheduling === undefined) {
    if (platform !== 'ensemble') return;
    throw invalid(`ensemble scheduling must be set for ensemble ${name} whose platform is ensemble`);
  }
  if (platform !== 'ensemble') {
    throw invalid(`ensemble scheduling cannot be set for model '${name}' whose platform is not ensemble`);
  }
  if (config.instance_group.length > 0) throw invalid(`instance group should not be specified for ensemble '${name}'`);
  if (config.optimization !== undefined) throw invalid(`optimization should not be specified for ensemble '${name}'`);
  if (config.model_warmup.length > 0) throw invalid(`model_warmup can not be specified for ensemble '${name}'`);
  validateSteps(config);
  const graph = buildGraph(config);
  followInputs(config, graph);
  for (const output of config.output) validateOutput(name, output.name, graph);
  validateUse(config, graph);
}

function steps(config: ModelConfig) {
  return config.ensemble_scheduling?.step ?? [];
}

function validateSteps(config: ModelConfig): void {
  const { name } = config;
  if (steps(config).length === 0) throw invalid(`must specify 'step' for ensemble '${name}'`);
  for (const [i, step] of steps(config).entries()) {
    const missing = (field: string) => invalid(`must specify '${field}' in step ${i} of ensemble '${name}'`);
    if (step.model_name === '') throw missing('model_name');
    if (Object.keys(step.input_map).length === 0) throw missing('input_map');
    if (Object.keys(step.output_map).length === 0) throw missing('output_map');
  }
}

function buildGraph(config: ModelConfig): Graph {
  const graph = new Map<string, Node>();
  const node = (name: string): Node => {
    const found = graph.get(name) ?? { name, previous: new Set<Node>(), next: new Set<Node>(), isReady: false };
    graph.set(name, found);
    return found;
  };
  const written = new Set<string>();
  for (const [i, step] of steps(config).entries()) {
    const inputs = Object.values(step.input_map).map(node);
    for (const tensor of Object.values(step.output_map)) {
      if (written.has(tensor)) {
        const where = `ensemble '${config.name}' step ${i}`;
        throw invalid(`ensemble tensor '${tensor}' can appear in an output map only once for ${where}`);
      }
      written.add(tensor);
      link(inputs, node(tensor));
    }
  }
  return graph;
}

function link(inputs: readonly Node[], output: Node): void {
  for (const input of inputs) {
    input.next.add(output);
    output.previous.add(input);
  }
}

/** Marks what can be computed from the ensemble's inputs. */
function followInputs(config: ModelConfig, graph: Graph): void {
  const ready: Node[] = [];
  for (const { name } of config.input) {
    const node = graph.get(name);
    if (node === undefined) throw invalid(`ensemble input '${name}' for ensemble ${config.name}' is not used`);
    node.isReady = true;
    ready.push(node);
  }
  for (const node of ready) {
    for (const next of node.next) {
      if (next.isReady || ![...next.previous].every(({ isReady }) => isReady)) continue;
      next.isReady = true;
      ready.push(next);
    }
  }
}

function validateOutput(model: string, name: string, graph: Graph): void {
  const node = graph.get(name);
  if (node === undefined) throw invalid(`ensemble output '${name}' for ensemble ${model}' is not used`);
  if (node.isReady) return;
  const cause = rootCause(node);
  const why = cause === node ? '' : `: at least one of its depending tensors, '${cause.name}', is not connected`;
  throw invalid(`output '${name}' for ensemble '${model}' is not written${why}`);
}

/** The first tensor upstream that nothing makes; in a circle, where the circle closes. */
function rootCause(node: Node): Node {
  const seen = new Set<Node>();
  let last = node;
  for (;;) {
    const before = [...last.previous].find((previous) => !previous.isReady && !seen.has(previous));
    if (before === undefined) return last;
    seen.add(before);
    last = before;
  }
}

function validateUse(config: ModelConfig, graph: Graph): void {
  const outputs = new Set(config.output.map(({ name }) => name));
  for (const node of graph.values()) {
    if (outputs.has(node.name) || (node.isReady && node.next.size > 0)) continue;
    throw invalid(`ensemble tensor '${node.name}' is unused in ensemble '${config.name}'`);
  }
}
