import { type Command, Option } from 'commander';
import {
  atLeastZero,
  collect,
  header,
  idRange,
  milliseconds,
  oneOf,
  parameter,
  percentile,
  positive,
  rangeOf,
  shape,
  truth,
  whole,
  wholeUpTo,
} from './values.js';

/** Each has an engine and its memory. */
const MAX_THREADS = 256;

/** The flags, in groups; those of perf_analyzer have its names, units and defaults. */
export function addFlags(command: Command): void {
  addServerFlags(command);
  addLoadFlags(command);
  addMeasurementFlags(command);
  addDataFlags(command);
  addSequenceFlags(command);
  addOutputFlags(command);
  addTlsFlags(command);
  addOldFlags(command);
  addRefusedFlags(command);
}

function addServerFlags(command: Command): void {
  command
    .optionsGroup('Model and server:')
    .option('-m, --model <name>', 'the model (required)')
    .option('-x, --model-version <n>', 'its version (default: the latest)')
    .option(
      '-u, --url <url>',
      'of the server, HOST:PORT or with a scheme (default: localhost:8000; gRPC localhost:8001)',
    )
    .option('-i, --protocol <name>', 'http, grpc or ws (default: http)', oneOf('http', 'grpc', 'ws'))
    .option('--streaming', 'gRPC: requests go over one ModelStreamInfer for each connection')
    .option(
      '--service-kind <kind>',
      'triton = over the network, in_process = the server runs in this process (default: triton)',
      oneOf('triton', 'in_process', 'triton_c_api', 'openai', 'tfserving', 'torchserve'),
    )
    .option('--model-repository <dir>', 'of in_process; may be given several times', collect)
    .option(
      '--load-model <name>',
      'in_process: loaded too, for a model whose code calls it; * = all; may be given several times',
      collect,
    )
    .option('-H, --header <name:value>', 'added to each request; may be given several times', header)
    .option(
      '--connections <n>',
      'gRPC and WebSocket: connections that share the requests (default: as many as pays); HTTP: at most so many, ' +
        'where requests have a rate (default: 128)',
      whole(1),
    )
    .option('--request-timeout-ms <ms>', 'after which a request has failed (default: 30000)', milliseconds(1))
    .option('--max-threads <n>', 'threads that send (default: as many as pays)', wholeUpTo(1, MAX_THREADS));
}

function addLoadFlags(command: Command): void {
  command
    .optionsGroup('Load (one of them):')
    .option(
      '--concurrency-range <start:end:step>',
      'requests in flight; end 0 = until the latency threshold (default: 1)',
      rangeOf('whole'),
    )
    .option(
      '--request-rate-range <start:end:step>',
      'requests per second; end 0 = until the latency threshold',
      rangeOf('fraction'),
    )
    .option('--request-intervals <file>', 'a gap in microseconds on each line, from the beginning again at its end')
    .option('--load-profile <file>', 'JSON: {"phases":[{"seconds":10,"rate":100},{"seconds":5,"from":100,"to":1000}]}')
    .option(
      '--periodic-concurrency-range <start:end:step>',
      'concurrency that grows whenever each request in flight had --request-period answers',
      rangeOf('whole'),
    )
    .option('--request-period <n>', 'of --periodic-concurrency-range (default: 10)', whole(1))
    .option(
      '--request-distribution <name>',
      'of rates and profiles: constant or poisson (default: constant)',
      oneOf('constant', 'poisson'),
    )
    .option('--binary-search', 'the highest load of the range within the latency threshold, to a step')
    .option('-l, --latency-threshold <ms>', 'no further load once it is passed; 0 = none (default: 0)', atLeastZero);
}

function addMeasurementFlags(command: Command): void {
  command
    .optionsGroup('Measurement:')
    .option(
      '--measurement-mode <mode>',
      'time_windows or count_windows (default: time_windows)',
      oneOf('time_windows', 'count_windows'),
    )
    .option('-p, --measurement-interval <ms>', 'length of a time window (default: 5000)', milliseconds(1))
    .option('--measurement-request-count <n>', 'requests of a count window (default: 50)', whole(1))
    .option(
      '--request-count <n>',
      'exactly so many requests in one window; 0 = windows until they are stable (default: 0)',
      whole(0),
    )
    .option('-s, --stability-percentage <n>', 'three windows are within so much of their mean (default: 10)', positive)
    .option('-r, --max-trials <n>', 'windows at most (default: 10)', whole(1))
    .option(
      '--percentile <n>',
      'whose latency decides about stability and threshold; -1 = the average (default: -1)',
      percentile,
    )
    .option('--warmup-request-count <n>', 'before the first window (default: 0)', whole(0))
    .option('--warmup-interval <ms>', 'before the first window, after those requests (default: 500)', milliseconds(0));
}

