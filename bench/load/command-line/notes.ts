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
  const isHttp = (given.protocol ?? 'http') === 'http';
  note(
    given.connections !== undefined && isHttp && rate === undefined,
    '--connections has no effect: over HTTP each request in flight has a connection.',
  );
  note(given.serialSequences, '--serial-sequences has no effect: a sequence never has more than one step in flight.');
  without(given.verboseCsv, '--verbose-csv', given.csv, '-f FILE');
  without(given.metricsUrl, '--metrics-url', given.collectMetrics, '--collect-metrics');
  without(given.metricsInterval, '--metrics-interval', given.collectMetrics, '--collect-metrics');
  const isTlsOfGrpc =
    given.sslGrpcRootCertificationsFile ?? given.sslGrpcPrivateKeyFile ?? given.sslGrpcCertificateChainFile;
  without(
    isTlsOfGrpc,
    '--ssl-grpc-...-file',
    given.sslGrpcUseSsl || /^(https|grpcs):/i.test(given.url ?? ''),
    '--ssl-grpc-use-ssl',
  );
  return notes;
}
