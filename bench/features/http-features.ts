import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { binaryRequest, type ModelMetadata } from '../core/bodies.js';
import type { LoadRequest } from '../core/wrk.js';
import { expectThat, type Feature, type FeatureSide, plain } from './feature.js';
import { explainedRequest, hasMetric, sharedMemorySide, withHeader } from './requests.js';

const small = { model: 'simple_b64', connections: 64, protocol: 'http', pairs: 4 } as const;
const off = () => plain;
const withFlags = (...flags: readonly string[]): FeatureSide => ({ ...plain, flags });

const cacheFlag = '--cache-config=local,size=1048576';
const cached = { ...withFlags(cacheFlag), config: 'response_cache { enable: true }' };
const keyHeader = ['x-key', 'secret'] as const;
const keyed = (model: ModelMetadata): LoadRequest => withHeader(binaryRequest(model), ...keyHeader);
const tenant = (model: ModelMetadata): LoadRequest => withHeader(binaryRequest(model), 'x-tenant', 'a');
/** The first number of the first input: 64 bytes of each of two are behind the head. */
const distinct = (model: ModelMetadata): LoadRequest => {
  const request = binaryRequest(model);
  return { ...request, countedAt: request.body.length - 128 };
};

export function traceFlags(file: string, rate = 1000): string[] {
  return [`triton,file=${file}`, 'level=TIMESTAMPS', `rate=${rate}`].map((text) => `--trace-config=${text}`);
}

export function spanFlags(url: string): string[] {
  const settings = ['mode=opentelemetry', `opentelemetry,url=${url}`, 'level=TIMESTAMPS', 'rate=1000'];
  return settings.map((text) => `--trace-config=${text}`);
}

export async function hasTraces(directory: string): Promise<void> {
  const traces = JSON.parse(await readFile(join(directory, 'trace.json'), 'utf8')) as unknown[];
  expectThat(traces.length > 0, 'traces in the file');
}

const tracing: readonly Feature[] = [
  { ...small, name: 'nothing', title: 'nothing: how far two servers alike seem to differ', pairs: 8, on: off, off },
  {
    ...small,
    name: 'traces',
    title: 'traces, every 1000th, into a file',
    pairs: 8,
    on: ({ directory }) => withFlags(...traceFlags(join(directory, 'trace.json'))),
    off,
    proof: (_server, { directory }) => hasTraces(directory),
  },
  {
    ...small,
    name: 'all-traces',
    title: 'traces of all requests, into a file',
    on: ({ directory }) => withFlags(...traceFlags(join(directory, 'trace.json'), 1)),
    off,
    proof: (_server, { directory }) => hasTraces(directory),
  },
  {
    ...small,
    name: 'spans',
    title: 'traces, every 1000th, as spans of OpenTelemetry',
    pairs: 8,
    on: ({ spansUrl }) => withFlags(...spanFlags(spansUrl)),
    off,
    proof: async (_server, place) => expectThat(place.spanRequests() > 0, 'spans at the receiver'),
  },
];

const answers: readonly Feature[] = [
  {
    ...small,
    name: 'server-timing',
    title: '`--server-timing=true`',
    on: () => withFlags('--server-timing=true'),
    off,
    proof: async (_server, _place, { headers }) => expectThat(headers.includes('server-timing'), 'Server-Timing'),
  },
  {
    ...small,
    name: 'explain',
    title: '`conch_explain` in each request',
    on: () => ({ ...plain, request: explainedRequest }),
    off,
    proof: async (_server, _place, { body }) =>
      expectThat(Buffer.from(body).includes('conch_explain'), 'conch_explain in the answer'),
  },
];

const caches: readonly Feature[] = [
  {
    ...small,
    name: 'cache-hit',
    title: 'response cache, all requests alike',
    on: () => cached,
    off,
    proof: (server) => hasMetric(server, 'nv_cache_num_hits_per_model'),
  },
  {
    ...small,
    name: 'cache-miss',
    title: 'response cache, no two requests alike',
    on: () => ({ ...cached, request: distinct }),
    off: () => ({ ...plain, request: distinct }),
    proof: (server) => hasMetric(server, 'nv_cache_num_misses_per_model'),
  },
  {
    ...small,
    name: 'cache-unused',
    title: 'response cache, which the model does not use',
    on: () => withFlags(cacheFlag),
    off,
  },
];

const numbers: readonly Feature[] = [
  {
    ...small,
    name: 'histograms',
    title: 'histograms and summaries of latencies',
    on: () => withFlags('--metrics-config=histogram_latencies=true', '--metrics-config=summary_latencies=true'),
    off,
    proof: (server) => hasMetric(server, 'nv_inference_request_summary_us_count'),
  },
  {
    ...small,
    name: 'metrics',
    title: 'metrics at all, against `--allow-metrics=false`',
    on: off,
    off: () => withFlags('--allow-metrics=false'),
  },
  {
    ...small,
    name: 'log-verbose',
    title: '`--log-verbose=1`, into a file',
    on: ({ directory }) => withFlags('--log-verbose=1', `--log-file=${join(directory, 'on.log')}`),
    off: ({ directory }) => withFlags('--log-verbose=0', `--log-file=${join(directory, 'off.log')}`),
  },
];

const gates: readonly Feature[] = [
  {
    ...small,
    name: 'restricted',
    title: 'inference only with a key',
    on: () => ({ ...withFlags(`--http-restricted-api=inference:${keyHeader.join('=')}`), request: keyed }),
    off: () => ({ ...plain, request: keyed }),
    proof: async (server, _place) => {
      const { status } = await fetch(`http://127.0.0.1:${server.httpPort}/v2/models/simple_b64/infer`, {
        method: 'POST',
      });
      expectThat(status === 403, `403 without the key, found ${status}`);
    },
  },
  {
    ...small,
    name: 'forward',
    title: 'headers forwarded, of which requests have none',
    on: () => withFlags('--http-header-forward-pattern=x-.*'),
    off,
  },
  {
    ...small,
    name: 'forward-one',
    title: 'headers forwarded, one in each request, to a model that does not look at it',
    on: () => ({ ...withFlags('--http-header-forward-pattern=x-.*'), request: tenant }),
    off: () => ({ ...plain, request: tenant }),
  },
  {
    ...small,
    name: 'rate-limit',
    title: '`--rate-limit=execution_count`, one resource that is free',
    on: () => ({
      ...withFlags('--rate-limit=execution_count'),
      config: 'instance_group [ { rate_limiter { resources [ { name: "R" count: 1 } ] } } ]',
    }),
    off,
  },
  {
    name: 'shared-memory',
    title: '600 KB in and out in shared memory, against a binary body',
    model: 'identity_600k',
    connections: 4,
    protocol: 'http',
    pairs: 4,
    on: sharedMemorySide,
    off,
  },
];

export const httpFeatures: readonly Feature[] = [...tracing, ...answers, ...caches, ...numbers, ...gates];
