import { describe, expect, it } from 'vitest';
import type { ModelConfig } from '../../src/config/model-config.js';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import { type ModelEntry, TWICE } from '../../src/repository/scan.js';
import { understandModel, type WantedModel } from '../../src/repository/wanted.js';

function entry(parts: Partial<ModelEntry>): ModelEntry {
  const versions = [1, 2, 10].map((version) => ({ version, directory: `/r/m/${version}`, entries: ['model.onnx'] }));
  const file = {
    configFile: '/r/m/config.pbtxt',
    configText: '',
    files: [],
    problem: '',
    notes: [],
    isTemporary: false,
  };
  return { name: 'm', namespace: '', folder: 'm', directory: '/r/m', repository: '/r', versions, ...file, ...parts };
}

function understand(parts: Partial<ModelEntry>, autoComplete = true, override: ModelConfig | null = null) {
  return understandModel(entry(parts), { machine: { gpus: [] }, autoComplete }, override);
}

const numbers = ({ versions }: WantedModel) => versions.map(({ version }) => version);

describe('what is wanted of a model', () => {
  it('is its latest version where the configuration says nothing', () => {
    const wanted = understand({});
    expect(wanted).toMatchObject({ name: 'm', directory: '/r/m', problem: '', blocksReadiness: false });
    expect(wanted.versions).toMatchObject([{ version: 10, directory: '/r/m/10' }]);
    expect(wanted).toMatchObject({ isTemporary: false, notes: [] });
    expect(wanted.config?.backend).toBe('onnxruntime');
  });

  it('is what the policy says, and what it names in vain is noted', () => {
    const wanted = understand({
      configText: 'version_policy { specific { versions: [2, 7] } }',
      notes: ['x'],
    });
    expect(numbers(wanted)).toEqual([2]);
    expect(wanted.notes).toEqual(['x', "model 'm' has no version 7, which its version policy names"]);
  });

  it('is nothing where no version is left, and the index shows why', () => {
    expect(understand({ versions: [], configText: 'backend: "onnxruntime"' })).toMatchObject({
      name: 'm',
      problem: "Invalid argument: at least one version must be available under the version policy of model 'm'",
      blocksReadiness: true,
      versions: [],
      config: null,
    });
  });

  it('is nothing where its name is in two repositories, and the index shows it', () => {
    expect(understand({ problem: TWICE })).toMatchObject({ problem: TWICE, blocksReadiness: true });
  });

  it('is nothing where its folder cannot be read, and does not keep the server from being ready', () => {
    expect(understand({ problem: 'Internal: no' })).toMatchObject({ problem: 'Internal: no', blocksReadiness: false });
  });

  it('is nothing where its configuration cannot be understood, and does not keep the server from being ready', () => {
    const wanted = understand({ configText: 'max_batch_size: {' });
    expect(wanted).toMatchObject({ blocksReadiness: false, versions: [], config: null });
    expect(wanted.problem).toMatch(/^Invalid argument: /);
  });

  it('is nothing where a configuration must be there and is not', () => {
    expect(understand({ configFile: '' }, false).problem).toMatch(
      /^Not found: model configuration is not provided for model 'm'; write \/r\/m\/config/,
    );
  });

  it('is completed from the version whose name comes first, which is 1, 10, 2', () => {
    const of = (version: number, entries: string[]) => ({ version, directory: '', entries });
    const { config } = understand({ versions: [of(2, []), of(10, ['model.onnx'])] });
    expect(config?.backend).toBe('onnxruntime');
  });

  it('is what an override says, whatever the folder has', () => {
    const override = parseModelConfig('version_policy { all { } } max_batch_size: 7', 'override');
    const wanted = understand({ configText: 'max_batch_size: {' }, true, override);
    expect(numbers(wanted)).toEqual([1, 2, 10]);
    expect(wanted.config).toMatchObject({ name: 'm', max_batch_size: 7 });
  });

  it('goes by the name of the folder in a repository that gives its models longer ones', () => {
    const wanted = understand({ name: 'r::m', configText: 'name: "m"' });
    expect(wanted).toMatchObject({ name: 'r::m', problem: '' });
    expect(understand({ configText: 'name: "other"' }).problem).not.toBe('');
  });

  it('remembers that its folder was made for it, also where there is a problem', () => {
    expect(understand({ isTemporary: true }).isTemporary).toBe(true);
    expect(understand({ isTemporary: true, problem: 'no' }).isTemporary).toBe(true);
  });
});
