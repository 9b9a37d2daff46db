import type { MetricFamily } from './metrics.js';

/** What there is of the rate limiter's resources. */
export interface LimiterCounts {
  readonly pools: readonly ResourceCount[];
  /** Instances that have a batch and not the resources for it. */
  readonly waiting: number;
}

export interface ResourceCount {
  readonly resource: string;
  /** `cpu`, the number of a GPU, or `global`. */
  readonly device: string;
  readonly total: number;
  readonly inUse: number;
}

/** Of `--rate-limit=execution_count`; no series where it is off. */
export function limiterMetrics(counts: () => LimiterCounts | null): MetricFamily[] {
  const perPool = (name: string, help: string, value: (pool: ResourceCount) => number): MetricFamily => ({
    name,
    type: 'gauge',
    help,
    collect: (emit) => {
      for (const pool of counts()?.pools ?? []) {
        emit.value({ resource: pool.resource, device: pool.device }, value(pool));
      }
    },
  });
  return [
    perPool('conch_rate_limiter_resources', 'What there is of a resource of the rate limiter', ({ total }) => total),
    perPool(
      'conch_rate_limiter_resources_in_use',
      'What instances that run hold of a resource of the rate limiter',
      ({ inUse }) => inUse,
    ),
    {
      name: 'conch_rate_limiter_waiting_instances',
      type: 'gauge',
      help: 'Instances that have a batch and not the resources for it',
      collect: (emit) => {
        const now = counts();
        if (now !== null) emit.value({}, now.waiting);
      },
    },
  ];
}
