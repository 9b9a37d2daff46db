export interface KneePoint {
  readonly throughput: number;
  readonly latencyUs: number;
}

/** Latency that grows by less has no knee, only noise. */
const LEAST_GROWTH = 1.5;
/** Of the unit square; nearer to the chord is a straight line. */
const LEAST_DISTANCE = 0.05;

/**
 * The load behind which more of it buys latency rather than throughput: index of the point that lies farthest from the chord between
 * first and last, on the side of more throughput and less latency, after both were brought to 0..1. `points` ascend by load. null =
 * fewer than three points, latency that does not grow, or no bend. After Satopää et al., "Finding a Kneedle in a Haystack", 2011,
 * without its smoothing: loads are few.
 */
export function knee(points: readonly KneePoint[]): number | null {
  if (points.length < 3) return null;
  const latencies = points.map((point) => point.latencyUs);
  if (Math.max(...latencies) < LEAST_GROWTH * Math.min(...latencies)) return null;
  const xs = normalised(points.map((point) => point.throughput));
  const ys = normalised(latencies);
  const [dx, dy] = [xs.at(-1)! - xs[0]!, ys.at(-1)! - ys[0]!];
  const length = Math.hypot(dx, dy);
  if (length === 0) return null;
  const distances = xs.map((x, index) => ((x - xs[0]!) * dy - (ys[index]! - ys[0]!) * dx) / length);
  const greatest = Math.max(...distances);
  return greatest < LEAST_DISTANCE ? null : distances.indexOf(greatest);
}

function normalised(values: readonly number[]): number[] {
  const least = Math.min(...values);
  const span = Math.max(...values) - least;
  return values.map((value) => (span === 0 ? 0 : (value - least) / span));
}
