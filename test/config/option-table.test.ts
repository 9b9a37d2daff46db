import { describe, expect, test } from 'vitest';
import { parseCommandLine } from '../../src/cli.js';
import type { Flag, FlagValue } from '../../src/config/flag.js';
import { resolveFlag } from '../../src/config/flag-names.js';
import { FlagValues } from '../../src/config/flag-values.js';
import { flags } from '../../src/config/option-table.js';

/** Fact sheet section 9 (with 3.7, 7.3, 8.1): name and default; null = takes no value. Ours differ where a comment says so. */
const sheet: Readonly<Record<string, FlagValue | null>> = {
  id: 'triton',
  'exit-timeout-secs': 30,
  'model-repository': '',
  'model-store': '',
  'exit-on-error': true,
  'disable-auto-complete-config': null,
  'strict-readiness': true,
  'model-control-mode': 'none',
  'repository-poll-secs': 15,
  'load-model': '',
  'model-config-name': '',
  'model-load-thread-count': 4,
  'model-load-retry-count': 0,
  'model-namespacing': false,
  'enable-peer-access': true,
  'allow-http': true,
  'http-address': '127.0.0.1', // Triton: 0.0.0.0
  'http-port': 8000,
  'http-health-port': 0, // TensorRT Inference Server: that of HTTP
  'reuse-http-port': false,
  'http-header-forward-pattern': '',
  'http-thread-count': 8,
  'http-max-input-size': 67108864,
  'http-restricted-api': '',
  'allow-grpc': true,
  'grpc-address': '127.0.0.1', // Triton: 0.0.0.0
  'grpc-port': 8001,
  'reuse-grpc-port': false,
  'grpc-header-forward-pattern': '',
  'grpc-infer-thread-count': 2,
  'grpc-infer-allocation-pool-size': 8,
  'grpc-max-response-pool-size': 2147483647,
  'grpc-use-ssl': false,
  'grpc-use-ssl-mutual': false,
  'grpc-server-cert': '',
  'grpc-server-key': '',
  'grpc-root-cert': '',
  'grpc-infer-response-compression-level': 'none',
  'grpc-keepalive-time': 7200000,
  'grpc-keepalive-timeout': 20000,
  'grpc-keepalive-permit-without-calls': false,
  'grpc-http2-max-pings-without-data': 2,
  'grpc-http2-min-recv-ping-interval-without-data': 300000,
  'grpc-http2-max-ping-strikes': 2,
  'grpc-max-connection-age': 0,
  'grpc-max-connection-age-grace': 0,
  'grpc-restricted-protocol': '',
  'log-verbose': 0,
  'log-info': true,
  'log-warning': true,
  'log-error': true,
  'log-format': 'default',
  'log-file': '',
  'allow-metrics': true,
  'allow-gpu-metrics': true,
  'allow-cpu-metrics': true,
  'metrics-address': '',
  'metrics-port': 8002,
  'metrics-interval-ms': 2000,
  'metrics-config': '',
  'trace-config': '',
  'cache-config': '',
  'cache-directory': '', // Triton: /opt/tritonserver/caches
  'rate-limit': 'off',
  'rate-limit-resource': '',
  'pinned-memory-pool-byte-size': 268435456,
  'cuda-memory-pool-byte-size': '', // Triton: 67108864 for each GPU
  'cuda-virtual-address-size': '', // Triton: 1073741824 for each GPU
  'min-supported-compute-capability': 0,
  'buffer-manager-thread-count': 0,
  'host-policy': '',
  'model-load-gpu-limit': '',
  'allow-client-shm': false,
  'backend-directory': '', // Triton: /opt/tritonserver/backends
  'repoagent-directory': '', // Triton: /opt/tritonserver/repoagents
  'backend-config': '',
  'allow-sagemaker': false,
  'sagemaker-port': 8080,
  'sagemaker-safe-port-range': '',
  'sagemaker-thread-count': 8,
  'allow-vertex-ai': false,
  'vertex-ai-port': 8080,
  'vertex-ai-thread-count': 8,
  'vertex-ai-default-model': '',
  help: null,
  'strict-model-config': false,
  // Of r19.11, where polling was on unless it was switched off: they count where they are given.
  'allow-poll-model-repository': false,
  'allow-model-control': false,
  'response-cache-byte-size': 0,
  'trace-file': '',
  'trace-level': 'OFF',
  'trace-rate': 1000,
  'trace-count': -1,
  'trace-log-frequency': 0,
};

