import { type Ratio, ratioOf } from '../compare/ratio.js';
import type { Table } from '../core/report.js';
import { quartiles, type Sample } from '../core/rounds.js';
import type { Measured } from './measure.js';

/** A row for each feature: on / off, with 95 % intervals. */
export function costTable(results: readonly Measured[]): Table {
  return {
    header: ['on against off', 'pairs', 'CPU us, off', 'CPU us, on', 'CPU time, on / off', 'rate, on / off'],
    rows: results.map(rowOf),
  };
}

function rowOf({ feature, on, off }: Measured): string[] {
  const ratio = (value: 'cpuUs' | 'rate') =>
    written(
      ratioOf(
        off.map((sample) => sample[value]),
        on.map((sample) => sample[value]),
      ),
    );
  return [feature.title, String(on.length), cpuOf(off), cpuOf(on), ratio('cpuUs'), ratio('rate')];
}

function cpuOf(samples: readonly Sample[]): string {
  return quartiles(samples.map(({ cpuUs }) => cpuUs)).median.toFixed(1);
}

function written({ mean, low, high }: Ratio): string {
  return `${mean.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
}
