import { structuredPatch } from 'diff';
import { latencyName } from '../load/print/format.js';
import { knee } from '../report/knee.js';
import { bytesText, durationText } from '../report/page/format.js';
import type {
  PageConfiguration,
  PageCurve,
  PageDiff,
  PageDimension,
  PageMeasurement,
  PageTrial,
  TunePageData,
} from '../report/page/tune-data.js';
import { shellHtml } from '../report/shell.js';
import type { Trial } from './search.js';
import { DIMENSIONS, type Dimension, isSameCandidate, isSamePoint, type Point, type SearchSpace } from './space.js';
import type { Confirmed, TuneReport } from './tune.js';

/** The page of a search: one HTML file that needs no other. */
export function tunePage(report: TuneReport): string {
  return shellHtml({ title: `${report.model} · conch tune`, entry: 'tune', data: tunePageData(report) });
}

export function tunePageData(report: TuneReport): TunePageData {
  const { model, startedAt, percentile, limits, gridPoints, isPartial } = report;
  const shown = dimensionsOf(report.space);
  const careful = report.trials.map((trial) => confirmationOf(trial, report) ?? trial);
  return {
    ...{ model, startedAt, gridPoints, isPartial },
    facts: facts(report),
    latencyName: latencyName(percentile),
    latencyLimitUs: limits.latencyUs,
    dimensions: shown.map((dimension) => pageDimension(dimension, report, careful)),
    configurations: configurations(report, shown),
    trials: pageTrials(report, careful, shown),
    curves: curves(report, careful),
    diff: diffOf(report),
  };
}

const NAMES: Readonly<Record<Dimension, string>> = {
  instances: 'Instances',
  maxBatchSize: 'Max batch',
  queueDelayUs: 'Delay (µs)',
  threads: 'Threads',
  concurrency: 'In flight',
};

/** A model without a batch dimension has a size of 0, one without threads or delay null. */
function dimensionsOf(space: SearchSpace): Dimension[] {
  return DIMENSIONS.filter((dimension) =>
    space[dimension].some((value) => value !== null && (dimension !== 'maxBatchSize' || value > 0)),
  );
}

function valueText(value: number | null): string {
  return value === null ? 'off' : String(value);
}

function valuesOf(point: Point, shown: readonly Dimension[]): string[] {
  return shown.map((dimension) => valueText(point[dimension]));
}

/** The longer measurement of a point; undefined = there was none. */
function confirmationOf({ point }: Trial, { best, current }: TuneReport): Confirmed | undefined {
  return [...best, current].find((confirmed) => confirmed.result !== null && isSamePoint(confirmed.point, point));
}

function pageMeasurement({ point, measurement, isWithinLimits }: Trial, shown: readonly Dimension[]): PageMeasurement {
  const { throughput, latencyUs, memoryBytes, failures } = measurement;
  return {
    values: valuesOf(point, shown),
    throughput,
    latencyUs: failures > 0 ? null : latencyUs,
    memoryBytes,
    isWithin: isWithinLimits,
  };
}

function pageDimension(
  dimension: Dimension,
  { space, current, best }: TuneReport,
  careful: readonly Trial[],
): PageDimension {
  const within = careful.filter(({ isWithinLimits }) => isWithinLimits);
  const values = space[dimension].map((value) => {
    const found = within.filter(({ point }) => point[dimension] === value);
    const throughput = found.reduce((most, { measurement }) => Math.max(most, measurement.throughput), 0);
    return { text: valueText(value), throughput: found.length === 0 ? null : throughput };
  });
  const [first] = best;
  return {
    name: NAMES[dimension],
    values,
    present: valueText(current.point[dimension]),
    best: first === undefined ? null : valueText(first.point[dimension]),
  };
}

function configurations({ best, current }: TuneReport, shown: readonly Dimension[]): PageConfiguration[] {
  const configuration = (confirmed: Confirmed, rank: number | null): PageConfiguration => ({
    ...pageMeasurement(confirmed, shown),
    rank,
    isPresent: isSamePoint(confirmed.point, current.point),
    isConfirmed: confirmed.result !== null,
    isStable: confirmed.result?.isStable ?? true,
  });
  const ranked = best.map((confirmed, index) => configuration(confirmed, index + 1));
  return ranked.some(({ isPresent }) => isPresent) ? ranked : [...ranked, configuration(current, null)];
}

function pageTrials(report: TuneReport, careful: readonly Trial[], shown: readonly Dimension[]): PageTrial[] {
  const first = report.best[0];
  let bestSoFar: number | null = null;
  return report.trials.map(({ point, measurement: { throughput }, isWithinLimits }, index) => {
    if (isWithinLimits) bestSoFar = Math.max(bestSoFar ?? 0, throughput);
    return {
      ...pageMeasurement(careful[index]!, shown),
      isBest: first !== undefined && isSamePoint(point, first.point),
      isPresent: isSamePoint(point, report.current.point),
      look: { throughput, isWithin: isWithinLimits },
      bestSoFar,
    };
  });
}

function curves({ best, current }: TuneReport, careful: readonly Trial[]): PageCurve[] {
  const [first] = best;
  const isPresentBest = first !== undefined && isSameCandidate(first.point, current.point);
  return [
    ...(first === undefined ? [] : [curve('best', first.point, careful)]),
    ...(isPresentBest ? [] : [curve('now', current.point, careful)]),
  ];
}

function curve(name: PageCurve['name'], candidate: Point, careful: readonly Trial[]): PageCurve {
  const points = careful
    .filter(({ point, measurement }) => isSameCandidate(point, candidate) && measurement.failures === 0)
    .map(({ point, measurement: { throughput, latencyUs }, isWithinLimits }) => ({
      ...{ concurrency: point.concurrency, throughput, latencyUs },
      isWithin: isWithinLimits,
    }))
    .sort((a, b) => a.concurrency - b.concurrency);
  return { name, points, knee: knee(points) };
}

function diffOf({ configFile, configBefore, configAfter }: TuneReport): PageDiff | null {
  if (configBefore === configAfter) return null;
  const { hunks } = structuredPatch('', '', configBefore, configAfter);
  const lines = hunks.flatMap(({ lines: changed, oldStart }, index) => [
    ...(index > 0 || oldStart > 1 ? [{ kind: 'gap' as const, text: '' }] : []),
    ...changed.filter((line) => !line.startsWith('\\')).map(diffLine),
  ]);
  return { file: configFile, lines };
}

function diffLine(line: string): PageDiff['lines'][number] {
  const kind = line[0] === '+' ? 'added' : line[0] === '-' ? 'removed' : 'same';
  return { kind, text: line.slice(1) };
}

function facts(report: TuneReport): TunePageData['facts'] {
  const { limits, percentile, trials, gridPoints, isPartial, space } = report;
  const tried = dimensionsOf(space).map(
    (dimension) => [NAMES[dimension], space[dimension].map(valueText).join(', ')] as const,
  );
  return [
    ['Model', report.model],
    ['Configuration', report.configFile],
    ['Machine', report.cores === 1 ? '1 core' : `${report.cores} cores`],
    ['Judged by', percentile === null ? 'mean latency' : `p${percentile}`],
    ['Latency limit', limits.latencyUs === null ? 'none' : durationText(limits.latencyUs)],
    ['Memory limit', limits.memoryBytes === null ? 'none' : bytesText(limits.memoryBytes)],
    ['Measured', `${trials.length} of ${gridPoints} points of the grid`],
    ['Search', isPartial ? 'cut short: there was more to try' : 'ended by itself'],
    ...tried,
    ['Started', report.startedAt],
    ['Command', report.command],
  ];
}