const ours: Readonly<Record<string, FlagValue | null>> = {
  version: null,
  'http-engine': 'auto',
  'http-max-body-size': 2147483647,
  'http-max-header-size': 16384,
  'http-max-header-count': 100,
  'http-max-connections': 10000,
  'http-idle-timeout-secs': 75,
  'http-body-timeout-secs': 60,
  'tensor-memory-byte-size': 1073741824,
  'sequence-max-backlog': 10_000,
  'response-timeout-secs': 60,
  'grpc-engine': 'auto',
  'grpc-max-message-size': 2147483647,
  'server-timing': false,
  'ws-allow-origin': '',
  'ws-max-connections': 10000,
  'ws-max-message-size': 67108864,
  'ws-max-in-flight': 1024,
  'ws-max-unsent-size': 1048576,
  'ws-idle-timeout-secs': 300,
  'ws-ping-interval-secs': 30,
};

const repeatable = [
  'trace-level', // TIMESTAMPS and TENSORS, one after the other
  'model-repository',
  'load-model',
  'http-restricted-api',
  'grpc-restricted-protocol',
  'metrics-config',
  'trace-config',
  'cache-config',
  'rate-limit-resource',
  'cuda-memory-pool-byte-size',
  'cuda-virtual-address-size',
  'host-policy',
  'model-load-gpu-limit',
  'backend-config',
  'ws-allow-origin',
];

const expected = Object.entries({ ...sheet, ...ours });

test('the table holds the flags of the sheet and our own, and no other', () => {
  const names = flags.flatMap((flag) => [flag.name, ...flag.aliases]);
  expect(names.sort()).toEqual(expected.map(([name]) => name).sort());
});

test('the repeatable flags are those of the sheet', () => {
  const found = flags.filter((flag) => flag.repeatable).map((flag) => flag.name);
  expect(found.sort()).toEqual([...repeatable].sort());
});

describe.each(expected)('--%s', (name, defaultValue) => {
  const flag = resolveFlag(name, flags);

  test('has its default, and takes a value unless it is bare', () => {
    expect(flag.type === 'bare' ? null : flag.defaultValue).toBe(defaultValue);
  });

  test.skipIf(name === 'help' || name === 'version')('parses in each form', () => {
    const value = sample(flag);
    const forms = flag.type === 'bare' ? [[`--${name}`]] : [[`--${name}=${value}`], [`--${name}`, value]];
    const needed = name === 'load-model' ? ['--model-control-mode=explicit'] : [];
    for (const form of forms)
      expect(parseCommandLine(['dir', ...needed, ...form]), form.join(' ')).toMatchObject({ kind: 'serve' });
  });

  test('says what it is for in one line', () => {
    expect(flag.help).toMatch(/^[A-Za-z].*[.]$/);
  });
});

/** Some value that the flag takes. */
function sample(flag: Flag): string {
  if (flag.name === 'backend-config') return 'onnxruntime,key=value';
  if (flag.name === 'metrics-config') return 'counter_latencies=true';
  if (flag.name === 'trace-config') return 'rate=5';
  if (flag.name === 'cache-config') return 'local,size=1048576';
  if (flag.name === 'rate-limit-resource') return 'R:1';
  if (flag.name === 'ws-allow-origin') return 'https://app.example:8443';
  if (flag.name.includes('-restricted-')) return 'health:key=value';
  return flag.defaultValue === '' ? 'some' : String(flag.defaultValue);
}

test('a flag without effect says why', () => {
  for (const flag of flags) if (flag.effect.kind !== 'works') expect(flag.effect.reason).not.toBe('');
});

test('a default lies within its range', () => {
  for (const flag of flags.filter(({ range }) => range !== null)) {
    expect(() => new FlagValues(flags, new Map([[flag.name, [String(flag.defaultValue)]]])), flag.name).not.toThrow();
  }
});

test('origins of pages are checked', () => {
  const parse = (origin: string) => parseCommandLine(['dir', `--ws-allow-origin=${origin}`]);
  for (const origin of ['*', 'null', 'http://localhost:3000', 'HTTPS://App.Example', 'chrome-extension://abc'])
    expect(parse(origin), origin).toMatchObject({ kind: 'serve', options: { ws: { allowOrigins: [origin] } } });
  for (const origin of ['', 'app.example', 'https://app.example/', 'https://a.example https://b.example'])
    expect(parse(origin), origin).toMatchObject({ kind: 'print', exitCode: 1 });
});
