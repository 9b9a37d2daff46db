import { answerChecker } from '../generator/answer-checker.js';
import { DriverGroup } from '../generator/group.js';
import type { LoadGenerator } from '../generator/load-generator.js';
import { LocalDriver } from '../generator/local-driver.js';
import { sequencesOf } from '../generator/open-generator.js';
import type { Material } from '../generator/order.js';
import { networkParts } from '../network-parts.js';
import type { LoadOptions } from '../options.js';
import type { GeneratorSetting, RunParts } from '../run-load.js';
import { ServerObserver } from '../target/server-observer.js';
import type { WireUser } from '../wires/wire.js';
import { prepareInProcess } from './in-process-request.js';
import { InProcessTarget } from './in-process-target.js';
import { InProcessWire } from './in-process-wire.js';

/** Requests that a wire carries: with an open load as many sequences are alive as there are places. */
const SLOTS = 1;

/** What a run is made of whose server is in this process. */
export const inProcessParts: RunParts = {
  ...networkParts,
  connect,
  openGenerator: async (setting) => openGenerator(setting),
  observe: async ({ target, model }) => ServerObserver.ofTarget(target, model),
};

/** Of options that no command line has checked, two are refused here. */
async function connect({ inProcess, model, data, metrics }: LoadOptions): Promise<InProcessTarget> {
  if (data.sharedMemory !== 'none') {
    throw new Error('data.sharedMemory: tensors are not sent to a server in this process; leave it out');
  }
  if (metrics !== null) throw new Error('metrics: a server in this process has no page of metrics; leave it out');
  const { modelRepository, loadModels } = inProcess!;
  return InProcessTarget.start(modelRepository, [model, ...loadModels]);
}

/** On this thread: the core of the server is here. */
function openGenerator({ options, target, model, data }: GeneratorSetting): LoadGenerator {
  // `connect` has made it.
  const { core } = target as InProcessTarget;
  const limits = { slots: SLOTS, timeoutMs: options.requestTimeoutMs };
  const makeWire = (user: WireUser) => new InProcessWire(core, model.name, options.modelVersion, limits, user);
  const streams = prepareInProcess(data, model.scheduler === 'sequence', options.requestParameters);
  const place = { ...NOWHERE, ...limits, isDecoupled: model.isDecoupled };
  const material: Material = { target: place, streams, sequences: sequencesOf(options, model) };
  // Answers have the form of those over HTTP.
  const check = answerChecker('http', streams);
  return new DriverGroup(1, false, (_, user) => new LocalDriver(material, makeWire, check, user));
}

const NOWHERE = {
  protocol: 'http',
  host: '',
  port: 0,
  tls: null,
  headers: [],
  path: '',
} as const;
