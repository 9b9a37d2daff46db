import { expect, test } from 'vitest';
import { parseBenchCommand } from '../../../../bench/load/command-line.js';
import { defaultOptions } from '../../../../bench/load/default-options.js';

const readText = (file: string) => {
  if (file === 'missing.pem') throw new Error('ENOENT');
  return `text of ${file}`;
};

/** Splits at blanks; parses `-m simple` and the rest. */
function parse(line: string) {
  return parseBenchCommand(['-m', 'simple', ...line.split(' ').filter((word) => word !== '')], readText);
}

function optionsOf(line: string) {
  const command = parse(line);
  if (command.kind !== 'bench') throw new Error(JSON.stringify(command));
  return command.options;
}

function refusalOf(line: string): string {
  const command = parse(line);
  if (command.kind !== 'print') throw new Error(JSON.stringify(command.kind));
  expect(command).toMatchObject({ stream: 'stderr', exitCode: 2 });
  return command.text;
}

test('nothing but a model: the defaults', () => {
  expect(parse('')).toEqual({
    kind: 'bench',
    options: { ...defaultOptions, model: 'simple' },
    outputs: { csv: null, isCsvVerbose: false, json: null, html: null, isQuiet: false, color: 'auto' },
    notes: [],
  });
});

test('short forms, as of perf_analyzer', () => {
  const line = '-x 2 -b 4 -u host:1 -i gRPC -H A:b -p 100 -s 5.5 -r 4 -l 0.5 -f out.csv -a -v -v';
  const command = parse(line);
  expect(command).toMatchObject({
    options: {
      modelVersion: '2',
      batchSize: 4,
      url: 'host:1',
      protocol: 'grpc',
      headers: [['a', 'b']],
      measurement: { intervalMs: 100, stabilityPercent: 5.5, maxTrials: 4, latencyLimitUs: 500 },
    },
    outputs: { csv: 'out.csv' },
    notes: [expect.stringContaining('--async'), expect.stringContaining('-v')],
  });
});

test.each<[string, object]>([
  ['--concurrency-range 4', { kind: 'concurrency', range: { start: 4, end: 4, step: 1 }, search: 'linear' }],
  ['--concurrency-range 1:9:2', { kind: 'concurrency', range: { start: 1, end: 9, step: 2 }, search: 'linear' }],
  ['--concurrency-range=2:0 -l 5', { kind: 'concurrency', range: { start: 2, end: 0, step: 1 }, search: 'linear' }],
  [
    '--concurrency-range 1:9 --binary-search -l 5',
    { kind: 'concurrency', range: { start: 1, end: 9, step: 1 }, search: 'binary' },
  ],
  [
    '--request-rate-range 0.5:2:.5 --request-distribution poisson',
    { kind: 'rate', range: { start: 0.5, end: 2, step: 0.5 }, search: 'linear', distribution: 'poisson' },
  ],
  ['--request-intervals gaps', { kind: 'intervals', file: 'gaps' }],
  ['--load-profile p.json', { kind: 'profile', file: 'p.json', distribution: 'constant' }],
  ['--periodic-concurrency-range 1:9:4', { kind: 'periodic', range: { start: 1, end: 9, step: 4 }, period: 10 }],
  ['-t 3', { kind: 'concurrency', range: { start: 3, end: 3, step: 1 }, search: 'linear' }],
  ['-d -t 3 -c 8', { kind: 'concurrency', range: { start: 3, end: 8, step: 1 }, search: 'linear' }],
  ['-d -l 10', { kind: 'concurrency', range: { start: 1, end: 0, step: 1 }, search: 'linear' }],
])('load: %s', (line, plan) => {
  expect(optionsOf(line).loads).toEqual(plan);
});

test('measurement', () => {
  const counted = optionsOf('--measurement-mode count_windows --measurement-request-count 7 --percentile 99.5');
  expect(counted.measurement).toMatchObject({ mode: 'count_windows', windowRequests: 7, percentile: 99.5 });
  const once = optionsOf('--request-count 9 --warmup-request-count 3 --warmup-interval 0 --percentile -1');
  expect(once.measurement).toMatchObject({ requestCount: 9, warmupRequests: 3, warmupMs: 0, percentile: null });
});

