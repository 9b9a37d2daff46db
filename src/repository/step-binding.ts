import { invalid } from '../types/errors.js';
import { closesCircle, needsOf, resolveStep, type Step } from './dependencies.js';
import type { Lack, ModelRecord } from './model-record.js';
import { withoutClass } from './reason.js';
import type { WantedModel } from './wanted.js';

/** What the steps of an ensemble are at this moment. */
export type StepBinding<Loaded> =
  | { readonly kind: 'bound'; readonly steps: readonly Loaded[] }
  | ({ readonly kind: 'unbound' } & Lack);

type Records<Loaded extends object> = ReadonlyMap<string, ModelRecord<Loaded>>;

/** Finds the loaded version that each step runs, or says why there is none (Triton's texts, fact sheet 5.6). */
export function bindSteps<Loaded extends object>(wanted: WantedModel, records: Records<Loaded>): StepBinding<Loaded> {
  const circle = circleOf(wanted, records);
  if (circle !== '') return unbound(circle);
  const found = wanted.steps.map((step) => recordOf(step, wanted, records));
  const missing = wanted.steps.filter((_, i) => !found[i]?.wanted);
  if (missing.length > 0) {
    const names = [...new Set(missing.map(({ name }) => name))].join(', ');
    const text = `ensemble ${wanted.name} contains models that are not available or ambiguous: ${names}`;
    return unbound(text, !found.includes(null));
  }
  const steps: Loaded[] = [];
  for (const [i, step] of wanted.steps.entries()) {
    const record = found[i]!;
    const loaded = record.find(step.version === -1 ? '' : String(step.version));
    if (loaded === undefined) {
      const text = `ensemble '${wanted.name}' depends on '${record.name}' ${why(record, step)}`;
      return unbound(text, record.lack?.isGone);
    }
    steps.push(loaded);
  }
  return { kind: 'bound', steps };
}

function unbound(message: string, isGone = false): StepBinding<never> {
  return { kind: 'unbound', problem: invalid(message).toString(), isGone };
}

/** '' = there is none. */
function circleOf<Loaded extends object>(wanted: WantedModel, records: Records<Loaded>): string {
  const needs = (name: string) => {
    const record = records.get(name);
    const models = name === wanted.name ? [wanted] : [record?.asked, record?.wanted];
    return models.flatMap((model) => (model ? needsOf(model, records) : []));
  };
  const { name } = wanted;
  const closing = closesCircle(name, needs);
  return closing === null ? '' : `circular dependency between ensembles: ${name} -> ... -> ${closing} -> ${name}`;
}

/** Null = not known, or ambiguous. */
function recordOf<Loaded extends object>(
  step: Step,
  { namespace }: WantedModel,
  records: Records<Loaded>,
): ModelRecord<Loaded> | null {
  const name = resolveStep(step, namespace, records);
  return name === null ? null : records.get(name)!;
}

function why<Loaded extends object>(record: ModelRecord<Loaded>, step: Step): string {
  const invalidity = record.wanted?.problem || (record.lack?.problem ?? '');
  if (record.ready().length > 0) return `whose required version ${step.version} is not loaded.`;
  if (invalidity !== '')
    return `which is not valid. Model '${record.name}' failed with error: ${withoutClass(invalidity)}`;
  const failed = record.versions.filter(({ lifecycle }) => lifecycle.state === 'failed');
  if (failed.length === 0) return 'which has no loaded version.';
  const clauses = failed.map(
    ({ version, lifecycle }) => `version ${version} is at UNAVAILABLE state: ${lifecycle.reason};`,
  );
  return `which has no loaded version. Model '${record.name}' loading failed with error: ${clauses.join(' ')}`;
}
