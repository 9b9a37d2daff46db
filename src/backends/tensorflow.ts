import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import type { ModelConfig, ModelInput, ModelOutput } from '../config/model-config.js';
import { invalid, ServerError } from '../types/errors.js';
import type { Backend, ModelSource, PreparedModel } from './backend.js';
import { findModelFile } from './model-file.js';
import type { OnnxRuntimeBackend } from './onnxruntime.js';
import { markUsed } from './tensorflow/cache-folder.js';
import { LEASE_MS } from './tensorflow/cache-plan.js';
import type { Hint } from './tensorflow/convert.js';
import type { ConvertOutcome, ConvertTask } from './tensorflow/convert-task.js';
import { savedChoice } from './tensorflow/saved-model.js';

/** A thread without work ends after this. */
const IDLE_MS = 2000;
const DEFAULT_CACHE_BYTES = 10 * 1024 ** 3;

/** Serves TensorFlow's models: translates them to ONNX once, and hands them to the ONNX backend. */
export class TensorFlowBackend implements Backend {
  readonly name = 'tensorflow';
  readonly #onnx: OnnxRuntimeBackend;
  /** Files whose models were loaded: instances that are started again read them again. */
  readonly #used = new Set<string>();
  #lease: NodeJS.Timeout | null = null;
  /** One model at a time: each may take some gigabytes. */
  readonly #pool = new Piscina({
    filename: fileURLToPath(new URL('./tensorflow/convert-thread.js', import.meta.url)),
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: IDLE_MS,
    recordTiming: false,
  });

  constructor(onnx: OnnxRuntimeBackend) {
    this.#onnx = onnx;
  }

  /** Throws what the translation does, with the model's name. */
  async prepare(source: ModelSource): Promise<PreparedModel> {
    const { name, config, log } = source;
    const form = config.platform === 'tensorflow_savedmodel' ? 'savedmodel' : 'graphdef';
    const task: ConvertTask = {
      form,
      path: await findModelFile(source, `model.${form}`),
      hints: { inputs: config.input.map(hintOf(config)), outputs: config.output.map(hintOf(config)) },
      choice: savedChoice((name) => config.parameters[name]?.string_value ?? ''),
      cache: cacheDirectory(source.settings),
      cacheMaxBytes: cacheMaxBytes(source.settings),
    };
    const outcome = (await this.#pool.run(task)) as ConvertOutcome;
    if ('error' in outcome) throw new ServerError(outcome.error.code, `model '${name}': ${outcome.error.message}`);
    this.#hold(outcome.path);
    if (outcome.warning !== '') log.warning(outcome.warning);
    log.verbose(1, `model '${name}': ${outcome.isNew ? 'translated to' : 'found translated in'} ${outcome.path}`);
    return this.#onnx.prepareFile(source, outcome.path);
  }

  /** No server that shares the folder deletes it as long as this one runs. */
  #hold(path: string): void {
    this.#used.add(path);
    this.#lease ??= setInterval(() => this.#renew(), LEASE_MS / 4).unref();
  }

  #renew(): void {
    for (const path of this.#used) markUsed(path);
  }
}

/** What the model sees: the reshape, behind the batch. */
function hintOf({ max_batch_size }: ModelConfig): (tensor: ModelInput | ModelOutput) => Hint {
  return ({ name, dims, reshape }) => {
    const own = reshape?.shape ?? dims;
    return { name, shape: max_batch_size > 0 ? [-1, ...own] : [...own] };
  };
}

function cacheMaxBytes(settings: ReadonlyMap<string, string>): number {
  const text = settings.get('cache-max-bytes');
  if (text === undefined) return DEFAULT_CACHE_BYTES;
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw invalid(`--backend-config tensorflow,cache-max-bytes: expected a whole number of bytes, got '${text}'`);
}

/** Not the folder for temporary files: there, others could put models in place before us. */
function cacheDirectory(settings: ReadonlyMap<string, string>): string {
  const given = settings.get('cache-directory');
  if (given !== undefined) return resolve(given);
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'conch', 'tensorflow');
}
