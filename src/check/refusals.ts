import { signatureChecks } from '../config/check-signature.js';
import type { FieldPath } from '../config/config-source.js';
import { fieldText } from '../config/config-source.js';
import type { ModelConfig } from '../config/model-config.js';
import { isEnsemble } from '../config/normalize.js';
import { validateCache, validateConfig, validateGeneral, validateMetrics, validateWarmup } from '../config/validate.js';
import { validateDynamicBatching } from '../config/validate-dynamic.js';
import { validateEnsemble } from '../config/validate-ensemble.js';
import { validateInstanceGroups } from '../config/validate-groups.js';
import { validateSequence } from '../config/validate-sequence.js';
import { validateBatchIo, validateTensors } from '../config/validate-tensors.js';
import { complaint, culprit, ifMade, type Judge, mentioned, without } from './culprit.js';
import { takeSteps } from './effective.js';
import type { Edit, Finding } from './finding.js';
import { checkSteps } from './neighbourhood.js';
import { preferredSizeEdits, signatureEdits } from './refusal-edits.js';
import { remedyFor } from './remedies.js';
import type { CheckMachine } from './settings.js';
import { remarkAt, type Subject } from './subject.js';

interface Group {
  readonly run: (config: ModelConfig, machine: CheckMachine) => void;
  /** One item that is refused says nothing about the others: those are asked too. */
  readonly repeats: boolean;
}

/** Validation in parts that do not depend on each other: each of them may find something. */
const groups: readonly Group[] = [
  { run: validateGeneral, repeats: false },
  { run: validateEnsemble, repeats: false },
  { run: validateDynamicBatching, repeats: true },
  { run: validateSequence, repeats: true },
  { run: validateCache, repeats: false },
  { run: validateMetrics, repeats: true },
  { run: validateWarmup, repeats: true },
  { run: (config) => validateTensors(config, 'input', config.input), repeats: true },
  { run: (config) => validateTensors(config, 'output', config.output), repeats: true },
  { run: validateBatchIo, repeats: true },
  { run: (config, machine) => isEnsemble(config) || validateInstanceGroups(config, machine), repeats: true },
];

/** What one model is refused for, of one kind: enough to see what is wrong with it. */
const MOST_OF_A_GROUP = 20;

/** Everything that the server would refuse, as far as one refusal does not follow from another. */
export function refusals(of: Subject): Finding[] {
  const subject = { ...of, written: withGroupNames(of) };
  const { written, entry, settings } = subject;
  const signature = subject.versions[0]?.signature ?? null;
  const steps = (config: ModelConfig) => takeSteps(config, entry, signature, settings).effective;
  const unmade = ask(subject, 'completion', (config) => complaint(() => steps(config)), false);
  // Without the last step there is still much that can be judged.
  const base = unmade.length === 0 ? steps : named(subject);
  const machine = settings.machine;
  const judges = groups.map(({ run, repeats }) => ({
    judge: (config: ModelConfig) => ifMade(base, config, (made) => run(made, machine)),
    repeats,
  }));
  const found = [...unmade, ...judges.flatMap(({ judge, repeats }) => ask(subject, 'validation', judge, repeats))];
  if (unmade.length > 0) return found;
  // Rules that this file does not know.
  const all = (config: ModelConfig) => ifMade(base, config, (made) => validateConfig(made, machine, true));
  const known = new Set(found.map(({ message }) => message));
  const left = all(written);
  if (left !== null && !known.has(left)) found.push(...ask(subject, 'validation', all, false));
  return [...found, ...againstFiles(subject, found), ...againstSteps(subject, found, base)];
}

/** What the models of its steps say against an ensemble that is right in itself. */
function againstSteps(
  subject: Subject,
  refused: readonly Finding[],
  base: (config: ModelConfig) => ModelConfig,
): Finding[] {
  const { neighbours, config } = subject;
  if (neighbours === null || refused.length > 0 || !isEnsemble(config)) return [];
  const judge = (written: ModelConfig) => ifMade(base, written, (made) => checkSteps(made, neighbours));
  const text = judge(subject.written);
  if (text === null) return [];
  const path = culprit(subject.written, subject.source, judge);
  return [refusal(subject, 'steps', path.length > 0 ? path : ['ensemble_scheduling'], text, [])];
}

/** As they are called when none is taken out (see `config/normalize.ts`). */
function withGroupNames({ written, entry }: Subject): ModelConfig {
  const named = written.instance_group.map((group, index) => ({
    ...group,
    name: group.name || `${entry.name}_${index}`,
  }));
  return { ...written, instance_group: named };
}

/** The configuration under the folder's name, in any case: a wrong name is one refusal. */
function named({ entry, settings }: Subject): (config: ModelConfig) => ModelConfig {
  return (config) => {
    const renamed = { ...config, name: entry.name };
    try {
      return takeSteps(renamed, entry, null, settings).normalized;
    } catch {
      return takeSteps({ ...renamed, backend: settings.backends[0]!, platform: '' }, entry, null, settings).normalized;
    }
  };
}

function ask(subject: Subject, rule: string, judge: Judge, repeats: boolean): Finding[] {
  const findings: Finding[] = [];
  const spared: FieldPath[] = [];
  for (let text = judge(subject.written); text !== null && findings.length < MOST_OF_A_GROUP; ) {
    const path = culprit(subject.written, subject.source, judge, spared);
    findings.push(refusal(subject, rule, path, text, preferredSizeEdits(subject, path, text)));
    const item = path.findIndex((part) => typeof part !== 'string') + 1;
    if (!repeats || item === 0) break;
    spared.push(path.slice(0, item));
    text = judge(without(subject.written, spared));
  }
  return findings;
}

/**
 * What a version's file says against the configuration; the same of several versions is said once (see `sortFindings`).
 * @param refused what is wrong in itself is not held against the file
 */
function againstFiles(subject: Subject, refused: readonly Finding[]): Finding[] {
  const isRefused = (path: FieldPath) => refused.some(({ field }) => field.startsWith(fieldText(path)));
  return subject.versions.flatMap(({ signature }) => {
    const { effective } = takeSteps(subject.written, subject.entry, signature, subject.settings);
    return signatureChecks(effective, signature).flatMap(({ field, run }) => {
      const text = isRefused(field) ? null : complaint(run);
      if (text === null) return [];
      const path = mentioned(subject.source, field, text);
      return [refusal(subject, 'model-file', path, text, signatureEdits(subject, effective, signature, path))];
    });
  });
}

function refusal(subject: Subject, rule: string, path: FieldPath, message: string, edits: readonly Edit[]): Finding {
  const { expected, fix } = remedyFor(message, fieldText(path));
  return remarkAt(subject, path, { severity: 'error', rule, message, expected, fix, edits });
}
