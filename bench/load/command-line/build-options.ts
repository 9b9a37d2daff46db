import { defaultOptions as defaults } from '../default-options.js';
import type {
  DataOptions,
  InProcessOptions,
  LoadOptions,
  LoadPlan,
  MeasurementOptions,
  SequenceOptions,
} from '../options.js';
import type { TlsSettings } from '../wires/wire.js';
import type { Given } from './given.js';
import { filled } from './values.js';

/**
 * What `refuse` found nothing wrong with, with the defaults for the rest.
 * @param readText for the files of certificates; its errors go to the caller
 */
export function buildOptions(given: Given, readText: (file: string) => string): LoadOptions {
  const protocol = given.protocol ?? defaults.protocol;
  return {
    model: given.model ?? defaults.model,
    modelVersion: given.modelVersion ?? defaults.modelVersion,
    label: given.label ?? defaults.label,
    protocol,
    streaming: given.streaming ?? defaults.streaming,
    url: given.url ?? defaults.url,
    tls: protocol === 'grpc' ? tlsOfGrpc(given, readText) : tlsOfHttps(given, readText),
    headers: given.header ?? defaults.headers,
    inProcess: given.serviceKind === 'in_process' ? inProcessOf(given) : null,
    batchSize: given.batchSize ?? defaults.batchSize,
    requestParameters: given.requestParameter ?? defaults.requestParameters,
    loads: planOf(given),
    sequences: sequencesOf(given),
    data: dataOf(given),
    measurement: measurementOf(given),
    threads: given.maxThreads ?? defaults.threads,
    connections: given.connections ?? defaults.connections,
    requestTimeoutMs: given.requestTimeoutMs ?? defaults.requestTimeoutMs,
    metrics: given.collectMetrics ? { url: given.metricsUrl ?? '', intervalMs: given.metricsInterval ?? 1000 } : null,
    trace: traceOf(given),
  };
}

function inProcessOf({ modelRepository = [], loadModel = [] }: Given): InProcessOptions {
  return { modelRepository, loadModels: loadModel };
}

function planOf(given: Given): LoadPlan {
  const search = given.binarySearch ? 'binary' : 'linear';
  const distribution = given.requestDistribution ?? 'constant';
  const { requestIntervals, loadProfile, requestRateRange, periodicConcurrencyRange: periodic } = given;
  if (requestIntervals !== undefined) return { kind: 'intervals', file: requestIntervals };
  if (loadProfile !== undefined) return { kind: 'profile', file: loadProfile, distribution };
  if (requestRateRange !== undefined) return { kind: 'rate', range: filled(requestRateRange), search, distribution };
  if (periodic !== undefined) return { kind: 'periodic', range: filled(periodic), period: given.requestPeriod ?? 10 };
  return { kind: 'concurrency', range: filled(given.concurrencyRange ?? oldRange(given)), search };
}

/** Of `-t`, `-d` and `-c`. */
function oldRange({ concurrency = 1, dynamicConcurrency, maxConcurrency }: Given) {
  return { start: concurrency, end: dynamicConcurrency ? (maxConcurrency ?? 0) : concurrency, step: 1 };
}

function measurementOf(given: Given): MeasurementOptions {
  const { measurement } = defaults;
  const limitMs = given.latencyThreshold ?? 0;
  return {
    mode: given.measurementMode ?? measurement.mode,
    intervalMs: given.measurementInterval ?? measurement.intervalMs,
    windowRequests: given.measurementRequestCount ?? measurement.windowRequests,
    requestCount: given.requestCount ?? measurement.requestCount,
    warmupRequests: given.warmupRequestCount ?? measurement.warmupRequests,
    warmupMs: given.warmupInterval ?? measurement.warmupMs,
    stabilityPercent: given.stabilityPercentage ?? measurement.stabilityPercent,
    maxTrials: given.maxTrials ?? measurement.maxTrials,
    percentile: (given.percentile ?? -1) > 0 ? given.percentile! : null,
    latencyLimitUs: limitMs > 0 ? limitMs * 1000 : null,
  };
}

function sequencesOf(given: Given): SequenceOptions {
  const { sequences } = defaults;
  return {
    count: given.numOfSequences ?? sequences.count,
    length: given.sequenceLength ?? sequences.length,
    lengthVariationPercent: given.sequenceLengthVariation ?? sequences.lengthVariationPercent,
    idRange: given.sequenceIdRange ?? sequences.idRange,
  };
}

function dataOf(given: Given): DataOptions {
  const { data } = defaults;
  return {
    source: sourceOf(given),
    shapes: given.shape ?? data.shapes,
    stringLength: given.stringLength ?? data.stringLength,
    stringData: given.stringData ?? data.stringData,
    seed: given.seed ?? data.seed,
    inputFormat: given.inputTensorFormat ?? data.inputFormat,
    outputFormat: given.outputTensorFormat ?? data.outputFormat,
    sharedMemory: given.sharedMemory === 'system' ? 'system' : 'none',
    outputRegionBytes: given.outputSharedMemorySize ?? data.outputRegionBytes,
  };
}

function sourceOf({ inputData, zeroInput, dataDirectory }: Given): DataOptions['source'] {
  if (zeroInput) return 'zero';
  if (dataDirectory !== undefined) return { paths: [dataDirectory] };
  if (inputData === undefined) return defaults.data.source;
  const [first] = inputData;
  return first === 'random' || first === 'zero' ? first : { paths: inputData };
}

/** By the names of the trace settings of the protocol; null = they are left as they are. */
function traceOf({ traceLevel, traceRate, traceCount, logFrequency }: Given): LoadOptions['trace'] {
  if (traceLevel === undefined) return null;
  return {
    trace_level: traceLevel,
    trace_rate: String(traceRate ?? 1000),
    trace_count: traceCount ?? '-1',
    log_frequency: String(logFrequency ?? 0),
  };
}

function tlsOfGrpc(given: Given, readText: (file: string) => string): TlsSettings | null {
  if (!given.sslGrpcUseSsl && !/^(https|grpcs):/i.test(given.url ?? '')) return null;
  const read = (file: string | undefined) => (file === undefined ? '' : readText(file));
  return {
    ca: read(given.sslGrpcRootCertificationsFile),
    certificate: read(given.sslGrpcCertificateChainFile),
    key: read(given.sslGrpcPrivateKeyFile),
    verifiesPeer: true,
    verifiesHost: true,
  };
}

function tlsOfHttps(given: Given, readText: (file: string) => string): TlsSettings | null {
  if (!/^(https|wss):/i.test(given.url ?? '')) return null;
  const read = (file: string | undefined) => (file === undefined ? '' : readText(file));
  return {
    ca: read(given.sslHttpsCaCertificatesFile),
    certificate: read(given.sslHttpsClientCertificateFile),
    key: read(given.sslHttpsPrivateKeyFile),
    verifiesPeer: given.sslHttpsVerifyPeer !== 0,
    verifiesHost: given.sslHttpsVerifyHost !== 0,
  };
}
