import type { DataOptions } from '../../../bench/load/options.js';
import type { TargetModel, TargetTensor } from '../../../bench/load/target/target.js';

export function tensor(name: string, datatype: string, shape: readonly number[], isOptional = false): TargetTensor {
  return { name, datatype, shape, isOptional };
}

/** As a server would describe it; without a batch dimension unless `more` says otherwise. */
export function targetModel(
  name: string,
  inputs: readonly TargetTensor[],
  outputs: readonly TargetTensor[],
  more: Partial<TargetModel> = {},
): TargetModel {
  return {
    name,
    version: '1',
    platform: 'onnxruntime_onnx',
    maxBatchSize: 0,
    inputs,
    outputs,
    scheduler: 'default',
    isDecoupled: false,
    usesCache: false,
    composing: [],
    ...more,
  };
}

/** The model of the examples that adds and subtracts. */
export const simple = targetModel(
  'simple',
  [tensor('INPUT0', 'INT32', [-1, 16]), tensor('INPUT1', 'INT32', [-1, 16])],
  [tensor('OUTPUT0', 'INT32', [-1, 16]), tensor('OUTPUT1', 'INT32', [-1, 16])],
  { maxBatchSize: 8, scheduler: 'dynamic' },
);

export function dataOptions(more: Partial<DataOptions> = {}): DataOptions {
  return {
    source: 'random',
    shapes: {},
    stringLength: 8,
    stringData: null,
    seed: 1,
    inputFormat: 'binary',
    outputFormat: 'binary',
    sharedMemory: 'none',
    outputRegionBytes: 100 * 1024,
    ...more,
  };
}
