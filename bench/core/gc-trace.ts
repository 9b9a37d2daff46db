export interface GcTotals {
  readonly collections: number;
  /** Milliseconds in collections that stop the thread, all threads together. */
  readonly pausedMs: number;
  /** Bytes that the heaps grew by between collections: what was allocated in them, up to each heap's last collection. */
  readonly allocatedBytes: number;
}

/** `[123:0x55d1:1]  1234 ms: Scavenge 6.1 (7.5) -> 5.2 (8.0) MB, pooled: 0 MB, 0.53 / 0.00 ms ...`; the address tells threads apart. */
const line =
  /^\[\d+:(0x[0-9a-f]+)[^\]]*\]\s+\d+ ms: .*?([\d.]+) \([\d.]+\) -> ([\d.]+) \([\d.]+\) MB, .*?([\d.]+) \/ [\d.]+ ms/;

/** Adds up what `node --trace-gc` printed. Other lines are passed over. */
export function parseGcTrace(text: string): GcTotals {
  const lastAfter = new Map<string, number>();
  let collections = 0;
  let pausedMs = 0;
  let allocatedMb = 0;
  for (const match of text.split('\n').map((row) => line.exec(row))) {
    if (match === null) continue;
    const [heap, before, after, paused] = [match[1]!, Number(match[2]), Number(match[3]), Number(match[4])];
    allocatedMb += before - (lastAfter.get(heap) ?? before);
    lastAfter.set(heap, after);
    pausedMs += paused;
    collections++;
  }
  return { collections, pausedMs, allocatedBytes: allocatedMb * 1024 * 1024 };
}