function addDataFlags(command: Command): void {
  command
    .optionsGroup('What requests carry:')
    .option('-b, --batch-size <n>', 'rows of each request (default: 1)', whole(1))
    .option(
      '--input-data <what>',
      'random, zero, a directory, or JSON files; may be given several times (default: random)',
      collect,
    )
    .option('--shape <name:dims>', 'of an input, such as IMAGE:3,224,224; may be given several times', shape)
    .option('--string-length <n>', 'of random strings (default: 128)', whole(1))
    .option('--string-data <text>', 'instead of random strings')
    .option('--seed <n>', 'of everything random (default: 0)', whole(0))
    .option('--shared-memory <kind>', 'none or system (default: none)', oneOf('none', 'system', 'cuda'))
    .option('--output-shared-memory-size <bytes>', 'of each output whose size is not known (default: 102400)', whole(1))
    .option(
      '--input-tensor-format <format>',
      'HTTP and WebSocket: binary or json (default: binary)',
      oneOf('binary', 'json'),
    )
    .option(
      '--output-tensor-format <format>',
      'HTTP and WebSocket: binary or json (default: binary)',
      oneOf('binary', 'json'),
    )
    .option('--request-parameter <name:value:type>', 'of each request; may be given several times', parameter);
}

function addSequenceFlags(command: Command): void {
  command
    .optionsGroup('Sequences:')
    .option(
      '--sequence-length <n>',
      'steps; longer than the stream of a file = it is repeated (default: that of the stream; without files 20)',
      whole(1),
    )
    .option('--sequence-length-variation <percent>', 'lengths differ by so much (default: 20)', whole(0))
    .option('--sequence-id-range <start:end>', 'the end is not in it (default: 1, without an end)', idRange)
    .option('--num-of-sequences <n>', 'alive at a time, where requests have a rate (default: 4)', whole(1));
}

function addOutputFlags(command: Command): void {
  command
    .optionsGroup('Output:')
    .option('-f, --csv <file>', 'a table in the columns of perf_analyzer')
    .option('--verbose-csv', 'with further columns')
    .option('--json <file>', 'everything that was measured, for conch bench compare')
    .option('--html <file>', 'a page with curves')
    .option('--label <text>', "of the run, in curves and comparisons (default: the model's name)")
    .option('--quiet', 'no progress, no table')
    .option('--color <when>', 'auto, always or never (default: auto)', oneOf('auto', 'always', 'never'))
    .option('--collect-metrics', "read the server's page of metrics meanwhile")
    .option('--metrics-url <url>', "of that page (default: /metrics at port 8002 of the server's host)")
    .option('--metrics-interval <ms>', 'between two readings (default: 1000)', milliseconds(1))
    .option(
      '--trace-level <level>',
      'OFF, TIMESTAMPS or TENSORS, set at the server; may be given several times',
      collect,
    )
    .option('--trace-rate <n>', 'one of so many requests is traced (default: 1000)', whole(1))
    .option('--trace-count <n>', 'traces at most; -1 = without limit (default: -1)')
    .option('--log-frequency <n>', 'traces of one file; 0 = all (default: 0)', whole(0))
    .helpOption('--help', 'print this');
}

function addTlsFlags(command: Command): void {
  command
    .optionsGroup('TLS (PEM files):')
    .option('--ssl-grpc-use-ssl [bool]', 'gRPC: encrypted', truth)
    .option('--ssl-grpc-root-certifications-file <file>', 'gRPC: authorities that are trusted')
    .option('--ssl-grpc-private-key-file <file>', 'gRPC: key of the client')
    .option('--ssl-grpc-certificate-chain-file <file>', 'gRPC: certificate of the client')
    .option('--ssl-https-verify-peer <n>', 'https and wss: 0 = any certificate will do (default: 1)', whole(0))
    .option('--ssl-https-verify-host <n>', 'https and wss: 0 = for any name (default: 2)', whole(0))
    .option('--ssl-https-ca-certificates-file <file>', 'https and wss: authorities that are trusted')
    .option('--ssl-https-client-certificate-file <file>', 'https and wss: certificate of the client')
    .option('--ssl-https-client-certificate-type <type>', 'PEM', oneOf('pem', 'der'))
    .option('--ssl-https-private-key-file <file>', 'https and wss: key of the client')
    .option('--ssl-https-private-key-type <type>', 'PEM', oneOf('pem', 'der'));
}

function addOldFlags(command: Command): void {
  command
    .optionsGroup('Accepted, for scripts written for perf_analyzer:')
    .option('-a, --async', 'no effect: requests never wait for each other')
    .option('--sync', 'no effect')
    .option('-v, --verbose', 'no effect')
    .option('--serial-sequences', 'no effect: steps of one sequence never overlap')
    .option('-t, --concurrency <n>', 'deprecated: --concurrency-range N', whole(1))
    .option('-d, --dynamic-concurrency', 'deprecated: from -t on to -c, or until the latency threshold')
    .option('-c, --max-concurrency <n>', 'deprecated: the end of -d', whole(1))
    .option('-z, --zero-input', 'deprecated: --input-data zero')
    .option('--data-directory <dir>', 'deprecated: --input-data DIR');
}

/** Understood, so that the answer is a sentence and not 'unknown option'. */
function addRefusedFlags(command: Command): void {
  const names = [
    '--endpoint <text>',
    '--model-signature-name <name>',
    '--triton-server-directory <dir>',
    '--bls-composing-models <names>',
    '--profile-export-file <file>',
    '--grpc-compression-algorithm <name>',
  ];
  for (const name of names) command.addOption(new Option(name).hideHelp());
}
