import type { FamilyOf } from './metered-model.js';
import type { MetricFamily } from './metrics.js';
import type { CacheTotals } from './statistics.js';

/** What the cache in memory has done since the start. Durations are sums, microseconds. */
export interface LocalCacheCounts {
  /** Bytes in use of those there are: 0 to 1. */
  readonly utilization: number;
  readonly entries: number;
  readonly lookups: number;
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
  readonly lookupUs: number;
  readonly insertionUs: number;
}

const MODEL_FAMILIES: readonly [name: string, help: string, key: keyof CacheTotals][] = [
  ['nv_cache_num_hits_per_model', 'Number of cache hits per model', 'hits'],
  ['nv_cache_num_misses_per_model', 'Number of cache misses per model', 'misses'],
  ['nv_cache_hit_duration_per_model', 'Total cache hit duration per model, in microseconds', 'hitUs'],
  ['nv_cache_miss_duration_per_model', 'Total cache miss duration per model, in microseconds', 'missUs'],
];

/** Of the models whose answers are kept (fact sheet 7.1). */
export function modelCacheMetrics(family: FamilyOf): MetricFamily[] {
  return MODEL_FAMILIES.map(([name, help, key]) =>
    family(name, 'counter', help, (emit, labels, { statistics }) => {
      if (statistics.isCached) emit.value(labels, statistics.cacheTotals[key]);
    }),
  );
}

const LOCAL_FAMILIES: readonly [name: string, help: string, key: keyof LocalCacheCounts][] = [
  ['nv_cache_util', 'Cache utilization [0.0 - 1.0]', 'utilization'],
  ['nv_cache_num_entries', 'Number of responses stored in the cache', 'entries'],
  ['nv_cache_num_lookups', 'Number of lookups in the cache', 'lookups'],
  ['nv_cache_num_hits', 'Number of hits in the cache', 'hits'],
  ['nv_cache_num_misses', 'Number of misses in the cache', 'misses'],
  ['nv_cache_num_evictions', 'Number of responses evicted from the cache', 'evictions'],
  ['nv_cache_lookup_duration', 'Total duration of lookups in the cache, in microseconds', 'lookupUs'],
  ['nv_cache_insertion_duration', 'Total duration of insertions into the cache, in microseconds', 'insertionUs'],
];

/** Of the cache in memory, gauges as in Triton (fact sheet 7.2); none where there is no such cache. */
export function localCacheMetrics(counts: () => LocalCacheCounts | null): MetricFamily[] {
  return LOCAL_FAMILIES.map(([name, help, key]) => ({
    name,
    type: 'gauge',
    help,
    collect: (emit) => {
      const now = counts();
      if (now !== null) emit.value({}, now[key]);
    },
  }));
}
