import { readFile } from 'node:fs/promises';

/** Linux counts CPU time in these everywhere that Node runs (USER_HZ). */
const microsecondsPerTick = 10_000;

/** User and system time of a process, all threads together, since it started. Resolution: 10 ms. */
export async function cpuMicroseconds(pid: number): Promise<number> {
  return parseCpuMicroseconds(await readFile(`/proc/${pid}/stat`, 'utf8'));
}

/** proc(5): field 2 is the command in parentheses and may hold blanks; utime and stime are fields 14 and 15. */
export function parseCpuMicroseconds(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * microsecondsPerTick;
}

/** Resident memory of a process in bytes. */
export async function residentBytes(pid: number): Promise<number> {
  return parseResidentBytes(await readFile(`/proc/${pid}/status`, 'utf8'));
}

export function parseResidentBytes(status: string): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(status);
  if (match === null) throw new Error('no VmRSS in /proc/PID/status: has the process ended?');
  return Number(match[1]) * 1024;
}
