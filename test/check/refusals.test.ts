import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { refusals } from '../../src/check/refusals.js';
import { hasRemedy } from '../../src/check/remedies.js';
import { signature } from '../config/signatures.js';
import { plainModel, type SubjectParts, subject, told } from './subjects.js';

const ends = `
input { name: "x" data_type: TYPE_FP32 dims: 3 }
output { name: "y" data_type: TYPE_FP32 dims: 2 }
`;

/** What a text is refused for, where `position field: beginning of the message`. */
function at(text: string, more: Partial<SubjectParts> = {}): string[] {
  return refusals(subject({ text, ...more })).map(
    ({ line, column, field, message }) => `${line}:${column} ${field}: ${message.slice(0, 60)}`,
  );
}

test('nothing is refused of a configuration that is right', () => {
  expect(at(`max_batch_size: 4${ends}`)).toEqual([]);
  expect(at('')).toEqual([]);
});

describe('validation: each refusal is at what causes it', () => {
  test.each<[string, string[]]>([
    [
      `max_batch_size: 4${ends}dynamic_batching { preferred_batch_size: [ 2, 8, 4 ] }`,
      ['4:47 dynamic_batching.preferred_batch_size[1]: dynamic batching preferred size must be <= max batch size fo'],
    ],
    [
      `max_batch_size: 4${ends}dynamic_batching {\n  preferred_batch_size: 8\n  preferred_batch_size: [ 16, 1 ]\n}`,
      [
        '5:3 dynamic_batching.preferred_batch_size[0]: dynamic batching preferred size must be <= max batch size fo',
        '6:27 dynamic_batching.preferred_batch_size[1]: dynamic batching preferred size must be <= max batch size fo',
      ],
    ],
    [`max_batch_size: -1${ends}`, ["1:1 max_batch_size: 'max_batch_size' must be non-negative value for m"]],
    [
      `max_batch_size: 4${ends}dynamic_batching { preserve_ordering: true priority_levels: 2 default_priority_level: 1 }`,
      ["4:44 dynamic_batching.priority_levels: Only one priority level is allowed when 'preserve_ordering'"],
    ],
    [
      `max_batch_size: 4
input [ { name: "x" dims: 3 }, { name: "x" data_type: TYPE_FP32 dims: [ 0 ] }, { data_type: TYPE_FP32 dims: 3 } ]
output { name: "y" data_type: TYPE_FP32 dims: [ 2 ] reshape { shape: [ 3 ] } }`,
      [
        "2:9 input[0]: model input 'x' must specify 'data_type' for m",
        "2:73 input[1].dims[0]: model input 'x' dimension must be integer >= 1, or -1 to ind",
        "2:80 input[2]: model input must specify 'name' for m",
        "3:63 output[0].reshape.shape: model output 'y' has different size for dims and reshape",
      ],
    ],
    [
      `max_batch_size: 4${ends}input { name: "x" data_type: TYPE_FP32 dims: 3 }`,
      ["4:1 input[1]: model input 'x' is specified twice for m"],
    ],
    [
      `max_batch_size: 4${ends}instance_group [ { kind: KIND_CPU gpus: [ 0 ] }, { kind: KIND_GPU count: 1 } ]`,
      [
        '4:43 instance_group[0].gpus[0]: instance group m_0 of model m has kind KIND_CPU but specifie',
        '4:52 instance_group[1].kind: instance group m_1 of model m has kind KIND_GPU but no GPUs',
      ],
    ],
    [
      `max_batch_size: 4${ends}response_cache { enable: true } model_transaction_policy { decoupled: true }`,
      ['4:60 model_transaction_policy.decoupled: Response Cache does not currently support model m with'],
    ],
    [
      `max_batch_size: 4${ends}model_metrics { metric_control { metric_identifier { family: "f" } histogram_options { } } }`,
      ['4:68 model_metrics.metric_control[0].histogram_options: histogram options must specify'],
    ],
    [
      `max_batch_size: 4${ends}model_warmup { name: "w" inputs { key: "x" value { data_type: TYPE_FP32 dims: -1 zero_data: true } } }`,
      ['4:73 model_warmup[0].inputs["x"].dims[0]: warmup setting expects all variable-size dimensions are spec'],
    ],
    [
      `name: "other"\nmax_batch_size: 4${ends}`,
      ["1:1 name: unexpected directory name 'm' for model 'other', directory n"],
    ],
    [`platform: "caffe2_netdef"${ends}`, ["1:1 platform: unexpected platform type 'caffe2_netdef' for m"]],
    [
      `version_policy { specific { versions: [ 1, -2 ] } } max_batch_size: 4${ends}`,
      ['1:44 version_policy.specific.versions[1]: version policy names version -2 for m, expected an integer f'],
    ],
  ])('%s', (text, expected) => {
    const found = at(text);
    expect(found).toHaveLength(expected.length);
    for (const [index, beginning] of expected.entries()) expect(found[index]).toContain(beginning);
  });

  test('of a sequence batcher', () => {
    const text = `sequence_batching {
  control_input { name: "S" control { kind: CONTROL_SEQUENCE_START } }
  control_input { name: "E" control { kind: CONTROL_SEQUENCE_END int32_false_true: [ 0, 1, 2 ] } }
  control_input { name: "I" control { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_FP32 } }
  state { input_name: "s" output_name: "t" dims: 1 }
}${ends}max_batch_size: 2`;
    const found = at(text, { model: null });
    expect(found.map((line) => line.split(': ')[0])).toEqual([
      '2:29 sequence_batching.control_input[0].control[0]',
      '3:86 sequence_batching.control_input[1].control[0].int32_false_true[0]',
      '4:69 sequence_batching.control_input[2].control[0].data_type',
      '5:3 sequence_batching.state[0]',
    ]);
  });

  test('of an ensemble', () => {
    const step = 'step { model_name: "a" input_map { key: "i" value: "x" } output_map { key: "o" value: "z" } }';
    const found = at(`platform: "ensemble"${ends}ensemble_scheduling { ${step} }`, { model: null });
    expect(found).toEqual(["3:1 output[0]: ensemble output 'y' for ensemble m' is not used"]);
  });
});

