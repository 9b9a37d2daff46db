import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mend } from '../../src/check/fix.js';
import { checkRepositories } from '../../src/check/repository.js';
import { TempFolder } from '../repository/temp-folder.js';

const settings = {
  machine: { gpus: [], cores: 4 },
  autoComplete: true,
  defaultMaxBatchSize: 4,
  backends: ['onnxruntime', 'javascript'],
};
const simple = fileURLToPath(new URL('../../examples/models/simple/1/model.onnx', import.meta.url));

let folder: TempFolder;
beforeEach(() => {
  folder = new TempFolder();
});
afterEach(() => folder.remove());

/** A model of whose file nothing can be told: x -> y. */
function script(name: string, parts: string = io('FP32 [ 4 ]'), versions: readonly number[] = [1]): void {
  const config = `backend: "javascript"\nmax_batch_size: 8\n${parts}`;
  folder.make({ [`${name}/config.pbtxt`]: config });
  for (const version of versions) folder.make({ [`${name}/${version}/model.js`]: '' });
}

function io(type: string): string {
  const [name, dims] = type.split(/ (.*)/);
  return `input { name: "x" data_type: TYPE_${name} dims: ${dims} }\noutput { name: "y" data_type: TYPE_${name} dims: ${dims} }`;
}

/** A chain of models, each line of the configuration one step. */
function ensemble(name: string, models: readonly string[], type = 'FP32 [ 4 ]', batch = 8): void {
  const [datatype, dims] = type.split(/ (.*)/);
  const tensorName = (i: number) => (i === 0 ? 'x' : i === models.length ? 'y' : `t${i}`);
  const tensor = (field: string, i: number) =>
    `${field} { name: "${tensorName(i)}" data_type: TYPE_${datatype} dims: ${dims} }`;
  const step = (text: string, i: number) => {
    const [model, version = '-1'] = text.split('/');
    return `  step { model_name: "${model}" model_version: ${version} input_map { key: "x" value: "${tensorName(i)}" } output_map { key: "y" value: "${tensorName(i + 1)}" } }`;
  };
  const lines = [
    'platform: "ensemble"',
    `max_batch_size: ${batch}`,
    tensor('input', 0),
    tensor('output', models.length),
    'ensemble_scheduling {',
    ...models.map(step),
    '}',
  ];
  folder.make({ [`${name}/config.pbtxt`]: lines.join('\n'), [`${name}/1/`]: '' });
}

/** `model line:column field [rule] message` of each error. */
async function errors(): Promise<string[]> {
  const { findings } = await checkRepositories([folder.path], '', settings);
  return findings
    .filter(({ severity }) => severity === 'error')
    .map(({ model, line, column, rule, field, message }) => `${model} ${line}:${column} ${field} [${rule}] ${message}`);
}

describe('an ensemble', () => {
  test('that fits its steps has no errors, nor have those above it', async () => {
    script('m');
    script('n');
    ensemble('e', ['m', 'n']);
    ensemble('top', ['e', 'm']);
    expect(await errors()).toEqual([]);
  });

  test('is refused for models that nobody has', async () => {
    script('m');
    ensemble('e', ['m', 'nobody', 'none', 'nobody']);
    expect(await errors()).toEqual([
      'e 6:3 ensemble_scheduling.step [steps] ensemble e contains models that are not available or ambiguous: nobody, none',
    ]);
  });

  test('is held against the signature of an ONNX file', async () => {
    folder.make({ 's/1/': '' });
    copyFileSync(simple, join(folder.path, 's/1/model.onnx'));
    ensemble('e', ['s'], 'FP32 [ 4 ]', 4);
    expect(await errors()).toEqual([
      'e 6:3 ensemble_scheduling.step[0] [steps] in ensemble e, ensemble tensor x is mapping to non-existing input x in model s',
    ]);
  });

  test('of which more fits into a batch than into that of a step', async () => {
    script('m');
    ensemble('e', ['m'], 'FP32 [ 4 ]', 16);
    expect(await errors()).toEqual([
      'e 2:1 max_batch_size [steps] ensemble e allows maximum batch size 16, but it contains model m which only allows maximum batch size to be 8',
    ]);
  });

  test('with other types or shapes than its steps', async () => {
    script('m');
    script('n', io('FP32 [ 5 ]'));
    ensemble('e', ['m'], 'INT8 [ 4 ]');
    ensemble('f', ['m', 'n']);
    expect(await errors()).toEqual([
      'e 5:1 ensemble_scheduling [steps] in ensemble e, ensemble tensor x: inconsistent data type: TYPE_INT8 is inferred from model e while TYPE_FP32 is inferred from model m',
      'f 7:3 ensemble_scheduling.step[1] [steps] in ensemble f, ensemble tensor t1: inconsistent shape: [-1,4] is inferred from model m while [-1,5] is inferred from model n',
    ]);
  });

  test('that asks for a version that is not loaded', async () => {
    script('m', `version_policy { specific { versions: [ 1, 3 ] } }\n${io('FP32 [ 4 ]')}`, [1, 2, 3]);
    ensemble('e', ['m/3', 'm', 'm/2']);
    expect(await errors()).toEqual([
      "e 8:26 ensemble_scheduling.step[2].model_version [steps] ensemble 'e' depends on 'm' whose required version 2 is not loaded.",
    ]);
  });

  test('in a circle', async () => {
    script('m');
    ensemble('a', ['m', 'b']);
    ensemble('b', ['a']);
    ensemble('self', ['self']);
    ensemble('above', ['a']);
    expect(await errors()).toEqual([
      'a 7:3 ensemble_scheduling.step[1] [steps] circular dependency between ensembles: a -> ... -> b -> a',
      'b 6:3 ensemble_scheduling.step[0] [steps] circular dependency between ensembles: b -> ... -> a -> b',
      'self 6:3 ensemble_scheduling.step[0] [steps] circular dependency between ensembles: self -> ... -> self -> self',
    ]);
  });

  test('is said nothing of where it is the step that is wrong, or that cannot be told', async () => {
    script('open', '');
    script('broken', 'max_batch_size: {');
    script('none', io('FP32 [ 4 ]'), []);
    ensemble('bad', ['nobody']);
    ensemble('e', ['open', 'broken', 'none', 'bad']);
    expect((await errors()).map((line) => line.split(' ')[0])).toEqual(['bad', 'broken', 'none']);
  });

  test('is held against what its steps become when they are mended', async () => {
    script('m', `${io('FP32 [ 4 ]')}\ndynamic_batching { preferred_batch_size: [ 4, 16 ] }`);
    ensemble('e', ['m'], 'INT8 [ 4 ]');
    const { models, neighbourhood } = await checkRepositories([folder.path], '', settings);
    const [e, m] = models;
    expect((await mend(e!, settings, neighbourhood)).findings).toHaveLength(1);
    expect((await mend(m!, settings, neighbourhood)).fixed).toHaveLength(1);
    neighbourhood.changed({ ...m!, configText: m!.configText.replaceAll('FP32', 'INT8') });
    expect((await mend(e!, settings, neighbourhood)).findings).toEqual([]);
  });
});
