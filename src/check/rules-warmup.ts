import type { FieldPath } from '../config/config-source.js';
import { configDataType } from '../config/datatype.js';
import type { ModelWarmup } from '../config/model-config.js';
import { elementBytes } from '../types/datatype.js';
import { elementCount } from '../types/tensor.js';
import type { Finding } from './finding.js';
import { remedyFor } from './remedies.js';
import { isSize, remarkAt, type Subject } from './subject.js';

type Inputs = ModelWarmup['inputs'];

/** Warm-up samples against the model's inputs and the files they name (fact sheet 5.8). */
export function warmupRule(subject: Subject): Finding[] {
  return subject.written.model_warmup.flatMap((sample, nth) => [
    ...names(subject, sample, ['model_warmup', nth]),
    ...files(subject, sample.inputs, ['model_warmup', nth, 'inputs']),
  ]);
}

function names(subject: Subject, { inputs }: ModelWarmup, path: FieldPath): Finding[] {
  const signature = subject.versions[0]?.signature;
  if (signature === undefined) return [];
  const known = [...signature.inputs, ...signature.overridable].map(({ name }) => name);
  return Object.keys(inputs).flatMap((key) => {
    if (known.includes(key)) return [];
    return [
      remarkAt(subject, [...path, 'inputs', { key }], {
        severity: 'warning',
        rule: 'warm-up',
        message: `the sample has an input '${key}', which the model has not`,
        expected: `one of ${known.join(', ')}`,
        fix: 'correct the name',
      }),
    ];
  });
}

function files(subject: Subject, inputs: Inputs, path: FieldPath): Finding[] {
  return Object.entries(inputs).flatMap(([key, { data_type, dims, input_data_file: file }]) => {
    // What has no size is refused for that.
    if (file === undefined || data_type === 'TYPE_INVALID' || !dims.every(isSize)) return [];
    const bytes = subject.files.sizes.get(`warmup/${file}`) ?? null;
    const needed = elementCount(dims) * elementBytes[configDataType(data_type)];
    if (bytes !== null && bytes >= needed) return [];
    const message =
      bytes === null
        ? `the data of input '${key}' cannot be read: there is no file 'warmup/${file}' in the model's folder`
        : `warmup setting expects ${needed} bytes, but the data provided from file has ${bytes} bytes`;
    const words =
      bytes === null ? { expected: `a file 'warmup/${file}'`, fix: 'put it there' } : remedyFor(message, '');
    return [
      remarkAt(subject, [...path, { key }, 'input_data_file'], {
        severity: 'error',
        rule: 'warm-up',
        message,
        ...words,
      }),
    ];
  });
}
