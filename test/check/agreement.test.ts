import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OnnxRuntimeBackend } from '../../src/backends/onnxruntime.js';
import { mend } from '../../src/check/fix.js';
import { inspectModel } from '../../src/check/inspect.js';
import { formatModelConfig } from '../../src/config/format-pbtxt.js';
import type { ModelConfig } from '../../src/config/model-config.js';
import { normalizeConfig } from '../../src/config/normalize.js';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import { validateConfig } from '../../src/config/validate.js';
import { instancePlaces } from '../../src/core/instance-places.js';
import { readLabels } from '../../src/core/labels.js';
import { sequenceStates } from '../../src/core/sequence-states.js';
import { type ModelEntry, scanModel } from '../../src/repository/scan.js';
import { understandModel } from '../../src/repository/wanted.js';
import { asServerError } from '../../src/types/errors.js';
import { anyModelConfig } from '../config/arbitrary-config.js';
import { MemoryLog } from '../protocols/http/engine-fixture.js';

const machine = { gpus: [], cores: 4 };
const settings = { machine, autoComplete: true, defaultMaxBatchSize: 4, backends: ['onnxruntime'] };
const backend = new OnnxRuntimeBackend();
const examples = fileURLToPath(new URL('../../examples/models', import.meta.url));

/** What the server says to a model before it starts an instance; '' = nothing. The steps of `core/load-model.ts`. */
async function serverSays(entry: ModelEntry): Promise<string> {
  const { problem, config, versions } = understandModel(entry, settings);
  if (config === null) return problem;
  if (config.backend !== 'onnxruntime') return 'unable to find backend';
  try {
    for (const { version } of versions) await prepare(entry, config, version);
    return '';
  } catch (error) {
    return asServerError(error).message;
  }
}

async function prepare(entry: ModelEntry, config: ModelConfig, version: number): Promise<void> {
  const versionDirectory = entry.versions.find((candidate) => candidate.version === version)!.directory;
  const source = {
    name: entry.name,
    version,
    versionDirectory,
    config,
    autoComplete: true,
    settings: new Map(),
    log: new MemoryLog(),
  };
  const prepared = await backend.prepare(source);
  const finished = normalizeConfig(prepared.config, machine);
  validateConfig(finished, machine, true);
  await readLabels(finished, entry.directory);
  await sequenceStates(finished, entry.directory);
  for (const place of instancePlaces(finished)) prepared.settingsFor(place);
}

/** A good configuration in which some fields are anything at all. */
function mutated(text: string): fc.Arbitrary<string> {
  const good = parseModelConfig(text, 'f') as unknown as Record<string, unknown>;
  const names = [
    'max_batch_size',
    'input',
    'output',
    'version_policy',
    'dynamic_batching',
    'sequence_batching',
    'instance_group',
    'optimization',
    'parameters',
    'model_warmup',
    'response_cache',
    'model_metrics',
    'batch_input',
    'batch_output',
    'platform',
    'backend',
    'name',
  ];
  return fc.tuple(anyModelConfig(), fc.subarray(names, { minLength: 1, maxLength: 2 })).map(([any, chosen]) => {
    const config = { ...good };
    for (const name of chosen) config[name] = (any as unknown as Record<string, unknown>)[name];
    if (config.sequence_batching !== undefined) delete config.dynamic_batching;
    // Any number of instances is legal, and would be written out one by one.
    for (const group of config.instance_group as { count: number }[]) group.count = Math.min(group.count, 9);
    return formatModelConfig(config as unknown as ModelConfig);
  });
}

test.each(['simple', 'digits', 'accumulator', 'sunspots'])(
  'whatever stands in the configuration of %s: the checker has an error exactly where the server refuses it',
  async (name) => {
    const entry = await scanModel(examples, name, '');
    expect(await serverSays(entry)).toBe('');
    await fc.assert(
      fc.asyncProperty(mutated(entry.configText), async (configText) => {
        const changed = { ...entry, configText };
        const said = await serverSays(changed);
        const findings = await inspectModel(changed, settings);
        const errors = findings.filter(({ severity, rule }) => severity === 'error' && rule !== 'warm-up');
        expect(errors.length > 0, said || JSON.stringify(errors[0])).toBe(said !== '');
      }),
      { numRuns: 150 },
    );
  },
  60_000,
);

/** What answers depend on: all but how long requests wait and what has no effect. */
function answering(entry: ModelEntry): unknown {
  const config = understandModel(entry, settings).config!;
  const { input, output, max_batch_size, batch_input, batch_output, version_policy, optimization, ...rest } = config;
  const { control_input, state } = config.sequence_batching ?? {};
  return [
    input,
    output,
    max_batch_size,
    batch_input,
    batch_output,
    version_policy,
    optimization,
    rest.parameters,
    control_input,
    state,
  ];
}

test.each(['simple', 'accumulator'])(
  'whatever stands in the configuration of %s: what --fix makes of it is served if it was, with the same answers',
  async (name) => {
    const entry = await scanModel(examples, name, '');
    await fc.assert(
      fc.asyncProperty(mutated(entry.configText), async (configText) => {
        const before = { ...entry, configText };
        const { text, fixed, findings } = await mend(before, settings);
        const after = { ...entry, configText: text };
        expect(findings).toEqual(await inspectModel(after, settings));
        if (fixed.length === 0) expect(text).toBe(configText);
        if ((await serverSays(before)) !== '') return;
        expect(await serverSays(after)).toBe('');
        expect(answering(after)).toEqual(answering(before));
      }),
      { numRuns: 100 },
    );
  },
  60_000,
);
