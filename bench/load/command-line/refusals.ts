import type { Given } from './given.js';

/** What contradicts itself, or cannot be had here; null = all is well. The first found is enough. */
export function refuse(given: Given): string | null {
  return (
    refuseForeign(given) ??
    refuseServer(given) ??
    refuseTls(given) ??
    refuseLoads(given) ??
    refuseMeasurement(given) ??
    refuseData(given)
  );
}

const foreignKinds: Readonly<Record<string, string>> = {
  triton_c_api: '--service-kind triton_c_api: use --service-kind in_process with --model-repository DIR',
  openai:
    '--service-kind openai: only servers of the V2 protocol can be measured; for texts use /generate of such a server',
  tfserving: '--service-kind tfserving: only servers of the V2 protocol can be measured',
  torchserve: '--service-kind torchserve: only servers of the V2 protocol can be measured',
};

/** Flags of perf_analyzer for what is not here. */
function refuseForeign(given: Given): string | null {
  const { serviceKind = 'triton', grpcCompressionAlgorithm: compression = 'none' } = given;
  const kind = foreignKinds[serviceKind];
  if (kind !== undefined) return kind;
  if (given.endpoint !== undefined) return '--endpoint belongs to --service-kind openai, which cannot be measured';
  if (given.modelSignatureName !== undefined)
    return '--model-signature-name belongs to TensorFlow Serving, which cannot be measured';
  if (given.tritonServerDirectory !== undefined)
    return '--triton-server-directory: use --service-kind in_process with --model-repository DIR';
  if (given.blsComposingModels !== undefined) {
    return (
      '--bls-composing-models: models that a model calls are not told apart; measure them one by one with -m. ' +
      'With --service-kind in_process, --load-model loads them'
    );
  }
  if (given.profileExportFile !== undefined)
    return '--profile-export-file: use --json FILE, which has histograms and a timeline';
  if (given.sharedMemory === 'cuda') return '--shared-memory cuda: use --shared-memory system';
  if (compression.toLowerCase() !== 'none')
    return `--grpc-compression-algorithm ${compression}: requests are sent uncompressed`;
  const types = [given.sslHttpsClientCertificateType, given.sslHttpsPrivateKeyType];
  return types.includes('der')
    ? 'certificates and keys of the type DER are not read; convert them to PEM with openssl'
    : null;
}

function refuseServer(given: Given): string | null {
  const { protocol = 'http' } = given;
  if (given.model === undefined || given.model === '') return '-m (the name of the model) is required';
  if (given.modelVersion !== undefined && !/^[0-9]{1,15}$/.test(given.modelVersion)) {
    return `-x ${given.modelVersion}: expected a whole number`;
  }
  if (given.serviceKind === 'in_process') {
    if (given.modelRepository === undefined) return '--service-kind in_process needs --model-repository DIR';
    const network = given.url !== undefined ? '-u' : given.protocol !== undefined ? '-i' : null;
    if (network !== null)
      return `${network} and --service-kind in_process contradict each other: nothing goes over a network`;
    if (given.streaming) return '--streaming and --service-kind in_process contradict each other';
    if (given.sharedMemory === 'system')
      return '--shared-memory and --service-kind in_process contradict each other: nothing is copied anyway';
    if (given.collectMetrics)
      return '--collect-metrics and --service-kind in_process contradict each other: there is no page of metrics';
  } else if (given.modelRepository !== undefined || given.loadModel !== undefined) {
    const flag = given.modelRepository !== undefined ? '--model-repository' : '--load-model';
    return `${flag} is of use with --service-kind in_process only`;
  }
  if (given.streaming && protocol !== 'grpc') return `--streaming needs -i grpc; it is ${protocol}`;
  const formats = given.inputTensorFormat ?? given.outputTensorFormat;
  if (formats !== undefined && protocol === 'grpc')
    return 'the tensor formats are those of HTTP and WebSocket; gRPC has one only';
  return null;
}

const tlsPairs = [
  [
    'sslGrpcCertificateChainFile',
    '--ssl-grpc-certificate-chain-file',
    'sslGrpcPrivateKeyFile',
    '--ssl-grpc-private-key-file',
  ],
  [
    'sslHttpsClientCertificateFile',
    '--ssl-https-client-certificate-file',
    'sslHttpsPrivateKeyFile',
    '--ssl-https-private-key-file',
  ],
] as const;

function refuseTls(given: Given): string | null {
  for (const [certificate, certificateFlag, key, keyFlag] of tlsPairs) {
    if ((given[certificate] === undefined) === (given[key] === undefined)) continue;
    const [one, other] = given[key] === undefined ? [certificateFlag, keyFlag] : [keyFlag, certificateFlag];
    return `${one} needs ${other}: a certificate and its key go together`;
  }
  return null;
}

