import { invalid } from '../types/errors.js';
import { readCacheConfig } from './cache-config.js';
import { badOption, type Flag } from './flag.js';
import { FlagValues, type GivenFlags } from './flag-values.js';
import { readBackendConfig, readMetricsConfig } from './key-values.js';
import { flags } from './option-table.js';
import type { Options } from './options.js';
import { readRateLimit } from './rate-limit-options.js';
import { parseLocation } from './repository-location.js';
import { readRestrictedApis } from './restricted-apis.js';
import { readTraceOptions } from './trace-options.js';

/** `notes`: one line for each flag given that changes nothing or is deprecated, for the log. */
export interface BuiltOptions {
  readonly options: Options;
  readonly notes: readonly string[];
}

/** Throws INVALID_ARGUMENT that names the flag; `folders` are model repositories beside those of the flag. */
export function buildOptions(given: GivenFlags, folders: readonly string[]): BuiltOptions {
  const values = new FlagValues(flags, given);
  const options: Options = {
    ...serverOptions(values),
    ...modelOptions(values, folders),
    ...httpOptions(values),
    rateLimit: readRateLimit(values),
    responseCache: readCacheConfig(values),
    ws: wsOptions(values),
    ...grpcOptions(values),
    ...metricsOptions(values),
    ...logOptions(values),
    trace: readTraceOptions(values, process.env),
  };
  checkPorts(options);
  const notes = flags.filter((flag) => given.has(flag.name)).flatMap((flag) => notesOn(flag, options));
  return { options, notes };
}

function serverOptions(values: FlagValues) {
  return {
    id: values.text('id'),
    exitTimeoutSecs: values.number('exit-timeout-secs'),
    exitOnError: values.boolean('exit-on-error'),
    strictReadiness: values.boolean('strict-readiness'),
  };
}

function modelOptions(values: FlagValues, folders: readonly string[]) {
  return {
    modelRepositories: repositories([...values.list('model-repository'), ...folders]),
    modelConfigName: configName(values),
    disableAutoCompleteConfig: values.boolean('disable-auto-complete-config') || values.boolean('strict-model-config'),
    ...modelControl(values),
    modelNamespacing: values.boolean('model-namespacing'),
    modelLoadRetryCount: values.number('model-load-retry-count'),
    modelLoadThreadCount: values.number('model-load-thread-count'),
    backendConfig: readBackendConfig(values.list('backend-config')),
    tensorMemoryByteSize: values.number('tensor-memory-byte-size'),
    allowClientShm: values.boolean('allow-client-shm'),
    sequenceMaxBacklog: values.number('sequence-max-backlog'),
    responseTimeoutSecs: values.number('response-timeout-secs'),
  };
}

function modelControl(values: FlagValues) {
  const modelControlMode = controlMode(values);
  const loadModels = values.list('load-model');
  if (loadModels.length > 0 && modelControlMode !== 'explicit') {
    throw invalid("Error: Use of '--load-model' requires setting '--model-control-mode=explicit' as well.");
  }
  if (loadModels.includes('*') && loadModels.length > 1) {
    throw invalid("Wildcard model name '*' must be the ONLY startup model if specified at all.");
  }
  return { modelControlMode, loadModels, repositoryPollSecs: values.number('repository-poll-secs') };
}

/** The two booleans of r19.11 count where they are given; polling was on there unless it was switched off. */
function controlMode(values: FlagValues): Options['modelControlMode'] {
  const given = ['model-control-mode', 'allow-poll-model-repository', 'allow-model-control'].filter((name) =>
    values.isGiven(name),
  );
  if (given.length === 0 || given[0] === 'model-control-mode') {
    if (given.length > 1) throw badOption(given[1]!, `give --model-control-mode or --${given[1]}, not both`);
    return values.text('model-control-mode') as Options['modelControlMode'];
  }
  const polls = values.boolean('allow-poll-model-repository');
  const controls = values.boolean('allow-model-control');
  if (polls && controls) throw badOption('allow-model-control', 'true needs --allow-poll-model-repository=false');
  return polls ? 'poll' : controls ? 'explicit' : 'none';
}

