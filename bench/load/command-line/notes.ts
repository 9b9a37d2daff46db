import type { Given } from './given.js';

/** Flags that are accepted and change nothing, each in a sentence. */
export function notesOf(given: Given): string[] {
  const notes: string[] = [];
  const note = (isGiven: unknown, sentence: string) => {
    if (isGiven) notes.push(sentence);
  };
  const without = (flag: unknown, name: string, needed: unknown, neededName: string) =>
    note(flag !== undefined && !needed, `${name} has no effect without ${neededName}.`);
  note(given.async, '--async has no effect: requests never wait for each other.');
  note(given.sync, '--sync has no effect: requests never wait for each other, and concurrency does not cost threads.');
  note(given.verbose, '-v has no effect: --json writes everything that was measured.');
  note(given.concurrency !== undefined, '-t is deprecated: use --concurrency-range.');
  note(given.dynamicConcurrency, '-d is deprecated: use --concurrency-range START:0 with --latency-threshold.');
  note(given.zeroInput, '-z is deprecated: use --input-data zero.');
  note(given.dataDirectory !== undefined, '--data-directory is deprecated: use --input-data DIR.');
  const isCounted = given.measurementMode === 'count_windows';
  without(given.measurementRequestCount, '--measurement-request-count', isCounted, '--measurement-mode count_windows');
  without(given.requestPeriod, '--request-period', given.periodicConcurrencyRange, '--periodic-concurrency-range');
  const hasRate = given.requestRateRange !== undefined || given.loadProfile !== undefined;
  without(given.requestDistribution, '--request-distribution', hasRate, '--request-rate-range or --load-profile');
  const rate = given.requestRateRange ?? given.loadProfile ?? given.requestIntervals;
  const isInProcess = given.serviceKind === 'in_process';
  const isHttp = (given.protocol ?? 'http') === 'http' && !isInProcess;
  note(
    given.connections !== undefined && isHttp && rate === undefined,
    '--connections has no effect: over HTTP each request in flight has a connection.',
  );
  note(given.serialSequences, '--serial-sequences has no effect: a sequence never has more than one step in flight.');
  without(given.verboseCsv, '--verbose-csv', given.csv, '-f FILE');
  without(given.metricsUrl, '--metrics-url', given.collectMetrics, '--collect-metrics');
  without(given.metricsInterval, '--metrics-interval', given.collectMetrics, '--collect-metrics');
  for (const [key, flag] of traceFlags) without(given[key], flag, given.traceLevel, '--trace-level');
  const hasRegions = given.sharedMemory === 'system';
  without(given.outputSharedMemorySize, '--output-shared-memory-size', hasRegions, '--shared-memory system');
  return [...notes, ...(isInProcess ? notesInProcess(given) : notesOfTls(given))];
}

const traceFlags = [
  ['traceRate', '--trace-rate'],
  ['traceCount', '--trace-count'],
  ['logFrequency', '--log-frequency'],
] as const;

const networkFlags = [
  ['header', '-H'],
  ['connections', '--connections'],
  ['maxThreads', '--max-threads'],
  ['inputTensorFormat', '--input-tensor-format'],
  ['outputTensorFormat', '--output-tensor-format'],
] as const;

function notesInProcess(given: Given): string[] {
  const named = networkFlags.filter(([key]) => given[key] !== undefined).map(([, flag]) => flag);
  const tls = tlsFlags(given, 'sslGrpc').length + tlsFlags(given, 'sslHttps').length > 0 ? ['--ssl-...'] : [];
  return [...named, ...tls].map((flag) => `${flag} has no effect: with in_process nothing goes over a network.`);
}

function notesOfTls(given: Given): string[] {
  const { url = '', protocol = 'http', sslGrpcUseSsl } = given;
  const notes: string[] = [];
  const isGrpc = protocol === 'grpc';
  const isGrpcSecure = isGrpc && (sslGrpcUseSsl || /^(https|grpcs):/i.test(url));
  const grpc = tlsFlags(given, 'sslGrpc').filter((key) => key !== 'sslGrpcUseSsl');
  if (!isGrpc && sslGrpcUseSsl) notes.push('--ssl-grpc-use-ssl has no effect without -i grpc.');
  if (grpc.length > 0 && !isGrpcSecure) {
    notes.push(`--ssl-grpc-...-file has no effect without ${isGrpc ? '--ssl-grpc-use-ssl' : '-i grpc'}.`);
  }
  const isSecure = !isGrpc && /^(https|wss):/i.test(url);
  if (tlsFlags(given, 'sslHttps').length > 0 && !isSecure) {
    notes.push(`--ssl-https-... has no effect without ${isGrpc ? '-i http or -i ws' : '-u https://HOST:PORT'}.`);
  }
  return notes;
}

function tlsFlags(given: Given, prefix: string): string[] {
  return Object.keys(given).filter((key) => key.startsWith(prefix));
}
