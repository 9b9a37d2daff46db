import type { Table } from '../core/report.js';
import { quartiles } from '../core/rounds.js';
import type { PartName } from './ask.js';
import type { Measured } from './measure.js';

/** A part with its samples. */
export interface PartResult extends PartName, Measured {}

/** What `--json` writes. */
export interface MicroReport {
  readonly node: string;
  readonly cpu: string;
  readonly parts: readonly PartResult[];
  /** Parts and files of parts that could not be measured, and why. */
  readonly failures: Readonly<Record<string, string>>;
}

/** Nanoseconds with three digits that say something. */
export function nanoseconds(ns: number): string {
  if (ns >= 100) return Math.round(ns).toLocaleString('en-US');
  return ns.toFixed(ns >= 10 ? 1 : 2);
}

export function partsTable(parts: readonly PartResult[]): Table {
  const rows = parts.map(({ name, about, samplesNs }) => {
    const { low, median, high } = quartiles(samplesNs);
    return [name, nanoseconds(median), `[${nanoseconds(low)}, ${nanoseconds(high)}]`, about];
  });
  return { header: ['part', 'ns', '[quartiles]', 'one operation'], rows };
}
