import { isEnsemble } from '../config/normalize.js';
import type { Finding } from './finding.js';
import { remarkAt, type Subject } from './subject.js';

const INTRA = 'intra_op_thread_count';
const INTER = 'inter_op_thread_count';

/** Threads of a model against the cores of the machine: more of them only take turns. */
export function instanceRule(subject: Subject): Finding[] {
  if (isEnsemble(subject.config)) return [];
  return [...threads(subject), ...counts(subject), ...operators(subject)];
}

function textOf({ config }: Subject, key: string): string {
  return config.parameters[key]?.string_value ?? '';
}

/** As `instancePlaces` counts them, without making them: a count may be any number. */
function cpuInstances({ config }: Subject): number {
  const groups = config.instance_group.filter(({ kind, passive }) => kind !== 'KIND_GPU' && !passive);
  return groups.reduce((sum, group) => sum + group.count, 0);
}

function threads(subject: Subject): Finding[] {
  const { cores } = subject.settings.machine;
  const given = Number(textOf(subject, INTRA));
  const instances = cpuInstances(subject);
  if (!(given > 0) || instances === 0 || given * instances <= cores) return [];
  return [
    remarkAt(subject, ['parameters', { key: INTRA }, 'string_value'], {
      severity: 'warning',
      rule: 'threads',
      message: `${instances} ${instances === 1 ? 'instance' : 'instances'} of ${given} threads each are ${instances * given} threads on ${cores} ${cores === 1 ? 'core' : 'cores'}`,
      expected: `${Math.max(1, Math.floor(cores / instances))}, the share of the cores that each instance has by default`,
      fix: `take ${INTRA} out, write fewer threads, or fewer instances; for another machine, check with --cores N`,
    }),
  ];
}

function counts(subject: Subject): Finding[] {
  const { cores } = subject.settings.machine;
  const instances = cpuInstances(subject);
  if (instances <= cores || subject.source.place(['instance_group']) === null) return [];
  if (Number(textOf(subject, INTRA)) > 0) return [];
  return [
    remarkAt(subject, ['instance_group'], {
      severity: 'warning',
      rule: 'threads',
      message: `${instances} instances on ${cores} ${cores === 1 ? 'core' : 'cores'}: each has a thread of its own that computes`,
      expected: `${cores} CPU instances at most`,
      fix: 'write a lower count; for another machine, check with --cores N',
    }),
  ];
}

/** ONNX Runtime has threads between operators only where it runs them in parallel. */
function operators(subject: Subject): Finding[] {
  if (!(Number(textOf(subject, INTER)) > 1) || textOf(subject, 'execution_mode') === '1') return [];
  return [
    remarkAt(subject, ['parameters', { key: INTER }], {
      severity: 'warning',
      rule: 'threads',
      message: `${INTER} has no effect: execution_mode is 0, so operators run one after another`,
      expected: 'execution_mode "1" with it',
      fix: `take ${INTER} out, or write execution_mode`,
    }),
  ];
}