function httpOptions(values: FlagValues) {
  return {
    allowHttp: values.boolean('allow-http'),
    httpAddress: address(values, 'http-address'),
    httpPort: values.number('http-port'),
    httpHealthPort: values.number('http-health-port'),
    reuseHttpPort: values.boolean('reuse-http-port'),
    httpEngine: values.text('http-engine') as Options['httpEngine'],
    httpMaxInputSize: values.number('http-max-input-size'),
    httpMaxBodySize: values.number('http-max-body-size'),
    httpMaxHeaderSize: values.number('http-max-header-size'),
    httpMaxHeaderCount: values.number('http-max-header-count'),
    httpMaxConnections: values.number('http-max-connections'),
    httpIdleTimeoutSecs: values.number('http-idle-timeout-secs'),
    httpBodyTimeoutSecs: values.number('http-body-timeout-secs'),
    httpHeaderForwardPattern: namePattern(values, 'http-header-forward-pattern'),
    serverTiming: values.boolean('server-timing'),
    httpRestrictedApi: readRestrictedApis('http-restricted-api', 'api', values.list('http-restricted-api'), ''),
  };
}

/** '' = the flag is not given. An empty name is that of a variable without a value. */
function configName(values: FlagValues): string {
  const name = values.text('model-config-name');
  if (name !== '' || !values.isGiven('model-config-name')) return name;
  throw badOption(
    'model-config-name',
    "expected the name of a file in the models' folders configs, found an empty one",
  );
}

/** Null = the flag is not given. Case does not matter but behind `(?-i)`: RE2 has this and `(?i)` in front, JavaScript has neither. */
function namePattern(values: FlagValues, flag: string): RegExp | null {
  const text = values.text(flag);
  if (text === '') return null;
  try {
    return new RegExp(text.replace(/^\(\?-?i\)/, ''), text.startsWith('(?-i)') ? '' : 'i');
  } catch (error) {
    throw badOption(flag, (error as Error).message);
  }
}

function wsOptions(values: FlagValues) {
  return {
    allowOrigins: values.list('ws-allow-origin').map(checkOrigin),
    maxConnections: values.number('ws-max-connections'),
    maxMessageSize: values.number('ws-max-message-size'),
    maxInFlight: values.number('ws-max-in-flight'),
    maxUnsentSize: values.number('ws-max-unsent-size'),
    idleTimeoutSecs: values.number('ws-idle-timeout-secs'),
    pingIntervalSecs: values.number('ws-ping-interval-secs'),
  };
}

/** As browsers write them: scheme, host and port. */
function checkOrigin(origin: string): string {
  if (/^(\*|null|[a-z][a-z0-9+.-]*:\/\/[^/\s]+)$/i.test(origin)) return origin;
  throw badOption('ws-allow-origin', `expected * or an origin such as https://app.example:8443, found '${origin}'`);
}

function grpcOptions(values: FlagValues) {
  const mutual = values.boolean('grpc-use-ssl-mutual');
  const options = {
    allowGrpc: values.boolean('allow-grpc'),
    grpcAddress: address(values, 'grpc-address'),
    grpcPort: values.number('grpc-port'),
    reuseGrpcPort: values.boolean('reuse-grpc-port'),
    grpcEngine: values.text('grpc-engine') as Options['grpcEngine'],
    grpcMaxMessageSize: values.number('grpc-max-message-size'),
    grpcUseSsl: values.boolean('grpc-use-ssl') || mutual,
    grpcUseSslMutual: mutual,
    grpcServerCert: values.text('grpc-server-cert'),
    grpcServerKey: values.text('grpc-server-key'),
    grpcRootCert: values.text('grpc-root-cert'),
    grpcInferResponseCompressionLevel: values.text(
      'grpc-infer-response-compression-level',
    ) as Options['grpcInferResponseCompressionLevel'],
    grpcKeepalive: keepaliveOptions(values),
    grpcHeaderForwardPattern: namePattern(values, 'grpc-header-forward-pattern'),
    grpcRestrictedProtocol: readRestrictedApis(
      'grpc-restricted-protocol',
      'protocol',
      values.list('grpc-restricted-protocol'),
      'triton-grpc-protocol-',
    ),
  };
  if (!options.grpcUseSsl || (options.grpcServerCert !== '' && options.grpcServerKey !== '')) return options;
  throw badOption(mutual ? 'grpc-use-ssl-mutual' : 'grpc-use-ssl', 'it needs --grpc-server-cert and --grpc-server-key');
}

