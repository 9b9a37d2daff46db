import parseMetrics from 'parse-prometheus-text-format';
import { ask, get } from './requests.js';
import type { ServerProcess } from './server.js';

export async function scrape(server: ServerProcess): Promise<string> {
  return (await ask(server.metricsPort, get('/metrics'))).body.toString();
}

/** The one series of a counter or gauge that has these labels. */
export async function metric(
  server: ServerProcess,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const family = parseMetrics(await scrape(server)).find((candidate) => candidate.name === name);
  const series = family?.metrics.filter((candidate) =>
    Object.entries(labels).every(([key, value]) => candidate.labels?.[key] === value),
  );
  if (series?.length !== 1) throw new Error(`${series?.length ?? 0} series of ${name} have ${JSON.stringify(labels)}`);
  return Number(series[0]!.value);
}

/** Tensor memory that is handed out, in bytes. */
export function memoryUsed(server: ServerProcess): Promise<number> {
  return metric(server, 'conch_tensor_memory_used_bytes');
}
