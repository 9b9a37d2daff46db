import { basename } from 'node:path';
import { assert, unreachable } from '../../../src/base/assert.js';
import type { Arrivals, Load } from '../load.js';
import type { LoadOptions, LoadPlan } from '../options.js';
import { countLevels, type MeasuredLevel, nextBinary, nextLinear } from './levels.js';
import type { PlanContent } from './plan-content.js';

/** What is measured next. */
export interface PlannedLoad {
  readonly load: Load;
  /** As `LoadResult.name`. */
  readonly name: string;
}

/** Of open loads, where connections carry several requests each, or there are none. */
export const MAX_IN_FLIGHT = 512;
/** Of open loads over HTTP, where each request in flight needs a connection. */
const HTTP_CONNECTIONS = 128;

/** Requests of an open load that may be in flight; sequences send a step at a time. */
export function maxInFlight(
  { inProcess, protocol, connections, sequences }: LoadOptions,
  hasSequences: boolean,
): number {
  const isHttp = inProcess === null && protocol === 'http';
  const most = isHttp ? connections || HTTP_CONNECTIONS : MAX_IN_FLIGHT;
  return hasSequences ? Math.min(most, sequences.count) : most;
}

/**
 * Which load comes next; null = none. Pure.
 * @param results of the loads before, in the order of measuring
 * @param most requests of an open load that may be in flight
 */
export function nextLoad(
  plan: LoadPlan,
  content: PlanContent,
  seed: number,
  results: readonly { readonly load: Load; readonly isWithinLimit: boolean }[],
  most: number,
): PlannedLoad | null {
  const open = (arrivals: Arrivals): Load => ({ kind: 'open', arrivals, maxInFlight: most });
  switch (plan.kind) {
    case 'concurrency':
    case 'rate': {
      const measured = results.map(({ load, isWithinLimit }) => ({ level: levelOf(load), isWithinLimit }));
      const level = nextLevel(plan, measured);
      if (level === null) return null;
      if (plan.kind === 'concurrency') {
        return { load: { kind: 'closed', concurrency: level }, name: String(level) };
      }
      return { load: open(atRate(plan.distribution, level, seed)), name: `${level}/s` };
    }
    case 'intervals':
      assert(content.kind === 'intervals', 'the file of the intervals was not read');
      return once(results, open({ kind: 'intervals', gapsUs: content.gapsUs }), basename(plan.file));
    case 'profile': {
      assert(content.kind === 'profile', 'the file of the profile was not read');
      const { distribution } = plan;
      return once(results, open({ kind: 'profile', phases: content.phases, distribution, seed }), basename(plan.file));
    }
    case 'periodic': {
      const { start, end, step } = plan.range;
      return once(results, { kind: 'closed', concurrency: end }, `${start}:${end}:${step}`);
    }
    default:
      return unreachable(plan);
  }
}

/** How many loads a plan has; null = only measuring tells. */
export function countLoads(plan: LoadPlan): number | null {
  return plan.kind === 'concurrency' || plan.kind === 'rate' ? countLevels(plan.range, plan.search) : 1;
}

function nextLevel({ range, search }: Extract<LoadPlan, { search: unknown }>, measured: readonly MeasuredLevel[]) {
  return search === 'binary' ? nextBinary(range, measured) : nextLinear(range, measured);
}

function once(results: readonly unknown[], load: Load, name: string): PlannedLoad | null {
  return results.length === 0 ? { load, name } : null;
}

function atRate(distribution: 'constant' | 'poisson', ratePerSecond: number, seed: number): Arrivals {
  return distribution === 'poisson' ? { kind: 'poisson', ratePerSecond, seed } : { kind: 'constant', ratePerSecond };
}

/** Concurrency, or requests per second: of intervals and profiles their mean. */
export function levelOf(load: Load): number {
  if (load.kind === 'closed') return load.concurrency;
  const { arrivals } = load;
  switch (arrivals.kind) {
    case 'constant':
    case 'poisson':
      return arrivals.ratePerSecond;
    case 'intervals':
      return (arrivals.gapsUs.length * 1e6) / arrivals.gapsUs.reduce((sum, gap) => sum + gap, 0);
    case 'profile': {
      const requests = arrivals.phases.reduce((sum, phase) => sum + phase.seconds * meanRate(phase), 0);
      return requests / arrivals.phases.reduce((sum, { seconds }) => sum + seconds, 0);
    }
    default:
      return unreachable(arrivals);
  }
}

function meanRate({ fromPerSecond, toPerSecond }: { fromPerSecond: number; toPerSecond: number }): number {
  return (fromPerSecond + toPerSecond) / 2;
}
