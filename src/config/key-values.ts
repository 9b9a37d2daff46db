import { badOption } from './flag.js';
import type { BackendConfig, MetricsConfig, SummaryQuantile } from './options.js';

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

const defaultQuantiles: readonly SummaryQuantile[] = [
  { quantile: 0.5, error: 0.05 },
  { quantile: 0.9, error: 0.01 },
];

/** `key=value`, each; the last of a key counts (fact sheet 7.3). */
export function readMetricsConfig(texts: readonly string[]): MetricsConfig {
  let config: MetricsConfig = { counterLatencies: true, summaryLatencies: false, summaryQuantiles: defaultQuantiles };
  for (const text of texts) config = { ...config, ...metricsSetting(text) };
  return config;
}

function metricsSetting(text: string): Partial<MetricsConfig> {
  const equals = text.indexOf('=');
  const value = text.slice(equals + 1);
  switch (text.slice(0, Math.max(0, equals))) {
    case 'counter_latencies':
      return { counterLatencies: truth(text, value) };
    case 'summary_latencies':
      return { summaryLatencies: truth(text, value) };
    case 'summary_quantiles':
      return { summaryQuantiles: quantiles(text, value) };
    case 'histogram_latencies':
      truth(text, value);
      return {};
    default:
      throw badOption('metrics-config', `expected ${metricsKeys}, got '${text}'`);
  }
}

const metricsKeys = 'counter_latencies, summary_latencies, summary_quantiles or histogram_latencies and =VALUE';

function truth(text: string, value: string): boolean {
  if (value !== 'true' && value !== 'false') throw badOption('metrics-config', `expected true or false, got '${text}'`);
  return value === 'true';
}

/** `0.5:0.05,0.9:0.01`, with or without quotes around it. */
function quantiles(text: string, value: string): SummaryQuantile[] {
  const parts = value.replace(/^"(.*)"$/, '$1').split(',');
  return parts.map((part) => {
    const [, quantile, error] = /^(\d*\.?\d+):(\d*\.?\d+)$/.exec(part) ?? [];
    if (Number(quantile) <= 1 && Number(error) <= 1) return { quantile: Number(quantile), error: Number(error) };
    throw badOption('metrics-config', `expected pairs QUANTILE:ERROR of numbers from 0 to 1, got '${text}'`);
  });
}
