/** Where axes have their ticks; no DOM in here. */

/** Outermost ticks of 1, 2, 5 times powers of ten around the values; at least one step apart. */
export function logRange(values: readonly number[]): [number, number] {
  const positive = values.filter((value) => value > 0);
  if (positive.length === 0) return [1, 10];
  const low = below(Math.min(...positive));
  const high = above(Math.max(...positive));
  return [low, high > low ? high : above(high * 1.01)];
}

/** From 0 to a bit above the values. */
export function linearRange(values: readonly number[]): [number, number] {
  const greatest = Math.max(0, ...values);
  return [0, greatest === 0 ? 1 : greatest * 1.08];
}

/** 1, 2, 5 times powers of ten where they have room for `most`, else powers of ten alone, or every n-th of them. */
export function logTicks(min: number, max: number, most: number): number[] {
  const decades = range(Math.floor(Math.log10(min)), Math.ceil(Math.log10(max)));
  const within = (values: number[]) => values.filter((value) => value >= min * 0.999 && value <= max * 1.001);
  const fine = within(decades.flatMap((decade) => [1, 2, 5].map((factor) => factor * 10 ** decade)));
  if (fine.length <= most) return fine;
  const coarse = within(decades.map((decade) => 10 ** decade));
  const nth = Math.ceil(coarse.length / Math.max(1, most));
  return coarse.filter((_, index) => index % nth === 0);
}

/** 1 and multiples of the smallest of 1, 2, 5, 10, 20... with which there are no more than `most` of them up to `last`. */
export function wholeTicks(last: number, most: number): number[] {
  const steps = range(0, 9).flatMap((decade) => [1, 2, 5].map((factor) => factor * 10 ** decade));
  const step = steps.find((wide) => last / wide <= most)!;
  const multiples = range(1, Math.floor(last / step)).map((index) => index * step);
  return step === 1 ? multiples : [1, ...multiples];
}

/** Of `places`, ascending in pixels, those that keep `leastGap` to the last one shown; the ends come first. */
export function thinned(places: readonly number[], leastGap: number): boolean[] {
  const last = places.length - 1;
  let shown = Number.NEGATIVE_INFINITY;
  return places.map((place, index) => {
    const fits = place - shown >= leastGap && (index === last || places[last]! - place >= leastGap);
    if (fits || index === last) shown = place;
    return fits || index === last;
  });
}

function below(value: number): number {
  const decade = 10 ** Math.floor(Math.log10(value));
  return decade * (value >= 5 * decade ? 5 : value >= 2 * decade ? 2 : 1);
}

function above(value: number): number {
  const decade = 10 ** Math.floor(Math.log10(value));
  return decade * (value <= decade ? 1 : value <= 2 * decade ? 2 : value <= 5 * decade ? 5 : 10);
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
