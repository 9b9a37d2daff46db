import { badOption } from './flag.js';
import type { BackendConfig, MetricsConfig } from './options.js';

/** `[backend,]key=value`, each. A comma behind the `=` belongs to the value. */
export function readBackendConfig(texts: readonly string[]): BackendConfig {
  const config = new Map<string, Map<string, string>>();
  for (const text of texts) {
    const [, backend = '', key = '', value = ''] = /^(?:([^,=]+),)?([^,=]+)=(.+)$/s.exec(text) ?? [];
    if (key === '') throw badOption('backend-config', `expected [BACKEND,]KEY=VALUE, got '${text}'`);
    const settings = config.get(backend) ?? new Map<string, string>();
    config.set(backend, settings.set(key, value));
  }
  return config;
}

const quantiles = /^"?(0?\.\d+|[01]):(0?\.\d+|[01])(,(0?\.\d+|[01]):(0?\.\d+|[01]))*"?$/;

/** What a value of `--metrics-config` looks like, by key. */
const metricsKeys = new Map<string, { readonly pattern: RegExp; readonly expected: string }>([
  ['counter_latencies', { pattern: /^(true|false)$/, expected: 'true or false' }],
  ['summary_latencies', { pattern: /^(true|false)$/, expected: 'true or false' }],
  ['summary_quantiles', { pattern: quantiles, expected: 'QUANTILE:ERROR,... of numbers from 0 to 1' }],
  ['histogram_latencies', { pattern: /^(true|false)$/, expected: 'true or false' }],
]);

/** `key=value`, each; the last of a key counts (fact sheet 7.3). */
export function readMetricsConfig(texts: readonly string[]): MetricsConfig {
  const settings = new Map(texts.map(metricsSetting));
  return { counterLatencies: settings.get('counter_latencies') !== 'false' };
}

/** Those among `texts` that are understood and change nothing. */
export function idleMetricsKeys(texts: readonly string[]): string[] {
  const keys = texts.map((text) => metricsSetting(text)[0]).filter((key) => key !== 'counter_latencies');
  return [...new Set(keys)];
}

function metricsSetting(text: string): [key: string, value: string] {
  const key = text.split('=', 1)[0]!;
  const value = text.slice(key.length + 1);
  const known = metricsKeys.get(key);
  if (known === undefined) {
    throw badOption(
      'metrics-config',
      `expected KEY=VALUE with one of ${[...metricsKeys.keys()].join(', ')}, got '${text}'`,
    );
  }
  if (!known.pattern.test(value)) throw badOption('metrics-config', `expected ${known.expected}, got '${text}'`);
  return [key, value];
}
