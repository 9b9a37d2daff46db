import type { Load } from '../load/load.js';
import type { LoadResult } from '../load/report.js';
import type { LoadAxis } from './page/bench-data.js';

/** The axis on which all these loads have a place: their number where they have one in common, else one after the other. */
export function loadAxis(results: readonly LoadResult[]): LoadAxis {
  const all = (fits: (result: LoadResult, index: number) => boolean) => results.length > 0 && results.every(fits);
  const isClosed = all(({ load }) => load.kind === 'closed');
  const numbers = results.map(({ load }) => loadNumber(load));
  const isRate = all(({ load }, index) => load.kind === 'open' && numbers[index] !== null);
  if (!isClosed && !isRate) {
    const names = [...new Set(results.map(({ name }) => name))];
    return { title: 'Load', kind: 'names', places: names.map((name, x) => ({ x, name })) };
  }
  const byNumber = new Map(results.map(({ name }, index) => [numbers[index]!, name]));
  const xs = [...byNumber.keys()].sort((a, b) => a - b);
  return {
    title: isClosed ? 'Concurrency (requests in flight)' : 'Asked-for rate (requests/s)',
    kind: xs[0]! > 0 && unevenness(xs.map(Math.log)) < unevenness(xs) ? 'log' : 'linear',
    places: xs.map((x) => ({ x, name: byNumber.get(x)! })),
  };
}

/** Where a load of this axis lies. */
export function placeOf(axis: LoadAxis, { load, name }: LoadResult): number {
  return axis.kind === 'names' ? axis.places.findIndex((place) => place.name === name) : loadNumber(load)!;
}

/** null = it is not said by one number. */
function loadNumber(load: Load): number | null {
  if (load.kind === 'closed') return load.concurrency;
  const { arrivals } = load;
  return arrivals.kind === 'constant' || arrivals.kind === 'poisson' ? arrivals.ratePerSecond : null;
}

/** The greatest gap's share of the whole: the scale on which it is smaller has the better spread. */
function unevenness(ascending: readonly number[]): number {
  const span = ascending.at(-1)! - ascending[0]!;
  if (span === 0) return 0;
  return Math.max(...ascending.slice(1).map((value, index) => value - ascending[index]!)) / span;
}
