import { availableParallelism } from 'node:os';
import { prepareStreams } from '../encode/prepare-streams.js';
import { inferPath, type SourceSet } from '../encode/request-settings.js';
import type { LoadOptions, LoadPlan } from '../options.js';
import type { GeneratorSetting } from '../run-load.js';
import { MAX_IN_FLIGHT, maxInFlight } from '../search/next-load.js';
import { outputSizes, Regions } from '../target/regions.js';
import type { TargetModel } from '../target/target.js';
import type { TargetUrl } from '../target/url.js';
import type { WireProtocol, WireTarget } from '../wires/wire.js';
import { DriverGroup } from './group.js';
import type { LoadGenerator } from './load-generator.js';
import type { Material } from './order.js';
import type { SequenceSettings } from './sequence-runs.js';
import { ThreadDriver } from './thread-driver.js';

/** Requests on a connection that can carry several, where nobody says otherwise: with a closed load; with an open one, which needs few. */
const USUAL_SLOTS = 8;
const USUAL_OPEN_SLOTS = 64;
/** Cores for each thread of ours: the server, on the same machine, needs most of them. */
const CORES_PER_THREAD = 4;
const MOST_THREADS = 8;

/** Over the network, from threads of its own. Rejects with an error that names what cannot be sent. */
export async function openNetworkGenerator(setting: GeneratorSetting, url: TargetUrl): Promise<LoadGenerator> {
  const { options, target, model, data } = setting;
  const regions =
    options.data.sharedMemory === 'system'
      ? await Regions.open(target, data, outputSizes(model, options.batchSize, options.data.outputRegionBytes))
      : null;
  try {
    const material = materialOf(setting, url, regions);
    const threads = threadsOf(options, material.sequences);
    const group = new DriverGroup(threads, true, (nth, user) => new ThreadDriver(material, { nth, of: threads }, user));
    return regions === null ? group : closingWith(group, regions);
  } catch (error) {
    await regions?.close();
    throw error;
  }
}

function materialOf({ options, model, data }: GeneratorSetting, url: TargetUrl, regions: Regions | null): Material {
  const target: WireTarget = {
    protocol: wireProtocol(options),
    host: url.host,
    port: url.port,
    tls: url.tls,
    headers: options.headers,
    path: inferPath(options.model, options.modelVersion),
    slots: slotsOf(options),
    timeoutMs: options.requestTimeoutMs,
    isDecoupled: model.isDecoupled,
  };
  const source: SourceSet = regions === null ? data : withPlaces(data.streams, regions);
  const streams = prepareStreams(target.protocol, model, source, {
    target,
    modelVersion: options.modelVersion,
    inputFormat: options.data.inputFormat,
    outputFormat: options.data.outputFormat,
    parameters: options.requestParameters,
    outputPlaces: regions?.outputs ?? new Map(),
  });
  return { target, streams, sequences: sequencesOf(options, model) };
}

function withPlaces(streams: GeneratorSetting['data']['streams'], regions: Regions): SourceSet {
  return {
    streams: streams.map((steps, stream) =>
      steps.map((step, nth) => ({ ...step, inputs: regions.inputs[stream]![nth]! })),
    ),
  };
}

const USUAL_STEPS = 20;

export function sequencesOf({ sequences, data }: LoadOptions, { scheduler }: TargetModel): SequenceSettings | null {
  if (scheduler !== 'sequence') return null;
  const length = sequences.length ?? (typeof data.source === 'string' ? USUAL_STEPS : 0);
  return {
    alive: sequences.count,
    length,
    lengthVariationPercent: length === 0 ? 0 : sequences.lengthVariationPercent,
    firstId: sequences.idRange.first,
    lastId: sequences.idRange.last,
    seed: data.seed,
  };
}

function wireProtocol({ protocol, streaming }: LoadOptions): WireProtocol {
  return protocol === 'grpc' && streaming ? 'grpc-stream' : protocol;
}

/** With `--connections`, so many of them carry the greatest load. */
function slotsOf({ protocol, connections, loads }: LoadOptions): number {
  if (protocol === 'http') return 1;
  if (connections === 0) return isClosed(loads) ? USUAL_SLOTS : USUAL_OPEN_SLOTS;
  return Math.max(1, Math.ceil(mostInFlight(loads) / connections));
}

const UNKNOWN_IN_FLIGHT = 64;

function mostInFlight(loads: LoadPlan): number {
  if (!isClosed(loads)) return MAX_IN_FLIGHT;
  return Math.max(loads.range.start, loads.range.end === 0 ? UNKNOWN_IN_FLIGHT : loads.range.end);
}

function isClosed(loads: LoadPlan): loads is Extract<LoadPlan, { kind: 'concurrency' | 'periodic' }> {
  return loads.kind === 'concurrency' || loads.kind === 'periodic';
}

/** No more than there are requests in flight: a thread without any would wait. With an open load each needs a place for its part of what is due. */
function threadsOf(options: LoadOptions, sequences: SequenceSettings | null): number {
  const usual = Math.max(1, Math.min(MOST_THREADS, Math.floor(availableParallelism() / CORES_PER_THREAD)));
  const wanted = options.threads > 0 ? options.threads : usual;
  const { loads } = options;
  if (!isClosed(loads)) return Math.min(wanted, maxInFlight(options, sequences !== null));
  // Without an end any number may be in flight.
  return loads.range.end === 0 ? wanted : Math.min(wanted, mostInFlight(loads));
}

/** The generator, at whose end the regions go too. */
function closingWith(group: DriverGroup, regions: Regions): LoadGenerator {
  const close = group.close.bind(group);
  group.close = async () => {
    await close();
    return regions.close();
  };
  return group;
}
