import { readFileSync } from 'node:fs';
import { cpuUsage, memoryUsage } from 'node:process';
import type { MetricFamily } from './metrics.js';

/** What is read of the server itself. */
export interface ServerGauges {
  /** Bytes of tensor memory that are handed out, and that there are. */
  tensorBytesUsed(): number;
  readonly tensorBytesTotal: number;
  connections(): number;
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
    gauge('conch_process_resident_memory_bytes', 'Resident memory of the process', () => memoryUsage.rss()),
    {
      ...gauge('conch_process_cpu_seconds_total', 'Processor time of the process, all threads', () => {
        const { user, system } = cpuUsage();
        return (user + system) / 1e6;
      }),
      type: 'counter',
    },
    // Node.js has no pinned memory: the families are there because dashboards ask for them.
    gauge('nv_pinned_memory_pool_total_bytes', 'Pinned memory pool total memory size, in bytes', () => 0),
    gauge('nv_pinned_memory_pool_used_bytes', 'Pinned memory pool used memory size, in bytes', () => 0),
  ];
}

/** Processor and memory of the machine, from /proc, read every `intervalMs` as Triton does; nothing where there is no /proc. */
export class MachineMetrics {
  readonly #timer: NodeJS.Timeout;
  #last: CpuTimes | null;
  #utilization = 0;

  constructor(intervalMs: number) {
    this.#last = readCpuTimes();
    this.#timer = setInterval(() => this.#poll(), Math.max(1, intervalMs / 2));
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  families(): MetricFamily[] {
    if (this.#last === null) return [];
    return [
      gauge('nv_cpu_utilization', 'CPU utilization rate [0.0 - 1.0]', () => this.#utilization),
      gauge('nv_cpu_memory_total_bytes', 'CPU total memory (RAM), in bytes', () => readMemory().total),
      gauge('nv_cpu_memory_used_bytes', 'CPU used memory (RAM), in bytes', () => readMemory().used),
    ];
  }

  #poll(): void {
    const now = readCpuTimes();
    if (now === null || this.#last === null) return;
    const all = now.all - this.#last.all;
    this.#utilization = all > 0 ? (now.busy - this.#last.busy) / all : 0;
    this.#last = now;
  }
}

interface CpuTimes {
  readonly busy: number;
  readonly all: number;
}

/** The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal; null where there is none. */
function readCpuTimes(): CpuTimes | null {
  const line = readText('/proc/stat').split('\n')[0] ?? '';
  const times = line.split(/ +/).slice(1, 9).map(Number);
  if (times.length < 8) return null;
  const all = times.reduce((sum, time) => sum + time, 0);
  return { all, busy: all - times[3]! - times[4]! };
}

function readMemory(): { total: number; used: number } {
  const text = readText('/proc/meminfo');
  const kib = (name: string) => Number(new RegExp(`^${name}: +([0-9]+)`, 'm').exec(text)?.[1] ?? 0);
  return { total: kib('MemTotal') * 1024, used: (kib('MemTotal') - kib('MemAvailable')) * 1024 };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function gauge(name: string, help: string, read: () => number): MetricFamily {
  return { name, help, type: 'gauge', collect: (emit) => emit.value({}, read()) };
}
