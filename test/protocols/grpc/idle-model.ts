import { systemClock } from '../../../src/base/clock.js';
import { silentLog } from '../../../src/base/log.js';
import { normalizeConfig } from '../../../src/config/normalize.js';
import { parseModelConfig } from '../../../src/config/pbtxt.js';
import type { AcceptedRequest, Responder } from '../../../src/core/infer-response.js';
import { Model } from '../../../src/core/model.js';
import { ModelTensors } from '../../../src/core/model-tensors.js';
import { ClientRegions } from '../../../src/core/regions/client-regions.js';
import type { InferenceServer } from '../../../src/core/server.js';
import { Arena } from '../../../src/memory/arena.js';
import { ModelStatistics } from '../../../src/telemetry/statistics.js';
import { invalid } from '../../../src/types/errors.js';
import { MemoryLog } from '../http/engine-fixture.js';

/** A model without instances: it takes requests, and never runs them. */
export function idleModel(name: string, maxBatchSize: number, inputs: string): Model {
  const text = `name: "${name}" max_batch_size: ${maxBatchSize} ${inputs} output { name: "Z" data_type: TYPE_FP32 dims: [ 1 ] }`;
  const config = normalizeConfig(parseModelConfig(text, 'config.pbtxt'), { gpus: [] });
  const parts = {
    name,
    version: 1,
    config,
    tensors: new ModelTensors(config, new Map()),
    states: [],
    specs: [],
    warmup: [],
    textOnlyStrings: false,
    statistics: new ModelStatistics(),
  };
  return new Model(parts, {
    arena: new Arena(1 << 24),
    clock: systemClock,
    log: new MemoryLog(),
    sequenceMaxBacklog: 100,
    responseTimeoutSecs: 60,
    find: () => {
      throw new Error('it calls nobody');
    },
  });
}

/** `input { ... }` of a configuration. */
export function inputText(name: string, datatype: string, dims = '-1'): string {
  return `input { name: "${name}" data_type: TYPE_${datatype} dims: [ ${dims} ] }`;
}

/** Knows these models by name, whatever the version. */
export function serverOf(...models: Model[]): InferenceServer {
  const find = (name: string) => {
    const model = models.find((candidate) => candidate.name === name);
    if (model === undefined) throw invalid(`no model '${name}'`);
    return model;
  };
  return {
    find,
    regions: new ClientRegions(false),
    tracing: { isOn: false, readsParents: false },
    log: { ...silentLog, settings: { verbose: 0 } },
  } as unknown as InferenceServer;
}

export const nobody: Responder = { onResponse: () => {}, onError: () => {} };

/** The bytes of all inputs of a request that is filled, which is then given up. */
export function takeInputs(request: AcceptedRequest): Buffer[] {
  const inputs = request.plan.inputs.map((_, nth) => {
    const begin = request.inputBegin(nth);
    return Buffer.from(request.model.arena.bytes.slice(begin, begin + request.inputBytes(nth)));
  });
  request.abandon();
  return inputs;
}