test('what requests carry', () => {
  const line =
    '--input-data a.json --input-data b.json --shape IN:1,2 --shape x:y:3 --string-length 5 --string-data t --seed 4 ' +
    '--shared-memory system --output-shared-memory-size 10 --input-tensor-format json --output-tensor-format json ' +
    '--request-parameter n:5:int --request-parameter t:a:b:string --request-parameter f:0.5:double --request-parameter b:TRUE:bool';
  const { data, requestParameters } = optionsOf(line);
  expect(data).toEqual({
    source: { paths: ['a.json', 'b.json'] },
    shapes: { IN: [1, 2], 'x:y': [3] },
    stringLength: 5,
    stringData: 't',
    seed: 4,
    sharedMemory: 'system',
    outputRegionBytes: 10,
    inputFormat: 'json',
    outputFormat: 'json',
  });
  expect(requestParameters).toEqual({ n: 5n, t: 'a:b', f: 0.5, b: true });
  expect(optionsOf('--input-data zero').data.source).toBe('zero');
  expect(optionsOf('-z').data.source).toBe('zero');
  expect(optionsOf('--data-directory d').data.source).toEqual({ paths: ['d'] });
});

test('sequences', () => {
  const line =
    '--sequence-length 3 --sequence-length-variation 0 --sequence-id-range 5:9 --num-of-sequences 2 --serial-sequences';
  expect(optionsOf(line).sequences).toEqual({
    count: 2,
    length: 3,
    lengthVariationPercent: 0,
    idRange: { first: 5, last: 8 },
  });
});

test('outputs, metrics, traces', () => {
  const command = parse(
    '-f a --verbose-csv --json b --html c --quiet --color never --label L --collect-metrics --metrics-interval 50',
  );
  expect(command).toMatchObject({
    options: { label: 'L', metrics: { url: '', intervalMs: 50 } },
    outputs: { csv: 'a', isCsvVerbose: true, json: 'b', html: 'c', isQuiet: true, color: 'never' },
    notes: [],
  });
  expect(optionsOf('--trace-level TIMESTAMPS --trace-level TENSORS --trace-count -1 --trace-rate 3').trace).toEqual({
    trace_level: ['TIMESTAMPS', 'TENSORS'],
    trace_rate: '3',
    trace_count: '-1',
    log_frequency: '0',
  });
});

test('TLS: texts of the files, only where the URL or the flag asks for it', () => {
  const https = '--ssl-https-ca-certificates-file ca.pem --ssl-https-verify-host 0';
  expect(optionsOf(https).tls).toBeNull();
  expect(optionsOf(`-u https://h:1 ${https}`).tls).toEqual({
    ca: 'text of ca.pem',
    certificate: '',
    key: '',
    verifiesPeer: true,
    verifiesHost: false,
  });
  const grpc = '-i grpc --ssl-grpc-use-ssl --ssl-grpc-private-key-file k.pem --ssl-grpc-certificate-chain-file c.pem';
  expect(optionsOf(grpc).tls).toMatchObject({ ca: '', certificate: 'text of c.pem', key: 'text of k.pem' });
  expect(optionsOf('-i grpc --ssl-grpc-use-ssl false').tls).toBeNull();
  expect(refusalOf('-i grpc --ssl-grpc-use-ssl --ssl-grpc-root-certifications-file missing.pem')).toContain(
    'missing.pem cannot be read: ENOENT',
  );
});

test('in process', () => {
  const line = '--service-kind in_process --model-repository a --model-repository b';
  expect(optionsOf(line).inProcess).toEqual({ modelRepository: ['a', 'b'], loadModels: [] });
  expect(optionsOf(`${line} --load-model c --load-model *`).inProcess).toMatchObject({ loadModels: ['c', '*'] });
});

