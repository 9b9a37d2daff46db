import { describe, expect, test } from 'vitest';
import { parseCommandLine } from '../../src/cli.js';
import type { Options } from '../../src/config/options.js';
import { readTrtserverLine, trtserverFlags, trtserverUsage } from '../../src/config/trtserver-line.js';

function optionsOf(...argv: string[]): Options {
  const line = readTrtserverLine(['--model-repository=/m', ...argv])!;
  const command = parseCommandLine(['serve', ...line.argv]);
  if (command.kind !== 'serve') throw new Error(command.kind === 'print' ? command.text : command.kind);
  return command.options;
}

test('the defaults of 19.11', () => {
  expect(optionsOf()).toMatchObject({
    id: 'inference:0',
    modelRepositories: ['/m'],
    exitOnError: true,
    strictReadiness: true,
    disableAutoCompleteConfig: true,
    modelControlMode: 'poll',
    repositoryPollSecs: 15,
    loadModels: [],
    exitTimeoutSecs: 30,
    allowHttp: true,
    httpPort: 8000,
    httpHealthPort: 0,
    httpMaxHeaderSize: 131072,
    allowGrpc: true,
    grpcPort: 8001,
    allowMetrics: true,
    metricsPort: 8002,
    logVerbose: 0,
  });
});

test.each<[string, string[], Partial<Options>]>([
  ['a name may be cut short, its value apart', ['--strict-m', 'FALSE'], { disableAutoCompleteConfig: false }],
  ['the old name of a repository', ['--model-store', '/n'], { modelRepositories: ['/m', '/n'] }],
  ['-1 is no port', ['--grpc-port=-1', '--metrics-port=-1'], { allowGrpc: false, allowMetrics: false }],
  ['a negative time-out is none', ['--exit-timeout-secs=-5'], { exitTimeoutSecs: 0 }],
  ['nobody loads models', ['--repository-poll-secs=0'], { modelControlMode: 'none' }],
  [
    'requests load models',
    ['--allow-model-control=1', '--allow-poll-model-repository=0', '--load-model=a', '--load-model=b'],
    { modelControlMode: 'explicit', loadModels: ['a', 'b'] },
  ],
  [
    'or as Conch says it',
    ['--model-control-mode=explicit', '--load-model=a'],
    { modelControlMode: 'explicit', loadModels: ['a'] },
  ],
  ['health on a port of its own', ['--http-port=80', '--http-health-port=81'], { httpPort: 80, httpHealthPort: 81 }],
  [
    'the port of HTTP is that of health, if it comes last',
    ['--http-health-port=81', '--http-port=80'],
    { httpHealthPort: 0 },
  ],
  ['no health', ['--http-health-port=-1'], { httpPort: 8000, httpHealthPort: -1 }],
  ['health alone', ['--http-port=-1', '--http-health-port=81'], { allowHttp: false, httpHealthPort: 81 }],
  ['no HTTP at all', ['--allow-http=false', '--http-health-port=81'], { allowHttp: false, httpHealthPort: 0 }],
  ['a level may be a boolean', ['--log-verbose=true'], { logVerbose: 1 }],
  ['flags of Conch count', ['--http-max-header-size=4096'], { httpMaxHeaderSize: 4096 }],
  ['flags of Conch', ['--http-address=0.0.0.0', '--http-engine', 'net'], { httpAddress: '0.0.0.0', httpEngine: 'net' }],
])('%s: %j', (_, argv, options) => {
  expect(optionsOf(...argv)).toMatchObject(options);
});

test('traces', () => {
  expect(optionsOf('--trace-file=/t', '--trace-level=max', '--trace-rate=5').trace).toMatchObject({
    settings: { file: '/t', levels: ['TIMESTAMPS'], rate: 5 },
  });
});

describe('what is refused', () => {
  test.each([
    ['--allow-model-control=true', /needs --allow-poll-model-repository=false/],
    ['--http-port=-1', /has no port/],
    ['--nothing=1', /unknown flag '--nothing'/],
    ['--allow-http=maybe', /invalid value for bool option/],
    ['--id', /needs a value/],
    ['models', /unexpected argument 'models'/],
    ['-v', /unexpected argument '-v'/],
    ['--trace-level=MIN', /needs a file/],
    ['--load-model=a', /"--load-model"\.\nit needs --allow-model-control=true and --allow-poll-model-repository=false/],
  ])('%s', (word, text) => {
    expect(() => readTrtserverLine([word])).toThrow(text);
  });
});

test('flags that change nothing are said', () => {
  expect(readTrtserverLine(['--http-thread-count=4'])!.notes).toEqual([
    '--http-thread-count has no effect: networking and memory are Node.js, and no GPU is used',
  ]);
});

test('help has every flag', () => {
  expect(readTrtserverLine(['--help'])).toBeNull();
  for (const { name } of trtserverFlags) expect(trtserverUsage()).toContain(`  --${name}`);
});
