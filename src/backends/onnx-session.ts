import { availableParallelism } from 'node:os';
import type { ModelConfig } from '../config/model-config.js';
import { invalid } from '../types/errors.js';
import type { InstancePlace } from './backend.js';

/** `InferenceSession.SessionOptions` of onnxruntime-node, as far as a configuration can set them. */
export type SessionOptions = Record<string, unknown>;

/** `optimization.graph.level` (fact sheet 4.5): absent or 0 = all. */
const graphLevels: Readonly<Record<number, string>> = { [-1]: 'basic', 0: 'all', 1: 'extended', 2: 'disabled' };

/**
 * The session options of one instance: `optimization` and `parameters` of the configuration, and the execution provider of its
 * device. Throws INVALID_ARGUMENT that names the parameter, what it may be and what it is.
 */
export function sessionOptions(config: ModelConfig, place: InstancePlace): SessionOptions {
  const parameters = new Parameters(config);
  const level = config.optimization?.graph?.level ?? 0;
  return {
    graphOptimizationLevel: graphLevels[level] ?? 'all',
    // Every instance its share of the cores: more threads than cores only take turns.
    intraOpNumThreads: parameters.count('intra_op_thread_count') || defaultThreads(place.siblings),
    interOpNumThreads: parameters.count('inter_op_thread_count') || 1,
    executionMode: parameters.executionMode(),
    enableCpuMemArena: parameters.flag('enable_mem_arena', true),
    enableMemPattern: parameters.flag('enable_mem_pattern', true),
    executionProviders: executionProviders(config, place),
    extra: extraEntries(parameters, place),
    logSeverityLevel: 3,
  };
}

function defaultThreads(siblings: number): number {
  return Math.max(1, Math.floor(availableParallelism() / siblings));
}

function executionProviders(config: ModelConfig, place: InstancePlace): unknown[] {
  const accelerators = config.optimization?.execution_accelerators;
  if (place.gpu < 0) {
    for (const { name } of accelerators?.cpu_execution_accelerator ?? [])
      throw unknownAccelerator(config.name, name, 'CPU');
    return ['cpu'];
  }
  const chosen = (accelerators?.gpu_execution_accelerator ?? []).map(({ name, parameters }) => {
    if (name !== 'tensorrt' && name !== 'cuda') throw unknownAccelerator(config.name, name, 'GPU');
    return { name, deviceId: place.gpu, ...parameters };
  });
  const hasCuda = chosen.some(({ name }) => name === 'cuda');
  return [...chosen, ...(hasCuda ? [] : [{ name: 'cuda', deviceId: place.gpu }]), 'cpu'];
}

function unknownAccelerator(model: string, name: string, device: string) {
  return invalid(
    `unknown Execution Accelerator '${name}' is requested for a ${device} instance of model '${model}'; onnxruntime-node has 'cuda' and 'tensorrt', for GPU instances`,
  );
}

/** Several instances that spin while they wait would take each other's cores: they do so only where the configuration asks for it. */
function extraEntries(parameters: Parameters, place: InstancePlace): object {
  const spins = parameters.flag('session.intra_op.allow_spinning', place.siblings === 1 && availableParallelism() > 2);
  const interSpins = parameters.flag('session.inter_op.allow_spinning', false);
  return {
    session: {
      intra_op: { allow_spinning: spins ? '1' : '0' },
      inter_op: { allow_spinning: interSpins ? '1' : '0' },
      use_device_allocator_for_initializers: parameters.flag('session.use_device_allocator_for_initializers', false)
        ? '1'
        : '0',
    },
  };
}

/** The `parameters` map of a configuration, read with types. */
class Parameters {
  readonly #config: ModelConfig;

  constructor(config: ModelConfig) {
    this.#config = config;
  }

  /** 0 = not given, or the default. */
  count(key: string): number {
    const text = this.#text(key);
    if (text === '') return 0;
    if (!/^[0-9]{1,4}$/.test(text)) throw this.#unfit(key, 'a whole number from 0 to 9999', text);
    return Number(text);
  }

  flag(key: string, otherwise: boolean): boolean {
    const text = this.#text(key).toLowerCase();
    if (text === '') return otherwise;
    if (text === '1' || text === 'true') return true;
    if (text === '0' || text === 'false') return false;
    throw this.#unfit(key, '0, 1, true or false', text);
  }

  executionMode(): 'sequential' | 'parallel' {
    const text = this.#text('execution_mode');
    if (text === '' || text === '0') return 'sequential';
    if (text === '1') return 'parallel';
    throw invalid(
      `Invalid configuration value provided. Expected values for  execution_mode are 0 or 1 but got ${text} .`,
    );
  }

  #text(key: string): string {
    return this.#config.parameters[key]?.string_value ?? '';
  }

  #unfit(key: string, expected: string, got: string) {
    return invalid(`parameter '${key}' of model '${this.#config.name}' must be ${expected}, got '${got}'`);
  }
}