test.each([
  [
    '--concurrency-range 1:2 --request-rate-range 1:2',
    '--concurrency-range and --request-rate-range contradict each other',
  ],
  ['--request-intervals f --load-profile g', '--request-intervals and --load-profile contradict each other'],
  ['-t 1 --concurrency-range 2', '--concurrency-range and -t contradict each other'],
  ['--concurrency-range 1:0', 'the end of --concurrency-range is 0'],
  ['--binary-search --concurrency-range 1:9', '--binary-search needs --latency-threshold (-l)'],
  ['--binary-search -l 5', '--binary-search needs --concurrency-range or --request-rate-range with a start and an end'],
  ['--binary-search -l 5 --concurrency-range 1', 'with a start and an end'],
  ['--binary-search -l 5 --concurrency-range 9:1', '--concurrency-range 9:1: the end is below the start'],
  ['--streaming', '--streaming needs -i grpc; it is http'],
  ['--streaming -i ws', '--streaming needs -i grpc; it is ws'],
  ['--request-count 5 --concurrency-range 20', '--request-count 5 is less than the concurrency 20'],
  [
    '--request-count 5 --measurement-mode count_windows',
    '--request-count and --measurement-mode count_windows contradict',
  ],
  ['--periodic-concurrency-range 1', 'needs an end'],
  ['--periodic-concurrency-range 1:10:4', 'the step must lead from the start to the end exactly'],
  ['-d', '-d needs -c or --latency-threshold (-l)'],
  ['-c 5', '-c is of use with -d only'],
  ['--async --sync', '--async and --sync contradict each other'],
  ['-z --input-data random', '--input-data and -z contradict each other'],
  ['--input-data zero --input-data a.json', '--input-data zero and further --input-data contradict'],
  ['--input-tensor-format json -i grpc', 'the tensor formats are those of HTTP and WebSocket'],
  ['--service-kind in_process', 'needs --model-repository DIR'],
  ['--service-kind in_process --model-repository d -u h:1', '-u and --service-kind in_process contradict each other'],
  ['--model-repository d', '--model-repository is of use with --service-kind in_process only'],
  ['--load-model d', '--load-model is of use with --service-kind in_process only'],
  [
    '--service-kind in_process --model-repository d --collect-metrics',
    '--collect-metrics and --service-kind in_process',
  ],
  [
    '--service-kind in_process --model-repository d --shared-memory system',
    '--shared-memory and --service-kind in_process contradict each other',
  ],
  ['--trace-level all', '--trace-level all: expected OFF, TIMESTAMPS or TENSORS'],
  ['-x latest', '-x latest: expected a whole number'],
  ['--service-kind openai', 'only servers of the V2 protocol can be measured'],
  ['--service-kind triton_c_api', 'use --service-kind in_process'],
  ['--shared-memory cuda', '--shared-memory cuda: use --shared-memory system'],
  ['--grpc-compression-algorithm gzip', 'requests are sent uncompressed'],
  ['--profile-export-file f', 'use --json FILE'],
  ['--endpoint e', '--endpoint belongs to --service-kind openai'],
  ['--bls-composing-models a', 'measure them one by one'],
  [
    '-i grpc --ssl-grpc-use-ssl --ssl-grpc-private-key-file k',
    '--ssl-grpc-private-key-file needs --ssl-grpc-certificate-chain-file',
  ],
  [
    '-u https://h --ssl-https-client-certificate-file c',
    '--ssl-https-client-certificate-file needs --ssl-https-private-key-file',
  ],
  ['--ssl-https-private-key-type DER', 'convert them to PEM'],
])('%s is refused by name', (line, message) => {
  expect(refusalOf(line)).toContain(message);
});

test.each([
  ['-b 0', "'-b, --batch-size <n>' argument '0' is invalid. Expected a whole number from 1 on."],
  ['-p 1.5', "argument '1.5' is invalid"],
  ['-s 0', 'Expected a number greater than 0.'],
  ['-i ftp', 'Expected http, grpc or ws.'],
  ['--percentile 100', 'Expected a number between 0 and 100, or -1'],
  ['--percentile 0', 'Expected a number between 0 and 100, or -1'],
  ['--concurrency-range 0', 'The start must be greater than 0.'],
  ['--concurrency-range 1:2:0', 'The step must be greater than 0.'],
  ['--concurrency-range 1.5', 'of whole numbers'],
  ['--concurrency-range 1:2:3:4', 'Expected START, START:END or START:END:STEP'],
  ['--request-rate-range -5', 'of numbers without a sign'],
  ['--request-rate-range 1:2000000', 'Expected at most 1000000 requests per second.'],
  ['--request-timeout-ms 3000000000', 'Expected a whole number from 1 to 2147483647.'],
  ['--warmup-interval 3000000000', 'Expected a whole number from 0 to 2147483647.'],
  ['--max-threads 5000', 'Expected a whole number from 1 to 256.'],
  ['--percentile 0x10', 'Expected a number between 0 and 100, or -1'],
  ['--shape IN', 'Expected INPUT:1,2,3'],
  ['--shape IN:1,-1', 'Expected INPUT:1,2,3'],
  ['--shape IN:3 --shape OTHER:3 --shape IN:4,5', "Input 'IN' has a shape already: 3."],
  ['-H nothing', 'Expected Name:Value.'],
  ['--request-parameter a:b', 'Expected NAME:VALUE:TYPE'],
  ['--request-parameter a:b:int', "'b' is not of the type int."],
  ['--request-parameter a:1:int --request-parameter a:2:int', "Parameter 'a' has a value already: 1."],
  ['--sequence-id-range 5:5', 'The end must be greater than the start'],
  ['--sequence-id-range 0', 'id 0 means no sequence'],
  ['--concurency-range 1', '(Did you mean --concurrency-range?)'],
  ['extra', "'extra' is no flag: -m NAME says which model"],
  ['--concurrency-range 5:1', '--concurrency-range 5:1: the end is below the start'],
  ['--request-rate-range 5:1', '--request-rate-range 5:1: the end is below the start'],
])('%s cannot be understood', (line, message) => {
  expect(refusalOf(line)).toContain(message);
});

