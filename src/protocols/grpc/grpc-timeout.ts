/** Microseconds of each unit of `grpc-timeout`. */
const unitsUs: Readonly<Record<string, number>> = { H: 3.6e9, M: 6e7, S: 1e6, m: 1e3, u: 1, n: 1e-3 };

/** Microseconds that a call may take, from its header `grpc-timeout`: at most eight digits and a unit. -1 = it is not one. */
export function parseTimeoutUs(text: string): number {
  const digits = text.slice(0, -1);
  const unit = unitsUs[text.slice(-1)];
  if (unit === undefined || !/^[0-9]{1,8}$/.test(digits)) return -1;
  return Number(digits) * unit;
}
