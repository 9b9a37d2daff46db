/** Numbers for people: three digits that matter, whole from 100 on. */
export function shortNumber(value: number): string {
  if (value === 0) return '0';
  if (value >= 99.95) return Math.round(value).toLocaleString('en-US');
  if (value >= 9.995) return value.toFixed(1);
  return value >= 0.9995 ? value.toFixed(2) : value.toFixed(3);
}

/** Of things. */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** Microseconds as milliseconds, without the unit. */
export function inMs(us: number): string {
  return shortNumber(us / 1000);
}

/** `p99`, or what stands for the average. */
export function latencyName(percentile: number | null): string {
  return percentile === null ? 'mean' : `p${percentile}`;
}