test('a model is required', () => {
  expect(parseBenchCommand([])).toMatchObject({
    exitCode: 2,
    text: expect.stringContaining('-m (the name of the model) is required'),
  });
});

test.each([
  [
    '--measurement-request-count 5',
    '--measurement-request-count has no effect without --measurement-mode count_windows.',
  ],
  ['--request-period 5', '--request-period has no effect without --periodic-concurrency-range.'],
  ['--metrics-url h:1', '--metrics-url has no effect without --collect-metrics.'],
  ['--sync', '--sync has no effect'],
  ['--serial-sequences', '--serial-sequences has no effect'],
  ['--connections 3', '--connections has no effect: over HTTP'],
  ['--trace-rate 5', '--trace-rate has no effect without --trace-level.'],
  ['--output-shared-memory-size 5', '--output-shared-memory-size has no effect without --shared-memory system.'],
  ['--ssl-https-verify-peer 0', '--ssl-https-... has no effect without -u https://HOST:PORT.'],
  ['-i grpc --ssl-https-verify-peer 0', '--ssl-https-... has no effect without -i http or -i ws.'],
  ['-i grpc --ssl-grpc-root-certifications-file k', '--ssl-grpc-...-file has no effect without --ssl-grpc-use-ssl.'],
  ['--ssl-grpc-root-certifications-file k', '--ssl-grpc-...-file has no effect without -i grpc.'],
  ['--ssl-grpc-use-ssl', '--ssl-grpc-use-ssl has no effect without -i grpc.'],
  ['--service-kind in_process --model-repository d -H a:b', '-H has no effect: with in_process nothing goes over'],
  ['--service-kind in_process --model-repository d --connections 2', '--connections has no effect: with in_process'],
  ['--service-kind in_process --model-repository d --ssl-grpc-use-ssl', '--ssl-... has no effect: with in_process'],
  ['-t 2', '-t is deprecated: use --concurrency-range.'],
])('%s is accepted with a note', (line, note) => {
  expect(parse(line)).toMatchObject({ kind: 'bench', notes: [expect.stringContaining(note)] });
});

test('help begins with examples, each of which can be parsed', () => {
  const help = parseBenchCommand(['--help']);
  if (help.kind !== 'print') throw new Error('no help');
  expect(help).toMatchObject({ stream: 'stdout', exitCode: 0 });
  expect(help.text.indexOf('Examples:')).toBeLessThan(help.text.indexOf('Usage: conch bench -m MODEL'));
  const lines = [...help.text.matchAll(/conch bench ([^\n;]+)/g)].map(([, words]) => words!);
  const examples = lines.filter((words) => words !== '-m MODEL [FLAGS]');
  expect(examples.length).toBe(7);
  for (const example of examples) {
    expect(parseBenchCommand(example.split(' ')).kind).toBe(example.startsWith('compare') ? 'compare' : 'bench');
  }
});

test('compare takes two reports or more', () => {
  expect(parseBenchCommand(['compare', 'a', 'b', 'c', '--html', 'd'])).toEqual({
    kind: 'compare',
    files: ['a', 'b', 'c'],
    html: 'd',
  });
  expect(parseBenchCommand(['compare', 'a'])).toMatchObject({
    exitCode: 2,
    text: expect.stringContaining('two reports or more'),
  });
  expect(parseBenchCommand(['compare', '--help'])).toMatchObject({
    exitCode: 0,
    text: expect.stringContaining('two reports or more'),
  });
});
