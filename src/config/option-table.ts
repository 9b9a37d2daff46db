import { bare, boolean, choice, deprecated, type Flag, integer, list, type Range, section, text } from './flag.js';
import { idleFlags } from './idle-flags.js';

const MAX_UINT32 = 4_294_967_295;
const MAX_INT32 = 2_147_483_647;
const works = { kind: 'works' } as const;

const count: Range = { min: 0, max: MAX_INT32, unit: '' };
const port: Range = { min: 0, max: 65_535, unit: '' };
const bytes: Range = { min: 1, max: Number.MAX_SAFE_INTEGER, unit: 'bytes' };
const ms: Range = { min: 0, max: MAX_INT32, unit: 'ms' };
/** Timers of Node count milliseconds in 31 bits. */
const seconds: Range = { min: 0, max: Math.floor(MAX_INT32 / 1000), unit: 's' };

const working: readonly Flag[] = [
  ...section('General', works, [
    bare('help', 'Print this text.'),
    bare('version', 'Print the version.'),
    text('id', 'triton', 'NAME', 'Name of the server in its metadata.'),
    integer('exit-timeout-secs', 30, seconds, 'How long requests in flight may take at the end; 0 = do not wait.'),
  ]),
  ...section('Logging', works, [
    {
      ...integer('log-verbose', 0, { min: 0, max: MAX_INT32, unit: '' }, 'Level of verbose lines; 0 = none.'),
      type: 'level',
    },
    boolean('log-info', true, 'Write lines of level INFO.'),
    boolean('log-warning', true, 'Write lines of level WARNING.'),
    boolean('log-error', true, 'Write lines of level ERROR.'),
    choice('log-format', ['default', 'ISO8601', 'json'], 'How a line begins, as in Triton; json = one object a line.'),
    text('log-file', '', 'FILE', 'Append all lines to this file instead of standard output and standard error.'),
  ]),
  ...section('Model repository', works, [
    {
      ...list(
        'model-repository',
        'DIR',
        'Folder of models, or s3://BUCKET/PATH (see docs/storage.md). Several are merged; at least one is needed.',
      ),
      aliases: ['model-store'],
    },
    boolean('exit-on-error', true, 'A model that does not load at start ends the server.'),
    bare('disable-auto-complete-config', 'Complete nothing that a config.pbtxt leaves out.'),
    boolean('strict-readiness', true, 'Ready only while every model is ready; false = as soon as the server answers.'),
    text(
      'model-config-name',
      '',
      'NAME',
      'Use configs/NAME.pbtxt of a model, where it exists, instead of its config.pbtxt.',
    ),
    choice(
      'model-control-mode',
      ['none', 'poll', 'explicit'],
      'Who loads models after the start: nobody, changes in the folders, requests.',
    ),
    integer(
      'repository-poll-secs',
      15,
      seconds,
      'In mode poll, time between two looks at the repositories; 0 = none. What is seen to change counts sooner.',
    ),
    list('load-model', 'NAME', 'In mode explicit, a model to load at the start; * = all.'),
    boolean(
      'model-namespacing',
      false,
      'Models of one name in several repositories are called REPOSITORY::NAME; false = none of them is available.',
    ),
    integer(
      'model-load-retry-count',
      0,
      { min: 0, max: 1000, unit: '' },
      'How often a load that failed is tried again.',
    ),
    {
      ...boolean('allow-poll-model-repository', false, 'true = --model-control-mode=poll, which is the name to use.'),
      deprecated: true,
    },
    {
      ...boolean('allow-model-control', false, 'true = --model-control-mode=explicit, which is the name to use.'),
      deprecated: true,
    },
    integer('model-load-thread-count', 4, { min: 1, max: 1024, unit: '' }, 'Models that load at the same time.'),
    {
      ...boolean('strict-model-config', false, 'true = --disable-auto-complete-config, which is the name to use.'),
      deprecated: true,
    },
  ]),
  ...section('Backends', works, [
    list(
      'backend-config',
      '[BACKEND,]KEY=VALUE',
      'Setting of a backend, or of all: default-max-batch-size=4. Where translated TensorFlow models are kept, and how many bytes of them: tensorflow,cache-directory=DIR and tensorflow,cache-max-bytes=N (docs/tensorflow.md).',
    ),
    integer(
      'tensor-memory-byte-size',
      1_073_741_824,
      { min: 1_048_576, max: MAX_UINT32, unit: 'bytes' },
      'Shared memory for the tensors of all models; beyond it requests are refused until others are answered.',
    ),
    integer(
      'sequence-max-backlog',
      10_000,
      count,
      'Sequences of one model that may wait for a slot; beyond it new ones are refused.',
    ),
    integer('response-timeout-secs', 60, seconds, 'A client that reads no answers for so long is cut off; 0 = never.'),
  ]),
  ...section('HTTP', works, [
    boolean('allow-http', true, 'Serve HTTP.'),
    text(
      'http-address',
      '127.0.0.1',
      'ADDRESS',
      'Address to listen at: 0.0.0.0 = all of IPv4; [::1] or ipv6:[::1] is IPv6.',
    ),
    integer('http-port', 8000, port, 'Port of HTTP; 0 = any free one.'),
    integer(
      'http-health-port',
      0,
      { min: -1, max: 65_535, unit: '' },
      'Port of /api/health, which is then on no other; 0 = that of HTTP, -1 = none.',
    ),
    boolean('reuse-http-port', false, 'Let several processes listen at the port (SO_REUSEPORT).'),
    choice('http-engine', ['auto', 'uws', 'net'], 'net = our own; uws = uWebSockets.js, where it runs; auto = net.'),
    integer('http-max-input-size', 67_108_864, bytes, 'JSON, raw and decompressed bytes of one request.'),
    integer(
      'http-max-body-size',
      MAX_INT32,
      { min: 1, max: MAX_UINT32, unit: 'bytes' },
      'Any request body; a larger one is answered 413. The engine uws takes 999999999 at most.',
    ),
    integer(
      'http-max-header-size',
      16_384,
      { min: 1024, max: 1_048_576, unit: 'bytes' },
      'All headers of a request together; more is answered 431.',
    ),
    integer(
      'http-max-header-count',
      100,
      { min: 1, max: 10_000, unit: '' },
      'Headers of a request; more is answered 431. The engine uws takes 49 at most and hangs up beyond.',
    ),
    integer(
      'http-max-connections',
      10_000,
      { min: 1, max: 1_000_000, unit: '' },
      'Open connections; one more is answered 429 and closed.',
    ),
    integer(
      'http-idle-timeout-secs',
      75,
      seconds,
      'A connection without a request is closed after this; 0 = never. The engine uws always takes about 10 s.',
    ),
    integer(
      'http-body-timeout-secs',
      60,
      { ...seconds, min: 1 },
      'From the head of a request to the end of its body; slower is answered 408.',
    ),
    text(
      'http-header-forward-pattern',
      '',
      'REGEXP',
      'Headers whose name has a match, in any case, become parameters of the request (docs/javascript-models.md).',
    ),
    boolean(
      'server-timing',
      false,
      'Answers of inference have a header Server-Timing that says where their time went.',
    ),
    list(
      'http-restricted-api',
      'API[,API...]:KEY=VALUE',
      'Endpoints that need a header KEY with this value: health, metadata, inference, ... (docs/security.md).',
    ),
  ]),
  ...section('WebSocket', works, [
    list(
      'ws-allow-origin',
      'ORIGIN',
      'Origin of pages that may connect beside those of the host itself: https://app.example; * = every origin.',
    ),
    integer(
      'ws-max-connections',
      10_000,
      { min: 1, max: 1_000_000, unit: '' },
      'Open WebSockets; one more is answered 429.',
    ),
    integer(
      'ws-max-message-size',
      67_108_864,
      { min: 1024, max: MAX_INT32, unit: 'bytes' },
      'A message of a client; a larger one closes the connection with 1009. The engine uws hangs up.',
    ),
    integer(
      'ws-max-in-flight',
      1024,
      { min: 1, max: 1_000_000, unit: '' },
      'Requests of a connection without an answer; then no more are read. The engine uws answers 429.',
    ),
    integer(
      'ws-max-unsent-size',
      1_048_576,
      { min: 1, max: MAX_INT32, unit: 'bytes' },
      'What a client has not taken of its answers; beyond it the others wait.',
    ),
    integer(
      'ws-idle-timeout-secs',
      300,
      seconds,
      'A connection without a message, and with nothing in flight, is closed after this; 0 = never.',
    ),
    integer(
      'ws-ping-interval-secs',
      30,
      seconds,
      'Silence after which a client is pinged; as long again, and it is taken for gone; 0 = never.',
    ),
  ]),
  ...section('gRPC', works, [
    boolean('allow-grpc', true, 'Serve gRPC.'),
    text('grpc-address', '127.0.0.1', 'ADDRESS', 'Address to listen at, as with HTTP.'),
    integer('grpc-port', 8001, port, 'Port of gRPC; 0 = any free one.'),
    boolean(
      'reuse-grpc-port',
      false,
      'Let several processes listen at the port (SO_REUSEPORT); engine conch, from Node 22.12 on.',
    ),
    choice(
      'grpc-engine',
      ['auto', 'conch', 'grpc-js'],
      'conch = our own HTTP/2; grpc-js = @grpc/grpc-js; auto = conch.',
    ),
    integer(
      'grpc-max-message-size',
      MAX_INT32,
      { min: 1, max: MAX_INT32, unit: 'bytes' },
      'Any message of a client, also decompressed; a larger one ends its call with RESOURCE_EXHAUSTED.',
    ),
    choice(
      'grpc-infer-response-compression-level',
      ['none', 'low', 'medium', 'high'],
      'Compression of inference replies for clients that accept it; engine conch.',
    ),
    boolean('grpc-use-ssl', false, 'Encrypt; needs --grpc-server-cert and --grpc-server-key.'),
    boolean('grpc-use-ssl-mutual', false, 'Encrypt, and ask clients for certificates.'),
    text('grpc-server-cert', '', 'FILE', 'Certificate of the server, PEM.'),
    text('grpc-server-key', '', 'FILE', 'Key of the server, PEM.'),
    text('grpc-root-cert', '', 'FILE', 'Certificates of the authorities that clients are checked against, PEM.'),
    integer('grpc-keepalive-time', 7_200_000, ms, 'Silence after which the server sends a ping.'),
    integer('grpc-keepalive-timeout', 20_000, ms, 'How long the answer to a ping may take.'),
    boolean('grpc-keepalive-permit-without-calls', false, 'Send pings on a connection without calls.'),
    integer(
      'grpc-http2-min-recv-ping-interval-without-data',
      300_000,
      ms,
      'Least time between two pings of a client, unless data was sent to it; 0 = none; engine conch.',
    ),
    integer(
      'grpc-http2-max-ping-strikes',
      2,
      count,
      'Pings of a client that may come earlier, then its connection is closed; 0 = without limit; engine conch.',
    ),
    integer('grpc-max-connection-age', 0, ms, 'Age at which a connection is closed; 0 = never.'),
    integer('grpc-max-connection-age-grace', 0, ms, 'What its calls get to finish then; 0 = without limit.'),
    text(
      'grpc-header-forward-pattern',
      '',
      'REGEXP',
      'Metadata whose name has a match, in any case, becomes parameters of the request.',
    ),
    list(
      'grpc-restricted-protocol',
      'API[,API...]:KEY=VALUE',
      'Calls that need metadata triton-grpc-protocol-KEY with this value, by the same names.',
    ),
  ]),
  ...section('Metrics', works, [
    boolean('allow-metrics', true, 'Serve metrics.'),
    boolean('allow-cpu-metrics', true, 'Report load and memory of the machine (nv_cpu_*).'),
    text('metrics-address', '', 'ADDRESS', 'Address of the metrics; the one of HTTP where it is not given.'),
    integer('metrics-port', 8002, port, 'Port of the metrics; 0 = any free one.'),
    integer('metrics-interval-ms', 2000, { min: 1, max: MAX_INT32, unit: 'ms' }, 'How often the machine is measured.'),
    list(
      'metrics-config',
      'KEY=VALUE',
      'counter_latencies=false leaves the latency counters out; histogram_latencies=true and summary_latencies=true add to them; summary_quantiles="0.5:0.05,0.9:0.01".',
    ),
  ]),
  ...section('Tracing', works, [
    list(
      'trace-config',
      '[MODE,]KEY=VALUE',
      'mode, level, rate, count; triton,file; triton,log-frequency; opentelemetry,url; opentelemetry,resource; opentelemetry,bsp_*: docs/tracing.md.',
    ),
    deprecated(text('trace-file', '', 'FILE', 'Use --trace-config triton,file=FILE.')),
    deprecated({
      ...choice(
        'trace-level',
        ['OFF', 'TIMESTAMPS', 'TENSORS', 'MIN', 'MAX', 'ON', 'true', 'false'],
        'Use --trace-config level=LEVEL; MIN, MAX, ON and true are TIMESTAMPS.',
      ),
      repeatable: true,
    }),
    deprecated(integer('trace-rate', 1000, count, 'Use --trace-config rate=N.')),
    deprecated(integer('trace-count', -1, { ...count, min: -1 }, 'Use --trace-config count=N; -1 = without limit.')),
    deprecated(integer('trace-log-frequency', 0, count, 'Use --trace-config triton,log-frequency=N.')),
  ]),
  ...section('Memory and devices', works, [
    boolean(
      'allow-client-shm',
      false,
      'Let clients register shared memory of this machine, and hand tensors over in it.',
    ),
  ]),
  ...section('Rate limit', works, [
    choice(
      'rate-limit',
      ['off', 'execution_count'],
      'execution_count = instances wait for the resources of their rate_limiter, and who has run least goes first.',
    ),
    list(
      'rate-limit-resource',
      'NAME:COUNT[:DEVICE]',
      'How much there is of a resource, on every device or on this GPU; else as much as one instance needs at most.',
    ),
  ]),
  ...section('Response cache', works, [
    list(
      'cache-config',
      'NAME,KEY=VALUE',
      'Keep answers of models with response_cache: local,size=BYTES; or redis,host=HOST and redis,port=PORT.',
    ),
    {
      ...integer(
        'response-cache-byte-size',
        0,
        { ...bytes, min: 0 },
        'N = --cache-config=local,size=N, which is the name to use.',
      ),
      deprecated: true,
    },
  ]),
];

/** Every flag of Triton's and of our own, by group; a group's working flags come first. */
export const flags: readonly Flag[] = byGroup([...working, ...idleFlags]);

function byGroup(all: readonly Flag[]): Flag[] {
  const groups = new Set(all.map((flag) => flag.group));
  return [...groups].flatMap((group) => all.filter((flag) => flag.group === group));
}
