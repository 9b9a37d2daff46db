/** Times of all processors together since the start of the machine, in ticks. */
export interface CpuTimes {
  readonly busy: number;
  readonly all: number;
}

export interface MachineMemory {
  readonly totalBytes: number;
  readonly usedBytes: number;
}

/** `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal (guests are in user). Null where it says no such thing. */
export function parseCpuTimes(text: string): CpuTimes | null {
  const [, line] = /^cpu +([0-9 ]+)$/m.exec(text) ?? [];
  if (line === undefined) return null;
  const times = line.trim().split(/ +/).slice(0, 8).map(Number);
  const all = times.reduce((sum, time) => sum + time, 0);
  const idle = (times[3] ?? 0) + (times[4] ?? 0);
  return { all, busy: all - idle };
}

/** Share of the time between two readings that was not idle, 0 to 1 (fact sheet 7.2). */
export function utilization(before: CpuTimes, after: CpuTimes): number {
  const all = after.all - before.all;
  // The kernel's idle times may step back a little.
  return all > 0 ? Math.min(1, Math.max(0, (after.busy - before.busy) / all)) : 0;
}

/** `/proc/meminfo`: used is what is not available to a new process. Null where it says no such thing. */
export function parseMemory(text: string): MachineMemory | null {
  const totalKib = kibOf(text, 'MemTotal');
  const availableKib = kibOf(text, 'MemAvailable');
  if (totalKib === null || availableKib === null) return null;
  return { totalBytes: totalKib * 1024, usedBytes: (totalKib - availableKib) * 1024 };
}

function kibOf(text: string, name: string): number | null {
  const [, kib] = new RegExp(`^${name}: +([0-9]+) kB$`, 'm').exec(text) ?? [];
  return kib === undefined ? null : Number(kib);
}
