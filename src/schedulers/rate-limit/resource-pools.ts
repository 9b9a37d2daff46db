import type { ResourceDemand } from '../../backends/instance-spec.js';
import type { ResourceLimit } from '../../config/rate-limit-options.js';
import { invalid } from '../../types/errors.js';

/** How much there is of a resource on one device, or once for all of them. */
export class Pool {
  /** In lower case. */
  readonly resource: string;
  /** `cpu`, the number of a GPU, or `global`. */
  readonly device: string;
  total = 0;
  /** What is held of it; may be more than `total` for a while where that has fallen, or what was lent came back. */
  inUse = 0;

  constructor(resource: string, device: string) {
    this.resource = resource;
    this.device = device;
  }
}

/** What an instance holds of a pool while it runs; at least 1. */
export interface Share {
  readonly pool: Pool;
  readonly count: number;
}

/** One of `rate_limiter.resources`, on the device that it means. */
interface Need {
  /** As it is written. */
  readonly name: string;
  readonly resource: string;
  readonly device: string;
  readonly count: number;
}

const GLOBAL = 'global';

/**
 * The resources of the rate limiter: of each there is as much as `--rate-limit-resource` says, else as much as the instance that asks for the
 * most of it (fact sheet 5.8).
 */
export class ResourcePools {
  readonly #limits: readonly ResourceLimit[];
  readonly #pools = new Map<string, Pool>();
  readonly #entered = new Set<readonly Share[]>();

  constructor(limits: readonly ResourceLimit[]) {
    this.#limits = limits;
  }

  get all(): readonly Pool[] {
    return [...this.#pools.values()];
  }

  /** What each of these is to hold. Throws INVALID_ARGUMENT with Triton's texts where one could never run: nothing is changed then. */
  enter(demands: readonly ResourceDemand[]): (readonly Share[])[] {
    const needs = demands.map(needsOf);
    this.#check(needs.flat());
    const entered = needs.map((own) => own.map((need) => ({ pool: this.#poolOf(need), count: need.count })));
    for (const shares of entered) this.#entered.add(shares);
    this.#count();
    return entered;
  }

  leave(shares: readonly Share[]): void {
    this.#entered.delete(shares);
    this.#count();
  }

  #check(needs: readonly Need[]): void {
    const areGlobal = new Map(this.all.map(({ resource, device }) => [resource, device === GLOBAL]));
    for (const { name, resource, device, count } of needs) {
      const limit = this.#limitOf(resource, device) ?? count;
      if (limit < count) {
        throw invalid(
          `Resource count for "${name}" is limited to ${limit} which will prevent scheduling of one or more model instances, the minimum required count is ${count}`,
        );
      }
      const isGlobal = device === GLOBAL;
      if ((areGlobal.get(resource) ?? isGlobal) !== isGlobal) {
        throw invalid(
          `Resource "${name}" is present as both global and device-specific resource in the model configuration.`,
        );
      }
      areGlobal.set(resource, isGlobal);
    }
  }

  /** Of what the flag says of all devices and of this one the larger counts, as in Triton; a global resource has no device. Null = nothing. */
  #limitOf(resource: string, device: string): number | null {
    const counts = this.#limits
      .filter((limit) => limit.resource === resource)
      .filter(({ gpu }) => device === GLOBAL || gpu === -1 || String(gpu) === device)
      .map(({ count }) => count);
    return counts.length === 0 ? null : Math.max(...counts);
  }

  #poolOf({ resource, device }: Need): Pool {
    const key = `${device} ${resource}`;
    const pool = this.#pools.get(key) ?? new Pool(resource, device);
    this.#pools.set(key, pool);
    return pool;
  }

  /** Who came or left changes what there is. */
  #count(): void {
    const asked = new Map<Pool, number>();
    for (const { pool, count } of [...this.#entered].flat()) asked.set(pool, Math.max(asked.get(pool) ?? 0, count));
    for (const [key, pool] of this.#pools) {
      const most = asked.get(pool);
      if (most === undefined) this.#pools.delete(key);
      else pool.total = this.#limitOf(pool.resource, pool.device) ?? most;
    }
  }
}

/** Of a resource that is named twice the last counts, as in Triton; none of it is none. */
function needsOf({ resources, gpu }: ResourceDemand): Need[] {
  const needs = resources.map(({ name, global, count }) => ({
    name,
    resource: name.toLowerCase(),
    device: global ? GLOBAL : deviceName(gpu),
    count,
  }));
  const last = new Map(needs.map((need) => [`${need.device} ${need.resource}`, need]));
  return [...last.values()].filter(({ count }) => count > 0);
}

function deviceName(gpu: number): string {
  return gpu < 0 ? 'cpu' : String(gpu);
}
