/** What one contender did in one round. */
export interface Sample {
  /** Requests per second; rows per second where the contender is no server. */
  readonly rate: number;
  /** Latency in microseconds; null where the contender is no server. */
  readonly p50Us: number | null;
  readonly p99Us: number | null;
  /** Microseconds of the contender's CPU time, all its threads together, for each request. */
  readonly cpuUs: number;
}

/** Something that can be loaded for some seconds, again and again. */
export interface Contender {
  readonly name: string;
  sample(seconds: number): Promise<Sample>;
}

export interface Quartiles {
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

/** First quartile, median and third quartile, interpolated between neighbours. `values` may not be empty. */
export function quartiles(values: readonly number[]): Quartiles {
  if (values.length === 0) throw new RangeError('quartiles of no values');
  const sorted = values.toSorted((a, b) => a - b);
  return { low: quantile(sorted, 0.25), median: quantile(sorted, 0.5), high: quantile(sorted, 0.75) };
}

function quantile(sorted: readonly number[], q: number): number {
  const position = (sorted.length - 1) * q;
  const below = sorted[Math.floor(position)]!;
  const above = sorted[Math.ceil(position)]!;
  return below + (above - below) * (position - Math.floor(position));
}

/** The ratio of each round, in the order of the rounds: what a slow minute of the machine does to both sides cancels out. */
export function ratios(numerators: readonly number[], denominators: readonly number[]): number[] {
  if (numerators.length !== denominators.length) throw new RangeError('the two sides have different numbers of rounds');
  return numerators.map((value, round) => value / denominators[round]!);
}

/** Who comes when in a round: the order turns round by one place each time, so that nobody always follows the same neighbour's heat. */
export function turnOrder<T>(contenders: readonly T[], round: number): T[] {
  const shift = contenders.length === 0 ? 0 : round % contenders.length;
  return [...contenders.slice(shift), ...contenders.slice(0, shift)];
}

/** Runs all rounds; the result has each contender's samples by name, one per round. */
export async function runRounds(
  contenders: readonly Contender[],
  rounds: number,
  seconds: number,
): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const contender of turnOrder(contenders, round)) {
      samples.get(contender.name)!.push(await contender.sample(seconds));
    }
  }
  return samples;
}
