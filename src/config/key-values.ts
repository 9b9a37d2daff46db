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

/** Triton's; their errors do not matter, because a summary here is as exact for each. */
const DEFAULT_QUANTILES: readonly number[] = [0.5, 0.9, 0.95, 0.99, 0.999];

/** `key=value`, each; the last of a key counts (fact sheet 7.3). */
export function readMetricsConfig(texts: readonly string[]): MetricsConfig {
  const settings = new Map(texts.map(metricsSetting));
  return {
    counterLatencies: settings.get('counter_latencies') !== 'false',
    histogramLatencies: settings.get('histogram_latencies') === 'true',
    summaryQuantiles:
      settings.get('summary_latencies') === 'true' ? readQuantiles(settings.get('summary_quantiles')) : null,
  };
}

/** `0.5:0.05,0.9:0.01`: quantile and error, of which the first counts. */
function readQuantiles(text: string | undefined): readonly number[] {
  if (text === undefined) return DEFAULT_QUANTILES;
  const pairs = text.replaceAll('"', '').split(',');
  return [...new Set(pairs.map((pair) => Number(pair.split(':')[0])))].sort((a, b) => a - b);
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
