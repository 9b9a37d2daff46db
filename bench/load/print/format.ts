/** Numbers for people: three digits that matter, whole from 100 on. Halves go up as they are written, as those of reports do. */
export function shortNumber(value: number): string {
  if (value === 0) return '0';
  const digits = value >= 99.95 ? 0 : value >= 9.995 ? 1 : value >= 0.9995 ? 2 : 3;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
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
