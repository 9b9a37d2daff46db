import { checkAnswer } from '../encode/check-answer.js';
import { inferPath } from '../encode/request-settings.js';
import { DriverGroup } from '../generator/group.js';
import type { Place } from '../generator/lane.js';
import type { LoadGenerator } from '../generator/load-generator.js';
import { LocalDriver } from '../generator/local-driver.js';
import { sequencesOf } from '../generator/open-generator.js';
import type { Material } from '../generator/order.js';
import type { Observer } from '../measure/observer.js';
import { networkParts } from '../network-parts.js';
import type { LoadOptions } from '../options.js';
import type { GeneratorSetting, RunParts } from '../run-load.js';
import { countersOf } from '../target/server-observer.js';
import type { Answer, Failure } from '../wires/wire.js';
import { prepareInProcess } from './in-process-request.js';
import { InProcessTarget } from './in-process-target.js';
import { InProcessWire } from './in-process-wire.js';

/** As many as one connection would carry; requests in process need none. */
const SLOTS = 64;

/** What a run is made of where the server runs in this process. */
export const inProcessParts: RunParts = {
  ...networkParts,
  connect: ({ inProcess, model }) => InProcessTarget.start(inProcess!.modelRepository, [model]),
  openGenerator: async (setting) => openGenerator(setting),
  observe: async ({ target, model }): Promise<Observer & { close(): void }> => ({
    look: async () => ({ counters: await countersOf(target, model), process: null, metrics: null }),
    close: () => {},
  }),
};

function openGenerator({ options, target, model, data }: GeneratorSetting): LoadGenerator {
  const { core } = target as InProcessTarget;
  const { requestParameters: parameters } = options;
  const streams = data.streams.map((steps) =>
    steps.map((step) => ({ ...step, parameters: { ...parameters, ...step.parameters } })),
  );
  const material: Material = {
    target: wireTarget(options, model.isDecoupled),
    streams: prepareInProcess({ streams }, model.scheduler === 'sequence'),
    sequences: sequencesOf(options, model),
  };
  return new DriverGroup(
    1,
    false,
    (_, user) =>
      new LocalDriver(
        material,
        (wireUser) => new InProcessWire(core, options.model, options.modelVersion, material.target, wireUser),
        check,
        user,
      ),
  );
}

function check(answer: Answer, place: Place): Failure | null {
  const { expected } = place.step!;
  return expected === null || answer.isEmpty ? null : checkAnswer('in-process', expected, answer);
}

/** Host and port are of no use here. */
function wireTarget({ model, modelVersion, requestTimeoutMs }: LoadOptions, isDecoupled: boolean): Material['target'] {
  return {
    protocol: 'http',
    host: '',
    port: 0,
    tls: null,
    headers: [],
    path: inferPath(model, modelVersion),
    slots: SLOTS,
    timeoutMs: requestTimeoutMs,
    isDecoupled,
  };
}
