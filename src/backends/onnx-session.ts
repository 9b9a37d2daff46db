import { availableParallelism } from 'node:os';
import type { ModelConfig } from '../config/model-config.js';
import { invalid } from '../types/errors.js';
import type { InstancePlace } from './backend.js';
import type { OnnxProvider, OnnxSessionOptions } from './worker-protocol.js';

/** `optimization.graph.level` (fact sheet 4.5), absent or 0 = all, as ONNX Runtime's levels. */
const graphLevels: Readonly<Record<number, number>> = { [-1]: 1, 0: 99, 1: 2, 2: 0 };

/**
 * ONNX Runtime 1.30 moves a `Pad` into the `MaxPool` behind it, whose own padding never is the largest: zeros around negative numbers are
 * lost without a word. Models that have both do without that optimization.
 */
const PADDED_POOLS = ['Pad', 'MaxPool'];
const NO_PAD_FUSION = { 'optimization.disable_specified_optimizers': 'Pad_Fusion' };

/**
 * The session options of one instance: `optimization` and `parameters` of the configuration, and the execution provider of its
 * device. Throws INVALID_ARGUMENT that names the parameter, what it may be and what it is. @param operators of the model's graph
 */
export function sessionOptions(
  config: ModelConfig,
  place: InstancePlace,
  operators: ReadonlySet<string>,
): OnnxSessionOptions {
  const parameters = new Parameters(config);
  const level = config.optimization?.graph?.level ?? 0;
  return {
    graphLevel: graphLevels[level] ?? 99,
    // Every instance its share of the cores: more threads than cores only take turns.
    intraOpThreads: parameters.count('intra_op_thread_count') || defaultThreads(place.siblings),
    interOpThreads: parameters.count('inter_op_thread_count') || 1,
    parallel: parameters.isParallel(),
    memArena: parameters.flag('enable_mem_arena', true),
    memPattern: parameters.flag('enable_mem_pattern', true),
    entries: {
      ...configEntries(parameters, place),
      ...(PADDED_POOLS.every((operator) => operators.has(operator)) && NO_PAD_FUSION),
    },
    providers: providers(config, place),
  };
}

function defaultThreads(siblings: number): number {
  return Math.max(1, Math.floor(availableParallelism() / siblings));
}

function providers(config: ModelConfig, place: InstancePlace): OnnxProvider[] {
  const accelerators = config.optimization?.execution_accelerators;
  if (place.gpu < 0) {
    for (const { name } of accelerators?.cpu_execution_accelerator ?? [])
      throw unknownAccelerator(config.name, name, 'CPU');
    return [];
  }
  const device = { device_id: String(place.gpu) };
  const chosen = (accelerators?.gpu_execution_accelerator ?? []).map(({ name, parameters }): OnnxProvider => {
    if (name !== 'tensorrt' && name !== 'cuda') throw unknownAccelerator(config.name, name, 'GPU');
    return { name: name === 'cuda' ? 'CUDA' : 'TensorRT', options: { ...parameters, ...device } };
  });
  return chosen.some(({ name }) => name === 'CUDA') ? chosen : [...chosen, { name: 'CUDA', options: device }];
}

function unknownAccelerator(model: string, name: string, device: string) {
  return invalid(
    `unknown Execution Accelerator '${name}' is requested for a ${device} instance of model '${model}'; ONNX Runtime has 'cuda' and 'tensorrt' here, for GPU instances`,
  );
}

/** Several instances that spin while they wait would take each other's cores: they do so only where the configuration asks for it. */
function configEntries(parameters: Parameters, place: InstancePlace): Record<string, string> {
  const spins = place.siblings === 1 && availableParallelism() > 2;
  const defaults: readonly [key: string, value: boolean][] = [
    ['session.intra_op.allow_spinning', spins],
    ['session.inter_op.allow_spinning', false],
    ['session.use_device_allocator_for_initializers', false],
  ];
  return Object.fromEntries(defaults.map(([key, value]) => [key, parameters.flag(key, value) ? '1' : '0']));
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

  isParallel(): boolean {
    const text = this.#text('execution_mode');
    if (text === '' || text === '0') return false;
    if (text === '1') return true;
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
