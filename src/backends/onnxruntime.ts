import { existsSync, readdirSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import koffi, { type LibraryHandle } from 'koffi';
import { autocomplete } from '../config/autocomplete.js';
import { checkSignature } from '../config/check-signature.js';
import type { ModelConfig } from '../config/model-config.js';
import { invalid, ServerError } from '../types/errors.js';
import type { ModelSignature } from '../types/model.js';
import type { Backend, InstancePlace, ModelSource, PreparedModel } from './backend.js';
import { findModelFile, type ModelFileSource } from './model-file.js';
import { readOnnxOperators, readOnnxSignature } from './onnx-file.js';
import { openInitializers } from './onnx-open.js';
import { sessionOptions } from './onnx-session.js';
import type { OnnxSettings } from './worker-protocol.js';

/** Triton's `default-max-batch-size` where no flag says otherwise. */
export const DEFAULT_MAX_BATCH_SIZE = 4;

/** Serves `.onnx` files with the ONNX Runtime of onnxruntime-node, one session per worker thread. */
export class OnnxRuntimeBackend implements Backend {
  readonly name = 'onnxruntime';
  readonly #worker = fileURLToPath(new URL('../../workers/onnxruntime.js', import.meta.url));
  readonly #library = findLibrary();
  /** Loaded here as well: threads of ONNX Runtime's own may still run in it when the worker that loaded it has ended. */
  #kept: LibraryHandle | null = null;

  async prepare(source: ModelSource): Promise<PreparedModel> {
    return this.prepareFile(source, await modelPath(source));
  }

  /** As `prepare`, of an ONNX file that may lie elsewhere. */
  async prepareFile(source: ModelSource, path: string): Promise<PreparedModel> {
    this.#kept ??= koffi.load(this.#library);
    const signature = await readOnnxSignature(path);
    const config = this.#complete(source, signature);
    checkSignature(config, signature);
    const operators = readOnnxOperators(path);
    const opened = await openOverridables(path, config, signature);
    return {
      config,
      readsHeads: false,
      answersEach: false,
      thread: { isFresh: false, limits: {}, startTimeoutMs: 0 },
      scalars: scalarsOf(config, signature),
      worker: this.#worker,
      settingsFor: (place: InstancePlace): OnnxSettings => ({
        library: this.#library,
        modelPath: path,
        session: sessionOptions(config, place, operators),
        ...opened,
      }),
    };
  }

  #complete(source: ModelSource, signature: ModelSignature): ModelConfig {
    if (!source.autoComplete) return source.config;
    const defaultMaxBatchSize = readMaxBatchSize(source.settings.get('default-max-batch-size'));
    const { config, notes } = autocomplete(source.config, signature, { defaultMaxBatchSize });
    for (const note of notes) source.log.verbose(1, note);
    return config;
  }
}

function readMaxBatchSize(setting: string | undefined): number {
  if (setting === undefined) return DEFAULT_MAX_BATCH_SIZE;
  if (/^[0-9]{1,9}$/.test(setting)) return Number(setting);
  throw invalid(`--backend-config default-max-batch-size: expected a whole number, got '${setting}'`);
}

/** The shared library for this platform in the package; throws INTERNAL where it has none. */
export function findLibrary(): string {
  const root = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  const directory = join(root, 'bin', 'napi-v6', process.platform, process.arch);
  const files = existsSync(directory) ? readdirSync(directory) : [];
  const file = files.find((name) => /^(lib)?onnxruntime(\.so\.\d+|\..*dylib|\.dll)$/.test(name));
  if (file !== undefined) return join(directory, file);
  throw new ServerError(
    'INTERNAL',
    `onnxruntime-node has no ONNX Runtime for ${process.platform} ${process.arch}: there is none in ${directory}`,
  );
}

/** `model.onnx`, or what the configuration calls it; a directory holds the model and its weights (fact sheet 4.3). */
export async function modelPath(source: ModelFileSource): Promise<string> {
  const path = await findModelFile(source, 'model.onnx');
  return (await stat(path)).isDirectory() ? join(path, 'model.onnx') : path;
}

/** Only without batching: with it, the configuration says `reshape { shape: [] }`. */
function scalarsOf(config: ModelConfig, signature: ModelSignature): Set<string> {
  if (config.max_batch_size > 0) return new Set();
  const tensors = [...signature.inputs, ...signature.overridable, ...signature.outputs];
  return new Set(tensors.filter((tensor) => tensor.shape.length === 0).map((tensor) => tensor.name));
}

type Opened = Pick<OnnxSettings, 'modelBytes' | 'defaults'>;

const AS_IT_IS: Opened = { modelBytes: new Uint8Array(0), defaults: [] };

/** ONNX Runtime takes a value for an initialiser from IR version 4 on only; those that the configuration lists as inputs become plain inputs. */
async function openOverridables(path: string, config: ModelConfig, signature: ModelSignature): Promise<Opened> {
  const listed = new Set(config.input.map((input) => input.name));
  const names = signature.overridable.map((tensor) => tensor.name).filter((name) => listed.has(name));
  if (names.length === 0) return AS_IT_IS;
  const { model, defaults } = openInitializers(await readFile(path), new Set(names));
  return { modelBytes: model, defaults };
}