const loadFlags = [
  ['concurrencyRange', '--concurrency-range'],
  ['periodicConcurrencyRange', '--periodic-concurrency-range'],
  ['requestRateRange', '--request-rate-range'],
  ['requestIntervals', '--request-intervals'],
  ['loadProfile', '--load-profile'],
  ['concurrency', '-t'],
] as const;

function refuseLoads(given: Given): string | null {
  const named = loadFlags.filter(([key]) => given[key] !== undefined).map(([, flag]) => flag);
  if (named.length > 1) return `${named[0]} and ${named[1]} contradict each other: give one kind of load`;
  const limit = given.latencyThreshold ?? 0;
  const range = given.concurrencyRange ?? given.requestRateRange;
  if (range?.end === 0 && limit === 0) {
    return `the end of ${named[0]} is 0, which means until --latency-threshold (-l) is passed; give one of them`;
  }
  if (range?.end !== undefined && range.end !== 0 && range.end < range.start) {
    return `${named[0]} ${range.start}:${range.end}: the end is below the start`;
  }
  return refuseSearch(given, limit) ?? refusePeriodic(given) ?? refuseOldLoads(given, limit);
}

function refuseSearch({ binarySearch, concurrencyRange, requestRateRange }: Given, limit: number): string | null {
  if (!binarySearch) return null;
  const range = concurrencyRange ?? requestRateRange;
  if (limit === 0) return '--binary-search needs --latency-threshold (-l)';
  if (range?.end === undefined || range.end === 0) {
    return '--binary-search needs --concurrency-range or --request-rate-range with a start and an end';
  }
  return null;
}

function refusePeriodic({ periodicConcurrencyRange: range, requestCount = 0 }: Given): string | null {
  if (range === undefined) return null;
  const { start, end, step = 1 } = range;
  if (end === undefined || end < start) return '--periodic-concurrency-range needs an end that is not below its start';
  if ((end - start) % step !== 0)
    return '--periodic-concurrency-range: the step must lead from the start to the end exactly';
  return requestCount > 0 ? '--request-count and --periodic-concurrency-range contradict each other' : null;
}

function refuseOldLoads({ dynamicConcurrency, maxConcurrency, ...given }: Given, limit: number): string | null {
  const other = loadFlags.find(([key]) => key !== 'concurrency' && given[key] !== undefined);
  if (!dynamicConcurrency)
    return maxConcurrency === undefined ? null : '-c is of use with -d only; use --concurrency-range';
  if (other !== undefined) return `-d and ${other[1]} contradict each other`;
  return limit === 0 && maxConcurrency === undefined ? '-d needs -c or --latency-threshold (-l)' : null;
}

function refuseMeasurement(given: Given): string | null {
  const { requestCount = 0, measurementMode } = given;
  if (given.async && given.sync) return '--async and --sync contradict each other';
  if (requestCount > 0) {
    if (measurementMode === 'count_windows')
      return '--request-count and --measurement-mode count_windows contradict each other';
    if (given.loadProfile !== undefined)
      return '--request-count and --load-profile contradict each other: the profile says how long it lasts';
    const concurrency = given.concurrencyRange ?? { start: given.concurrency ?? 1, end: undefined };
    const most = Math.max(concurrency.start, concurrency.end ?? 0);
    if (requestCount < most) return `--request-count ${requestCount} is less than the concurrency ${most}`;
  }
  const level = given.traceLevel?.find((name) => !/^(OFF|TIMESTAMPS|TENSORS)$/.test(name));
  if (level !== undefined) return `--trace-level ${level}: expected OFF, TIMESTAMPS or TENSORS`;
  if (given.traceCount !== undefined && !/^(-1|[0-9]{1,9})$/.test(given.traceCount)) {
    return `--trace-count ${given.traceCount}: expected a whole number, or -1 for no limit`;
  }
  return null;
}

function refuseData({
  inputData = [],
  zeroInput,
  dataDirectory,
  sslHttpsVerifyPeer,
  sslHttpsVerifyHost,
}: Given): string | null {
  const sources = [
    ...(inputData.length > 0 ? ['--input-data'] : []),
    ...(zeroInput ? ['-z'] : []),
    ...(dataDirectory === undefined ? [] : ['--data-directory']),
  ];
  if (sources.length > 1) return `${sources[0]} and ${sources[1]} contradict each other`;
  const word = inputData.find((text) => text === 'random' || text === 'zero');
  if (word !== undefined && inputData.length > 1)
    return `--input-data ${word} and further --input-data contradict each other`;
  if ((sslHttpsVerifyPeer ?? 0) > 1) return '--ssl-https-verify-peer: expected 0 or 1';
  return (sslHttpsVerifyHost ?? 0) > 2 ? '--ssl-https-verify-host: expected 0, 1 or 2' : null;
}
