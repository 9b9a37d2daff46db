/** A number of events and how long they took together, in nanoseconds (`StatisticDuration`). */
export interface DurationTotal {
  readonly count: number;
  readonly ns: number;
}

export function durationTotal(count: number, us: number): DurationTotal {
  return { count, ns: Math.round(us * 1000) };
}
