import type { Arrivals, Phase } from '../load.js';
import { Random } from '../random.js';

/** The next time at which a request is due, in milliseconds after the beginning; Infinity = there are no more. Never goes back. */
export type ArrivalTimes = () => number;

/** The same for everybody who asks: threads that share a load each take their part of one sequence of times. */
export function arrivalTimes(arrivals: Arrivals): ArrivalTimes {
  switch (arrivals.kind) {
    case 'intervals':
      return repeated(arrivals.gapsUs);
    case 'constant':
      return inPhases([steady(arrivals.ratePerSecond)], evenGaps);
    case 'poisson':
      return inPhases([steady(arrivals.ratePerSecond)], exponentialGaps(arrivals.seed));
    case 'profile':
      return inPhases(
        arrivals.phases,
        arrivals.distribution === 'constant' ? evenGaps : exponentialGaps(arrivals.seed),
      );
  }
}

function steady(ratePerSecond: number): Phase {
  return { seconds: Number.POSITIVE_INFINITY, fromPerSecond: ratePerSecond, toPerSecond: ratePerSecond };
}

/** How many arrivals' worth of load passes before the next one. */
type Gaps = () => number;

function evenGaps(): number {
  return 1;
}

function exponentialGaps(seed: number): Gaps {
  const random = new Random(seed);
  return () => -Math.log(1 - random.next());
}

function repeated(gapsUs: readonly number[]): ArrivalTimes {
  let nth = 0;
  let dueMs = 0;
  return () => {
    dueMs += gapsUs[nth++ % gapsUs.length]! / 1000;
    return dueMs;
  };
}

/** Arrivals are due where the area under the rate has grown by a gap; the first where it has grown by the first gap. */
function inPhases(phases: readonly Phase[], gap: Gaps): ArrivalTimes {
  let index = 0;
  let phaseBeginSeconds = 0;
  /** Area of the phase that is used up. */
  let used = 0;
  return () => {
    let need = used + gap();
    for (; index < phases.length; index++) {
      const phase = phases[index]!;
      const area = areaOf(phase);
      if (need <= area) {
        used = need;
        return 1000 * (phaseBeginSeconds + secondsUntil(phase, need));
      }
      need -= area;
      phaseBeginSeconds += phase.seconds;
    }
    used = 0;
    return Number.POSITIVE_INFINITY;
  };
}

function areaOf({ seconds, fromPerSecond, toPerSecond }: Phase): number {
  return seconds * ((fromPerSecond + toPerSecond) / 2);
}

/** Where the area under a straight line reaches `area`: the root of slope/2 x^2 + from x = area, in the form that needs no slope of 0 apart. */
function secondsUntil({ seconds, fromPerSecond, toPerSecond }: Phase, area: number): number {
  const slope = seconds === Number.POSITIVE_INFINITY ? 0 : (toPerSecond - fromPerSecond) / seconds;
  const root = Math.sqrt(Math.max(0, fromPerSecond * fromPerSecond + 2 * slope * area));
  return (2 * area) / (fromPerSecond + root);
}

/** The times of which the `nth` of `of` threads takes care. */
export function shareOf(times: ArrivalTimes, nth: number, of: number): ArrivalTimes {
  let isFirst = true;
  return () => {
    const skipped = isFirst ? nth : of - 1;
    isFirst = false;
    for (let other = 0; other < skipped; other++) times();
    return times();
  };
}
