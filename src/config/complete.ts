import { invalid } from '../types/errors.js';
import type { ModelConfig } from './model-config.js';

/** How a backend is recognised; `filenames` is what its models are called, the default first. */
interface Recognition {
  readonly backend: string;
  /** '' = the backend has no platform of that name. */
  readonly platform: string;
  readonly filenames: readonly string[];
}

/** In the order in which Triton tries them (fact sheet 4.3), and behind them our own. */
const recognitions: readonly Recognition[] = [
  { backend: 'tensorflow', platform: 'tensorflow_savedmodel', filenames: ['model.savedmodel'] },
  { backend: 'tensorflow', platform: 'tensorflow_graphdef', filenames: ['model.graphdef'] },
  { backend: 'tensorrt', platform: 'tensorrt_plan', filenames: ['model.plan'] },
  { backend: 'onnxruntime', platform: 'onnxruntime_onnx', filenames: ['model.onnx'] },
  { backend: 'openvino', platform: '', filenames: ['model.xml'] },
  { backend: 'pytorch', platform: 'pytorch_libtorch', filenames: ['model.pt'] },
  { backend: 'python', platform: '', filenames: ['model.py'] },
  { backend: 'javascript', platform: '', filenames: ['model.js', 'model.mjs', 'model.ts'] },
];

/**
 * Fills in name, backend, platform and file name from what is there: the server's part of completion, done whatever the flags say.
 * @param entries names of files and folders in the first version folder
 */
export function completeConfig(config: ModelConfig, modelName: string, entries: readonly string[]): ModelConfig {
  const completed = { ...config, name: config.name || modelName };
  if (completed.name !== modelName) {
    throw invalid(
      `unexpected directory name '${modelName}' for model '${completed.name}', directory name must equal model name`,
    );
  }
  if (completed.platform === 'ensemble' || completed.ensemble_scheduling !== undefined)
    return completeEnsemble(completed);
  const recognised = recognitions.find((candidate) => fits(candidate, completed, entries));
  if (recognised !== undefined) return fill(completed, recognised, entries);
  return completed.backend === '' ? backendFromName(completed) : completed;
}

function completeEnsemble(config: ModelConfig): ModelConfig {
  return {
    ...config,
    platform: config.platform || 'ensemble',
    model_transaction_policy: config.model_transaction_policy ?? { decoupled: false },
  };
}

function fits(candidate: Recognition, config: ModelConfig, entries: readonly string[]): boolean {
  const { backend, platform, default_model_filename } = config;
  if (backend !== '') return backend === candidate.backend && (platform === '' || platform === candidate.platform);
  if (platform !== '' && platform === candidate.platform) return true;
  if (default_model_filename !== '') return candidate.filenames.includes(default_model_filename);
  return platform === '' && candidate.filenames.some((filename) => entries.includes(filename));
}

function fill(config: ModelConfig, recognised: Recognition, entries: readonly string[]): ModelConfig {
  const found = recognised.filenames.find((filename) => entries.includes(filename));
  return {
    ...config,
    backend: recognised.backend,
    platform: config.platform || recognised.platform,
    default_model_filename: config.default_model_filename || (found ?? recognised.filenames[0]!),
  };
}

/** A model called `NAME.BACKEND` is for that backend. */
function backendFromName(config: ModelConfig): ModelConfig {
  const dot = config.name.indexOf('.');
  if (config.platform !== '') {
    throw invalid(`unexpected platform type '${config.platform}' for ${config.name}`);
  }
  if (dot < 0 || dot === config.name.length - 1) {
    throw invalid(
      `Invalid model name: Could not determine backend for model '${config.name}' with no backend in model configuration. ` +
        "Expected model name of the form 'model.<backend_name>'.",
    );
  }
  const backend = config.name.slice(dot + 1);
  return { ...config, backend, default_model_filename: config.default_model_filename || `model.${backend}` };
}
