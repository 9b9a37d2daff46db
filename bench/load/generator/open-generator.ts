import { availableParallelism } from 'node:os';
import { prepareStreams } from '../encode/prepare-streams.js';
import { inferPath, type SourceSet } from '../encode/request-settings.js';
import type { LoadOptions, LoadPlan } from '../options.js';
import type { GeneratorSetting } from '../run-load.js';
import { outputSizes, Regions } from '../target/regions.js';
import type { TargetModel } from '../target/target.js';
import type { TargetUrl } from '../target/url.js';
import type { WireProtocol, WireTarget } from '../wires/wire.js';
import { DriverGroup } from './group.js';
import type { LoadGenerator } from './load-generator.js';
import type { Material } from './order.js';
import type { SequenceSettings } from './sequence-runs.js';
import { ThreadDriver } from './thread-driver.js';

/** Requests on a connection that can carry several, where nobody says otherwise. */
const USUAL_SLOTS = 8;
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
    const group = new DriverGroup(
      threadsOf(options),
      true,
      (nth, user) => new ThreadDriver(material, { nth, of: threadsOf(options) }, user),
    );
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

/** The lengths of sequences are those of the streams where these come from files. */
export function sequencesOf({ sequences, data }: LoadOptions, { scheduler }: TargetModel): SequenceSettings | null {
  if (scheduler !== 'sequence') return null;
  const isGiven = typeof data.source !== 'string';
  return {
    alive: sequences.count,
    length: isGiven ? 0 : sequences.length,
    lengthVariationPercent: isGiven ? 0 : sequences.lengthVariationPercent,
    firstId: sequences.idRange.first,
    lastId: sequences.idRange.last,
    seed: data.seed,
  };
}

export function wireProtocol({ protocol, streaming }: LoadOptions): WireProtocol {
  return protocol === 'grpc' && streaming ? 'grpc-stream' : protocol;
}

/** With `--connections`, so many of them carry the greatest load. */
function slotsOf({ protocol, connections, loads }: LoadOptions): number {
  if (protocol === 'http') return 1;
  if (connections === 0) return USUAL_SLOTS;
  return Math.max(1, Math.ceil(mostInFlight(loads) / connections));
}

const UNKNOWN_IN_FLIGHT = 64;

function mostInFlight(loads: LoadPlan): number {
  if (loads.kind !== 'concurrency' && loads.kind !== 'periodic') return UNKNOWN_IN_FLIGHT;
  return Math.max(loads.range.start, loads.range.end === 0 ? UNKNOWN_IN_FLIGHT : loads.range.end);
}

function threadsOf({ threads }: LoadOptions): number {
  if (threads > 0) return threads;
  return Math.max(1, Math.min(MOST_THREADS, Math.floor(availableParallelism() / CORES_PER_THREAD)));
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
