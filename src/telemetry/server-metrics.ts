import { readFileSync } from 'node:fs';
import { cpuUsage, memoryUsage } from 'node:process';
import { type LocalCacheCounts, localCacheMetrics } from './cache-metrics.js';
import { type LimiterCounts, limiterMetrics } from './limiter-metrics.js';
import type { MetricFamily } from './metrics.js';
import { type CpuTimes, type MachineMemory, parseCpuTimes, parseMemory, utilization } from './proc-files.js';
import { type SocketCounts, socketMetrics } from './socket-metrics.js';

/** What is read of the server itself. */
export interface ServerGauges {
  /** Bytes of tensor memory that are handed out, and that there are. */
  tensorBytesUsed(): number;
  readonly tensorBytesTotal: number;
  connections(): number;
  /** Left out or null = no WebSockets are served. */
  sockets?(): SocketCounts | null;
  /** Left out or null = no answers are kept in memory. */
  localCache?(): LocalCacheCounts | null;
  /** Left out or null = `--rate-limit=off`. */
  rateLimiter?(): LimiterCounts | null;
  /** `--pinned-memory-pool-byte-size`; 0 where it is not given. */
  readonly pinnedBytesTotal?: number;
}

/** Our own process and memory, in base units. */
export function serverMetrics(gauges: ServerGauges): MetricFamily[] {
  return [
    gauge('conch_tensor_memory_used_bytes', 'Shared memory for tensors that is handed out', () =>
      gauges.tensorBytesUsed(),
    ),
    gauge('conch_tensor_memory_total_bytes', 'Shared memory for tensors that there is', () => gauges.tensorBytesTotal),
    gauge('conch_http_connections', 'Open HTTP connections (engine uws: requests in progress)', () =>
      gauges.connections(),
    ),
    ...socketMetrics(() => gauges.sockets?.() ?? null),
    ...limiterMetrics(() => gauges.rateLimiter?.() ?? null),
    ...localCacheMetrics(() => gauges.localCache?.() ?? null),
    gauge('conch_process_resident_memory_bytes', 'Resident memory of the process', () => memoryUsage.rss()),
    {
      ...gauge('conch_process_cpu_seconds_total', 'Processor time of the process, all threads', () => {
        const { user, system } = cpuUsage();
        return (user + system) / 1e6;
      }),
      type: 'counter',
    },
    // Node.js pins no memory: the families are there because dashboards ask for them (fact sheet 13.2 item 34).
    gauge(
      'nv_pinned_memory_pool_total_bytes',
      'Pinned memory pool total memory size, in bytes',
      () => gauges.pinnedBytesTotal ?? 0,
    ),
    gauge('nv_pinned_memory_pool_used_bytes', 'Pinned memory pool used memory size, in bytes', () => 0),
  ];
}

/** The text of a file; '' where it cannot be read. */
export type ReadFile = (path: string) => string;

/** Processor and memory of the machine, from /proc, read every half `intervalMs` as Triton does; no series where there is no /proc. */
export class MachineMetrics {
  readonly #read: ReadFile;
  readonly #timer: NodeJS.Timeout;
  #times: CpuTimes | null = null;
  #memory: MachineMemory | null = null;
  #utilization = 0;

  constructor(intervalMs: number, read: ReadFile = readFileOrNothing) {
    this.#read = read;
    this.poll();
    this.#timer = setInterval(() => this.poll(), Math.max(1, intervalMs / 2));
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  families(): MetricFamily[] {
    return [
      gauge('nv_cpu_utilization', 'CPU utilization rate [0.0 - 1.0]', () =>
        this.#times === null ? null : this.#utilization,
      ),
      gauge('nv_cpu_memory_total_bytes', 'CPU total memory (RAM), in bytes', () => this.#memory?.totalBytes ?? null),
      gauge('nv_cpu_memory_used_bytes', 'CPU used memory (RAM), in bytes', () => this.#memory?.usedBytes ?? null),
    ];
  }

  /** What the timer does. */
  poll(): void {
    const times = parseCpuTimes(this.#read('/proc/stat'));
    if (times !== null && this.#times !== null) this.#utilization = utilization(this.#times, times);
    this.#times = times;
    this.#memory = parseMemory(this.#read('/proc/meminfo'));
  }
}

function readFileOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** `read` answers null where there is nothing to show. */
function gauge(name: string, help: string, read: () => number | null): MetricFamily {
  return {
    name,
    help,
    type: 'gauge',
    collect: (emit) => {
      const value = read();
      if (value !== null) emit.value({}, value);
    },
  };
}
