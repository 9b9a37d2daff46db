import { distance } from 'fastest-levenshtein';
import { sessionOptions } from '../backends/onnx-session.js';
import type { FieldPath } from '../config/config-source.js';
import { idleFields } from '../config/idle-fields.js';
import type { ModelConfig } from '../config/model-config.js';
import { instancePlaces } from '../core/instance-places.js';
import { culprit, ifMade } from './culprit.js';
import { removeItem } from './edits.js';
import { takeSteps } from './effective.js';
import type { Finding } from './finding.js';
import { remedyFor } from './remedies.js';
import { oneLine, remarkAt, type Subject } from './subject.js';

/** Parameters that the ONNX backend reads here. */
const works = [
  'intra_op_thread_count',
  'inter_op_thread_count',
  'execution_mode',
  'enable_mem_arena',
  'enable_mem_pattern',
  'session.intra_op.allow_spinning',
  'session.inter_op.allow_spinning',
  'session.use_device_allocator_for_initializers',
];

/** Parameters that Triton reads, or read (fact sheet 4.5, 5.8), and that do nothing here. */
const known = [
  'memory.enable_memory_arena_shrinkage',
  'cudnn_conv_algo_search',
  'gpu_mem_limit',
  'arena_extend_strategy',
  'do_copy_in_default_stream',
  'TRITON_BATCH_STRATEGY_PATH',
];

export function parameterRule(subject: Subject): Finding[] {
  const unknown = subject.config.backend === 'onnxruntime' ? keys(subject) : [];
  return [...unknown, ...twice(subject), ...values(subject), ...idle(subject)];
}

function keys(subject: Subject): Finding[] {
  return Object.keys(subject.written.parameters).flatMap((key) => {
    if (works.includes(key)) return [];
    const remark = known.includes(key)
      ? {
          severity: 'hint' as const,
          message: `parameter '${key}' has no effect here`,
          fix: 'leave it for Triton, or take it out',
        }
      : {
          severity: 'warning' as const,
          message: `parameter '${key}' is unknown and has no effect`,
          fix: suggestion(key),
        };
    const expected = `one of ${works.join(', ')}`;
    return [remarkAt(subject, ['parameters', { key }], { rule: 'parameters', expected, ...remark })];
  });
}

/** A name that shares less than half of its letters is no suggestion. */
function suggestion(key: string): string {
  const names = [...works, ...known];
  const far = names.map((name) => distance(key.toLowerCase(), name.toLowerCase()));
  const least = Math.min(...far);
  return least <= key.length / 2 ? `write '${names[far.indexOf(least)]}', if that is what was meant` : 'take it out';
}

/** Of entries with one key the last counts: the others can go. */
function twice(subject: Subject): Finding[] {
  const { source } = subject;
  return ['parameters', 'metric_tags', 'cc_model_filenames'].flatMap((field) => {
    const statements = source.place([field])?.statements ?? [];
    const items = statements.flatMap((statement) => statement.items.map((item) => ({ statement, item })));
    return items.flatMap(({ statement, item }, index) => {
      if (!items.slice(index + 1).some((later) => later.item.key === item.key)) return [];
      const finding = remarkAt(subject, [field, { key: item.key! }], {
        severity: 'warning',
        rule: 'parameters',
        message: `${field} has the key '${item.key}' more than once: the last entry counts`,
        expected: 'each key once',
        fix: 'take this entry out',
        edits: removeItem(source, statement, item),
      });
      return [{ ...finding, ...source.position(item.at), found: oneLine(source.text.slice(item.at, item.end)) }];
    });
  });
}

/** What the backend says to the values, for each kind of instance. */
function values(subject: Subject): Finding[] {
  if (subject.config.backend !== 'onnxruntime') return [];
  const judge = (written: ModelConfig) =>
    ifMade(
      (config) => takeSteps(config, subject.entry, null, subject.settings).effective,
      written,
      (made) => instancePlaces(oneOfEach(made)).map((place) => sessionOptions(made, place, new Set())),
    );
  const message = judge(subject.written);
  if (message === null) return [];
  const path = culprit(subject.written, subject.source, judge);
  return [remarkAt(subject, path, { severity: 'error', rule: 'validation', message, ...remedyFor(message, '') })];
}

/** A count may be any number. */
function oneOfEach(config: ModelConfig): ModelConfig {
  return { ...config, instance_group: config.instance_group.map((group) => ({ ...group, count: 1 })) };
}

/** Fields that are read and kept but do nothing unless the server is told to heed them. */
function idle(subject: Subject): Finding[] {
  const notes = (written: ModelConfig) => idleFields(written, { limitsRate: false });
  return notes(subject.written).map((note) => {
    const judge = (written: ModelConfig) => (notes(written).includes(note) ? note : null);
    const path: FieldPath = culprit(subject.written, subject.source, judge);
    return remarkAt(subject, path, {
      severity: 'hint',
      rule: 'no-effect',
      message: note.replace(/^model '.*?': /, ''),
      expected: 'nothing: the field is understood and kept',
      fix: 'know it',
    });
  });
}
