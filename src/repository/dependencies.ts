import type { ModelConfig } from '../config/model-config.js';
import { NAMESPACE_MARK } from './scan.js';

/** A model that an ensemble runs, as its configuration names it. */
export interface Step {
  readonly name: string;
  /** -1 = the latest. */
  readonly version: number;
}

/** A model, and what it needs: its steps where it is an ensemble, else none. */
export interface Dependent {
  readonly name: string;
  /** What its repository's models have in front of their names where others have the same; '' = none. */
  readonly namespace: string;
  readonly steps: readonly Step[];
}

/** In the order of the configuration; none = it is no ensemble. */
export function stepsOf(config: ModelConfig): Step[] {
  const steps = config.ensemble_scheduling?.step ?? [];
  return steps.map(({ model_name, model_version }) => ({ name: model_name, version: Number(model_version) }));
}

/** A model of this name could be what the step means. */
export function couldMean(step: Step, name: string): boolean {
  return step.name === name || name.endsWith(NAMESPACE_MARK + step.name);
}

/**
 * The model that a step means: the one of the same repository, or the only one there is. Null = it is not known, or there are
 * several (fact sheet 5.6).
 * @param names of all models that are known
 */
export function resolveStep(step: Step, namespace: string, names: ReadonlyMap<string, unknown>): string | null {
  const own = `${namespace}${NAMESPACE_MARK}${step.name}`;
  if (namespace !== '' && names.has(own)) return own;
  if (names.has(step.name)) return step.name;
  const [found = null, ...others] = [...names.keys()].filter((name) => couldMean(step, name));
  return others.length === 0 ? found : null;
}

/** Names of the models that it needs and that are known, each once, in the order of its steps. */
export function needsOf({ namespace, steps }: Dependent, names: ReadonlyMap<string, unknown>): string[] {
  return [...new Set(steps.map((step) => resolveStep(step, namespace, names)))].filter((name) => name !== null);
}

/** Each model behind those that it needs; where they need each other, in any order. */
export function stepsFirst<D extends Dependent>(models: readonly D[]): D[] {
  const byName = new Map(models.map((model) => [model.name, model]));
  const sorted = new Set<D>();
  const seen = new Set<D>();
  const visit = (model: D) => {
    if (seen.has(model)) return;
    seen.add(model);
    for (const need of needsOf(model, byName)) visit(byName.get(need)!);
    sorted.add(model);
  };
  for (const model of models) visit(model);
  return [...sorted];
}

/**
 * The model in a circle of needs whose step is `name`, with which the circle closes; null = `name` is in no circle.
 * @param needs what a model needs, by name
 */
export function closesCircle(name: string, needs: (name: string) => readonly string[]): string | null {
  const seen = new Set<string>();
  const follow = (current: string): string | null => {
    seen.add(current);
    for (const next of needs(current)) {
      if (next === name) return current;
      const found = seen.has(next) ? null : follow(next);
      if (found !== null) return found;
    }
    return null;
  };
  return follow(name);
}
