import { describe, expect, it } from 'vitest';
import { type ModelEntry, TWICE } from '../../src/repository/scan.js';
import { understandModel } from '../../src/repository/wanted.js';

function entry(parts: Partial<ModelEntry>): ModelEntry {
  const versions = [1, 2, 10].map((version) => ({ version, directory: `/r/m/${version}`, entries: ['model.onnx'] }));
  const file = { name: 'm', directory: '/r/m', repository: '/r', configFile: '/r/m/config.pbtxt', configText: '' };
  return { ...file, versions, modifiedMs: 0, problem: '', notes: [], ...parts };
}

function understand(parts: Partial<ModelEntry>, autoComplete = true) {
  return understandModel(entry(parts), { machine: { gpus: [] }, autoComplete });
}

describe('what is wanted of a model', () => {
  it('is its latest version where the configuration says nothing', () => {
    const { wanted, config } = understand({});
    expect(wanted).toEqual({ name: 'm', problem: '', blocksReadiness: false, versions: [10] });
    expect(config?.backend).toBe('onnxruntime');
  });

  it('is what the policy says, and what it names in vain is noted', () => {
    const { wanted, notes } = understand({
      configText: 'version_policy { specific { versions: [2, 7] } }',
      notes: ['x'],
    });
    expect(wanted.versions).toEqual([2]);
    expect(notes).toEqual(['x', "model 'm' has no version 7, which its version policy names"]);
  });

  it('is nothing where no version is left, and the index shows why', () => {
    expect(understand({ versions: [], configText: 'backend: "onnxruntime"' }).wanted).toEqual({
      name: 'm',
      problem: "Invalid argument: at least one version must be available under the version policy of model 'm'",
      blocksReadiness: true,
      versions: [],
    });
  });

  it('is nothing where its name is in two repositories, and the index shows it', () => {
    expect(understand({ problem: TWICE }).wanted).toMatchObject({ problem: TWICE, blocksReadiness: true });
  });

  it('is nothing where its configuration cannot be understood, and does not keep the server from being ready', () => {
    const { wanted, config } = understand({ configText: 'max_batch_size: {' });
    expect(wanted).toMatchObject({ blocksReadiness: false, versions: [] });
    expect(wanted.problem).toMatch(/^Invalid argument: /);
    expect(config).toBeNull();
  });

  it('is nothing where a configuration must be there and is not', () => {
    const { wanted } = understand({ configFile: '' }, false);
    expect(wanted.problem).toMatch(
      /^Not found: model configuration is not provided for model 'm'; write \/r\/m\/config/,
    );
  });

  it('is completed from the version whose name comes first, which is 1, 10, 2', () => {
    const of = (version: number, entries: string[]) => ({ version, directory: '', entries });
    const { config } = understand({ versions: [of(2, []), of(10, ['model.onnx'])] });
    expect(config?.backend).toBe('onnxruntime');
  });
});