function keepaliveOptions(values: FlagValues) {
  return {
    timeMs: values.number('grpc-keepalive-time'),
    timeoutMs: values.number('grpc-keepalive-timeout'),
    withoutCalls: values.boolean('grpc-keepalive-permit-without-calls'),
    minRecvPingIntervalMs: values.number('grpc-http2-min-recv-ping-interval-without-data'),
    maxPingStrikes: values.number('grpc-http2-max-ping-strikes'),
    maxConnectionAgeMs: values.number('grpc-max-connection-age'),
    maxConnectionAgeGraceMs: values.number('grpc-max-connection-age-grace'),
  };
}

function metricsOptions(values: FlagValues) {
  return {
    allowMetrics: values.boolean('allow-metrics'),
    allowCpuMetrics: values.boolean('allow-cpu-metrics'),
    metricsAddress: address(values, values.isGiven('metrics-address') ? 'metrics-address' : 'http-address'),
    metricsPort: values.number('metrics-port'),
    metricsIntervalMs: values.number('metrics-interval-ms'),
    metricsConfig: readMetricsConfig(values.list('metrics-config')),
  };
}

function logOptions(values: FlagValues) {
  return {
    logVerbose: values.number('log-verbose'),
    logInfo: values.boolean('log-info'),
    logWarning: values.boolean('log-warning'),
    logError: values.boolean('log-error'),
    logFormat: values.text('log-format') as Options['logFormat'],
    logFile: values.text('log-file'),
  };
}

function repositories(folders: readonly string[]): string[] {
  if (folders.includes('')) throw badOption('model-repository', 'the name of the folder is empty');
  if (folders.length === 0) {
    throw invalid('--model-repository must be specified: a folder that holds one folder for each model');
  }
  for (const folder of folders) parseLocation(folder);
  return [...new Set(folders)];
}

/** IPv6 also as `[::1]` and, as Triton has it, `ipv6:[::1]`. */
function address(values: FlagValues, name: string): string {
  const given = values.text(name);
  if (given === '') throw badOption(name, 'the address is empty; 0.0.0.0 listens at all of them');
  return given.replace(/^(?:ipv6:)?\[(.*)\]$/, '$1');
}

/** Two listeners cannot share a port of one address. */
function checkPorts(options: Options): void {
  const listeners = [
    { what: 'HTTP', flag: '--http-port', on: options.allowHttp, address: options.httpAddress, port: options.httpPort },
    {
      what: 'health',
      flag: '--http-health-port',
      on: options.httpHealthPort > 0,
      address: options.httpAddress,
      port: options.httpHealthPort,
    },
    { what: 'GRPC', flag: '--grpc-port', on: options.allowGrpc, address: options.grpcAddress, port: options.grpcPort },
    {
      what: 'metrics',
      flag: '--metrics-port',
      on: options.allowMetrics,
      address: options.metricsAddress,
      port: options.metricsPort,
    },
  ].filter(({ on, port }) => on && port !== 0);
  listeners.forEach((first, index) => {
    const second = listeners.slice(index + 1).find(({ address, port }) => {
      return port === first.port && overlap(address, first.address);
    });
    if (second === undefined) return;
    throw invalid(
      `The server cannot listen to ${first.what} requests and ${second.what} requests at the same port ${first.port}: ` +
        `give ${first.flag} or ${second.flag} another one`,
    );
  });
}

function overlap(a: string, b: string): boolean {
  const everything = ['0.0.0.0', '::'];
  return a === b || everything.includes(a) || everything.includes(b);
}

function notesOn(flag: Flag, { rateLimit }: Options): string[] {
  const name = `--${flag.name}`;
  if (flag.effect.kind === 'later') return [`${name} has no effect yet: ${flag.effect.reason}`];
  if (flag.effect.kind === 'none') return [`${name} has no effect: ${flag.effect.reason}`];
  if (flag.name === 'rate-limit-resource' && rateLimit === null) {
    return [`${name} has no effect without --rate-limit=execution_count`];
  }
  const successor = successors.get(flag.name);
  return successor === undefined ? [] : [`${name} is deprecated: use --${successor}`];
}

const successors = new Map([
  ['response-cache-byte-size', 'cache-config'],
  ['strict-model-config', 'disable-auto-complete-config'],
  ['allow-poll-model-repository', 'model-control-mode'],
  ['allow-model-control', 'model-control-mode'],
  ['trace-file', 'trace-config triton,file=FILE'],
  ['trace-level', 'trace-config level=LEVEL'],
  ['trace-rate', 'trace-config rate=N'],
  ['trace-count', 'trace-config count=N'],
  ['trace-log-frequency', 'trace-config triton,log-frequency=N'],
]);
