import type { BenchPageData, LoadPoint, PageReport } from './bench-data.js';
import { choice, element } from './dom.js';
import { durationText, durationTick, numberText, shortText } from './format.js';
import { type Line, lineChart } from './line-chart.js';
import type { Mark } from './marks.js';
import { pathChart } from './path-chart.js';
import type { AxisSpec } from './plot.js';
import { emptyNote } from './shell.js';

const seriesColours = 6;
const percentileColours = 6;

export function seriesColour(index: number): string {
  return `--series-${index % seriesColours}`;
}

export const latencyAxis = (title: string): AxisSpec => ({
  title,
  scale: 'log',
  tick: durationTick,
  range: null,
  ticks: null,
});

export const throughputAxis: AxisSpec = {
  title: 'Throughput (inferences/s)',
  scale: 'linear',
  tick: shortText,
  range: null,
  ticks: null,
};

export function throughputChart(host: HTMLElement, data: BenchPageData): void {
  const lines = data.reports.map((report, index) =>
    overLoadLine(
      data,
      report,
      report.label,
      seriesColour(index),
      ({ throughput }) => throughput,
      (value) => `${numberText(value)}/s`,
    ),
  );
  const [first, ...others] = lines;
  drawOverLoad(host, data, throughputAxis, others.length === 0 ? [{ ...first!, isFilled: true }] : lines, []);
}

/** One report: all percentiles. Several: one percentile at a time, one line for each report. */
export function latencyChart(host: HTMLElement, data: BenchPageData): void {
  const { reports, percentiles } = data;
  if (percentiles.length === 0) {
    host.replaceChildren(emptyNote('No request had a good answer.'));
    return;
  }
  const line = (report: PageReport, percentile: string, name: string, colour: string) =>
    overLoadLine(data, report, name, colour, ({ latency }) => latency?.percentiles[percentile] ?? null, durationText);
  if (reports.length === 1) {
    const lines = percentiles.map((percentile, index) =>
      line(reports[0]!, percentile, `p${percentile}`, `--percentile-${Math.min(index, percentileColours - 1)}`),
    );
    drawOverLoad(host, data, latencyAxis('Latency (logarithmic)'), lines, limits(data));
    return;
  }
  const place = element('div');
  const draw = (index: number) => {
    const lines = reports.map((report, number) =>
      line(report, percentiles[index]!, report.label, seriesColour(number)),
    );
    drawOverLoad(place, data, latencyAxis(`Latency, p${percentiles[index]} (logarithmic)`), lines, limits(data));
  };
  const chosen = Math.max(0, percentiles.indexOf('99'));
  host.replaceChildren(
    choice(
      'Percentile:',
      percentiles.map((name) => `p${name}`),
      chosen,
      draw,
    ),
    place,
  );
  draw(chosen);
}

export function tradeChart(host: HTMLElement, data: BenchPageData): void {
  const paths = data.reports.map((report, index) => {
    const points = report.points.map((point, number) => tradePoint(point, number === report.knee, seriesColour(index)));
    return { name: report.label, colour: seriesColour(index), points: points.filter((point) => point !== null) };
  });
  if (paths.every(({ points }) => points.length === 0)) {
    host.replaceChildren(emptyNote('No request had a good answer.'));
    return;
  }
  const y = latencyAxis('Latency, p99 (logarithmic)');
  pathChart(host, { x: throughputAxis, y, paths, marks: limits(data), markedName: 'knee' });
}

function tradePoint({ name, throughput, latency }: LoadPoint, isKnee: boolean, colour: string) {
  const y = latency?.percentiles['99'];
  if (y === undefined) return null;
  const rows = [
    { colour, name: 'throughput', text: `${numberText(throughput)}/s` },
    { colour, name: 'p99', text: durationText(y) },
  ];
  return { x: throughput, y, label: name, isMarked: isKnee, head: `Load ${name}${isKnee ? ': the knee' : ''}`, rows };
}

function overLoadLine(
  { axis }: BenchPageData,
  report: PageReport,
  name: string,
  colour: string,
  value: (point: LoadPoint) => number | null,
  text: (value: number) => string,
): Line {
  const points = axis.places.map(({ x }) => report.points.find((point) => point.x === x));
  const values = points.map((point) => (point === undefined ? undefined : value(point)));
  const said = (index: number) =>
    values[index] === null || values[index] === undefined
      ? null
      : `${text(values[index]!)}${points[index]!.isStable ? '' : ' (not stable)'}`;
  return { name, colour, values, style: 'line', isFilled: false, hasPoints: true, text: said };
}

function drawOverLoad(
  host: HTMLElement,
  { axis }: BenchPageData,
  y: AxisSpec,
  lines: readonly Line[],
  marks: readonly Mark[],
): void {
  const xs = axis.places.map(({ x }) => x);
  const nameOf = (value: number) => axis.places.find(({ x }) => x === value)?.name ?? '';
  lineChart(host, {
    x: {
      title: axis.title,
      scale: axis.kind === 'log' ? 'log' : 'linear',
      tick: nameOf,
      range: loadRange(axis.kind, xs),
      ticks: xs,
    },
    y,
    xs,
    lines,
    head: (index) => `Load ${axis.places[index]!.name}`,
    marks,
    isStack: false,
  });
}

/** Some room left and right of the outermost loads. */
export function loadRange(kind: BenchPageData['axis']['kind'], xs: readonly number[]): [number, number] {
  const [first, last] = [xs[0]!, xs.at(-1)!];
  if (kind === 'log') return [first / (last / first) ** 0.05, last * (last / first) ** 0.05];
  const room = first === last ? 1 : (last - first) * 0.05;
  return [first - room, last + room];
}

/** `axis` is the one of latency; null = there is no limit. */
export function latencyLimit(us: number | null, axis: Mark['axis']): Mark[] {
  return us === null ? [] : [{ name: `latency limit ${durationText(us)}`, colour: '--failure', axis, value: us }];
}

function limits({ latencyLimitUs }: BenchPageData): Mark[] {
  return latencyLimit(latencyLimitUs, 'y');
}