describe('against the model file', () => {
  test('every tensor that does not fit is told, with what the file has', () => {
    const text = `max_batch_size: 4
input { name: "x" data_type: TYPE_INT32 dims: 3 }
output { name: "y" data_type: TYPE_FP32 dims: [ 1, 2 ] }`;
    const found = refusals(subject({ text }));
    expect(found.map(({ field, expected, fix }) => [field, expected, fix])).toEqual([
      ['input[0].data_type', 'TYPE_FP32', 'write data_type: TYPE_FP32'],
      ['output[0].dims', '[2]', 'write dims: [2]'],
    ]);
    expect(found.map(({ edits }) => edits.map((edit) => edit.text))).toEqual([['TYPE_FP32'], ['[ 2 ]']]);
  });

  test('a model that cannot batch: nothing is mended, because two fields would have to change', () => {
    const model = signature(['x FP32 [1,3]'], ['y FP32 [1,2]']);
    const found = refusals(subject({ text: `max_batch_size: 4${ends}`, model }));
    expect(found.map(({ edits }) => edits.length)).toEqual([0, 0]);
    expect(found[0]!.message).toContain('for the model to support batching');
  });

  test('a model that is completed but cannot batch', () => {
    const model = signature(['x FP32 [1,3]'], ['y FP32 [1,2]']);
    expect(at('\nmax_batch_size: 4', { model })).toEqual([
      "2:1 max_batch_size: autofill failed for model 'm': model does not support batchi",
    ]);
  });

  test('controls that are other inputs than the model has', () => {
    const model = signature(['x FP32 [-1,3]', 'S FP32 [-1,1]', 'E INT32 [-1,2]'], ['y FP32 [-1,2]']);
    const text = `max_batch_size: 4${ends}sequence_batching {
  control_input { name: "S" control { kind: CONTROL_SEQUENCE_START int32_false_true: [ 0, 1 ] } }
  control_input { name: "E" control { kind: CONTROL_SEQUENCE_END int32_false_true: [ 0, 1 ] } }
  control_input { name: "R" control { kind: CONTROL_SEQUENCE_READY int32_false_true: [ 0, 1 ] } }
}`;
    const found = at(text, { model });
    expect(found.map((line) => line.split(' ')[0])).toEqual(['5:29', '6:29', '7:29', '2:1']);
    expect(found[0]).toContain("sequence control 'S'");
  });

  test('what several versions say alike is said by each: the report says it once', () => {
    const text = `version_policy { all { } } max_batch_size: 4${ends}`.replace('FP32', 'FP16');
    const found = refusals(subject({ text, versions: [1, 2] }));
    expect(new Set(found.map(({ message }) => message)).size).toBe(1);
  });

  test('overridable initialisers count as inputs', () => {
    const model = signature(['x FP32 [3]'], ['y FP32 [2]'], ['b FP32 [3]']);
    const text = `${ends}input { name: "b" data_type: TYPE_FP32 dims: 4 optional: true }`;
    expect(at(text, { model })).toEqual([expect.stringContaining('input[1].dims')]);
  });
});

test('every text of validation has words for what is expected and what to do', () => {
  const folder = new URL('../../src/config/', import.meta.url);
  const names = readdirSync(folder).filter((name) => /^(validate.*|check-.*|autocomplete|complete)\.ts$/.test(name));
  const texts = names.flatMap((name) => {
    const source = readFileSync(new URL(name, folder), 'utf8');
    return [
      ...source.matchAll(
        /(?:invalid|refused|unable|ServerError|missing)\(\s*(?:'[A-Z_]+',\s*|config,\s*)?([`'"][^;]*?[`'"]),?\s*\)/gs,
      ),
    ].map((match) =>
      match[1]!
        .slice(1)
        .replaceAll(/\$\{CORRID\}/g, 'CONTROL_SEQUENCE_CORRID')
        .replaceAll(/\$\{[^}]*\}/g, '1'),
    );
  });
  expect(texts.length).toBeGreaterThan(40);
  expect(plainModel.inputs).toHaveLength(1);
  expect(told(refusals, { text: '' })).toEqual([]);
  // The rest are parts of texts: their remedies are looked at above.
  const parts =
    /^(1 in model has|unexpected inference|optional input|model '1', tensor|unable to load model '1', 1|model 1 )|^\w+'$|scheduler'|policy"/;
  expect(texts.filter((text) => !hasRemedy(text) && !parts.test(text))).toEqual([]);
});
