import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { modelConfigFromJson } from '../config/config-from-json.js';
import { modelConfigToJson } from '../config/config-json.js';
import type { ModelConfig } from '../config/model-config.js';
import { invalid } from '../types/errors.js';
import type { Backend, InstancePlace, ModelSource, PreparedModel } from './backend.js';
import { JavaScriptParameters } from './javascript-parameters.js';
import { probeModule } from './javascript-probe.js';
import type { JavaScriptSettings } from './javascript-protocol.js';
import { findModelFile, type ModelFileSource } from './model-file.js';

/** What makes the model what it is, and was used to find it: `configure` may not change it. */
const FIXED_FIELDS = ['name', 'platform', 'backend', 'runtime', 'version_policy', 'default_model_filename'] as const;

/** Serves models whose code is an ES module: `model.js`, or `.mjs`, or `.ts` where Node runs that. */
export class JavaScriptBackend implements Backend {
  readonly name = 'javascript';
  readonly #worker = fileURLToPath(new URL('../../workers/javascript.js', import.meta.url));

  async prepare(source: ModelSource): Promise<PreparedModel> {
    const path = await findModule(source);
    const config = await complete(source, path);
    checkConfig(config);
    const parameters = new JavaScriptParameters(config);
    return {
      config,
      worker: this.#worker,
      scalars: new Set(),
      readsHeads: true,
      answersEach: true,
      thread: { isFresh: true, limits: parameters.limits, startTimeoutMs: parameters.initializeTimeoutMs },
      settingsFor: (place) => settingsFor(source, path, config, parameters, place),
    };
  }
}

/** The file of a model's code, absolute. Throws what `findModelFile` does, and INVALID_ARGUMENT where this Node cannot run it. */
export async function findModule(source: ModelFileSource): Promise<string> {
  const path = await findModelFile(source, 'model.js');
  checkLanguage(source.name, path);
  return path;
}

function settingsFor(
  { version, versionDirectory }: ModelSource,
  modelPath: string,
  config: ModelConfig,
  parameters: JavaScriptParameters,
  { group, gpu }: InstancePlace,
): JavaScriptSettings {
  return {
    modelPath,
    version,
    versionDirectory,
    kind: group.kind,
    device: gpu,
    configJson: modelConfigToJson(config),
    parameters: parameters.texts,
    isDecoupled: config.model_transaction_policy?.decoupled ?? false,
    isIterative: config.sequence_batching?.iterative_sequence ?? false,
    finalizeTimeoutMs: parameters.finalizeTimeoutMs,
  };
}

/** Node tells whether it runs TypeScript from 22.10 on. */
function checkLanguage(model: string, path: string): void {
  const { typescript } = process.features as { readonly typescript?: string | false };
  if (!/^\.[cm]?ts$/.test(extname(path)) || typescript) return;
  throw invalid(
    `model '${model}' is written in TypeScript (${basename(path)}), which Node ${process.versions.node} does not run; ` +
      'use Node 22.18 or later, or compile it to model.js',
  );
}

async function complete(source: ModelSource, path: string): Promise<ModelConfig> {
  const { name, config, autoComplete } = source;
  if (!autoComplete || !(await mayConfigure(path))) return config;
  const completed = await probeModule(name, path, modelConfigToJson(config));
  if (completed === '') return config;
  source.log.verbose(1, `model '${name}': completed by configure() of ${basename(path)}`);
  const changed = modelConfigFromJson(completed);
  const given = JSON.parse(completed) as Partial<ModelConfig>;
  const before = JSON.parse(modelConfigToJson(config)) as Record<string, unknown>;
  for (const field of FIXED_FIELDS) {
    if (given[field] === undefined || JSON.stringify(given[field]) === JSON.stringify(before[field])) continue;
    throw invalid(`configure() of model '${name}' must leave '${field}' as it is`);
  }
  const fields = Object.keys(given) as (keyof ModelConfig)[];
  return { ...config, ...Object.fromEntries(fields.map((field) => [field, changed[field]])) };
}

/** A module that exports a name has to write it; what it lacks or throws else is seen when an instance loads it, which saves a thread here. */
async function mayConfigure(path: string): Promise<boolean> {
  return /\bconfigure\b|\bexport\s*\*/.test(await readFile(path, 'utf8'));
}

function checkConfig({ name, output, sequence_batching, batch_input, batch_output }: ModelConfig): void {
  if (output.length === 0) {
    throw invalid(
      `model '${name}' has no output: write its inputs and outputs to config.pbtxt, or export configure() from its module`,
    );
  }
  if (batch_input.length > 0 || batch_output.length > 0) {
    throw invalid(
      `batch_input and batch_output of model '${name}': the code of a model written in JavaScript has each request as it came, and needs neither`,
    );
  }
  if ((sequence_batching?.state.length ?? 0) === 0) return;
  throw invalid(
    `sequence_batching.state of model '${name}': a model written in JavaScript keeps the state of its sequences itself, by their ids`,
  );
}
