import type { FieldPath } from '../config/config-source.js';
import { configDataType } from '../config/datatype.js';
import type { SequenceControl, SequenceState } from '../config/model-config.js';
import { elementBytes } from '../types/datatype.js';
import { elementCount } from '../types/tensor.js';
import type { Finding } from './finding.js';
import { remedyFor } from './remedies.js';
import { isSize, remarkAt, type Subject } from './subject.js';

/** Names by which models call the inputs that the server fills. */
const controlNames = /^(sequence_?)?(start|end|ready|corr_?id|correlation_?id)$/i;

/** What sequences need of the model, and settings that say nothing to it. Type and shape of controls are the model file's to check. */
export function sequenceRule(subject: Subject): Finding[] {
  if (subject.written.sequence_batching === undefined) return unasked(subject);
  return [...blind(subject), ...uncontrolled(subject), ...sameValues(subject), ...states(subject)];
}

/** Every request comes to the model without a word of which sequence it belongs to. */
function blind(subject: Subject): Finding[] {
  const { control_input, state } = subject.written.sequence_batching!;
  if (control_input.length > 0 || state.length > 0) return [];
  return [
    remarkAt(subject, ['sequence_batching'], {
      severity: 'warning',
      rule: 'sequence-controls',
      message: 'the model is told nothing of sequences: there is neither a control_input nor a state',
      expected: 'a control or a state that the model has an input for',
      fix: 'write control_input or state (docs/sequences.md), or dynamic_batching in place of sequence_batching',
    }),
  ];
}

/** Inputs with the name of a control that clients would have to send. */
function uncontrolled(subject: Subject): Finding[] {
  return subject.config.input.flatMap(({ name }, index) => {
    if (!controlNames.test(name)) return [];
    return [
      remarkAt(subject, ['input', index], {
        severity: 'warning',
        rule: 'sequence-controls',
        message: `input '${name}' looks like a control of sequences, but clients have to send it`,
        expected: `control_input { name: "${name}" ... }, which the server fills`,
        fix: 'make it a control_input, or leave it if clients know what to send',
      }),
    ];
  });
}

function unasked(subject: Subject): Finding[] {
  const names = subject.config.input.map(({ name }) => name).filter((name) => controlNames.test(name));
  const isSet = names.some((name) => /start/i.test(name)) && names.length > 1;
  if (!isSet) return [];
  return [
    remarkAt(subject, ['input'], {
      severity: 'hint',
      rule: 'sequence-controls',
      message: `the model has inputs ${names.map((name) => `'${name}'`).join(', ')}, but there is no sequence_batching: clients have to send them`,
      expected: 'sequence_batching with these as controls, if the model is for sequences',
      fix: 'see docs/sequences.md',
    }),
  ];
}

function sameValues(subject: Subject): Finding[] {
  const inputs = subject.written.sequence_batching!.control_input;
  return inputs.flatMap(({ name, control }, nth) =>
    control.flatMap((one, index) => {
      const [list, values] = valuesOf(one);
      if (values.length !== 2 || values[0] !== values[1]) return [];
      const path: FieldPath = ['sequence_batching', 'control_input', nth, 'control', index, list];
      return [
        remarkAt(subject, path, {
          severity: 'warning',
          rule: 'sequence-controls',
          message: `control '${name}' is ${values[0]} for false and for true: the model cannot tell them apart`,
          expected: 'two values: for false, for true',
          fix: `write ${list}: ${list === 'bool_false_true' ? '[ false, true ]' : '[ 0, 1 ]'}`,
        }),
      ];
    }),
  );
}

function valuesOf(control: SequenceControl): [string, readonly (number | boolean)[]] {
  if (control.int32_false_true.length > 0) return ['int32_false_true', control.int32_false_true];
  if (control.fp32_false_true.length > 0) return ['fp32_false_true', control.fp32_false_true];
  return ['bool_false_true', control.bool_false_true];
}

/** Files that states begin with, in the words of who reads them (`core/sequence-states.ts`). */
function states(subject: Subject): Finding[] {
  return subject.written.sequence_batching!.state.flatMap((state, nth) => {
    const [initial] = state.initial_state;
    // What has no size is refused for that.
    if (initial?.data_file === undefined || state.data_type === 'TYPE_INVALID') return [];
    if (!initial.dims.every(isSize)) return [];
    const bytes = subject.files.sizes.get(`initial_state/${initial.data_file}`) ?? null;
    const message = refusal(state, initial.dims, bytes);
    if (message === '') return [];
    const path = ['sequence_batching', 'state', nth, 'initial_state', 0, 'data_file'];
    return [remarkAt(subject, path, { severity: 'error', rule: 'sequence-state', message, ...remedyFor(message, '') })];
  });
}

function refusal({ data_type }: SequenceState, dims: readonly number[], bytes: number | null): string {
  if (bytes === null) return 'the initial state cannot be read: there is no such file';
  const width = elementBytes[configDataType(data_type)];
  const needed = width === 0 ? 0 : elementCount(dims) * width;
  if (bytes >= needed) return '';
  return `initial_state setting expects ${needed} bytes, but the data provided from fileonly has ${bytes} bytes.`;
}
