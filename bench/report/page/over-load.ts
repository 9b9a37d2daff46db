import type { BenchPageData, LoadPoint, PageReport, PartName } from './bench-data.js';
import { choice, element } from './dom.js';
import { durationText, durationTick, numberText, percentText, shortText } from './format.js';
import { type Line, lineChart } from './line-chart.js';
import type { Mark } from './marks.js';
import { pathChart } from './path-chart.js';
import type { AxisSpec } from './plot.js';
import { emptyNote } from './shell.js';

const seriesColours = 6;
const percentileColours = 5;

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

const throughputAxis: AxisSpec = {
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
    drawOverLoad(host, data, latencyAxis('Latency (ms, logarithmic)'), lines, limits(data));
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

const partNames: Readonly<Record<PartName, string>> = {
  send: 'client send',
  network: 'network and waiting',
  queue: 'queue',
  input: 'compute input',
  infer: 'compute infer',
  output: 'compute output',
  other: 'other in the server',
  receive: 'client receive',
};

/** Stacked bars of one report at a time, as times or as shares. */
export function partsCard(host: HTMLElement, data: BenchPageData): void {
  const place = element('div');
  let [number, isShare] = [0, false];
  const draw = () => partsChart(place, data.reports[number]!, data, isShare);
  const reports = choice(
    'Report:',
    data.reports.map(({ label }) => label),
    0,
    (index) => {
      number = index;
      draw();
    },
  );
  const units = choice('As:', ['time', 'share'], 0, (index) => {
    isShare = index === 1;
    draw();
  });
  host.replaceChildren(...(data.reports.length > 1 ? [reports] : []), units, place);
  draw();
}

function partsChart(host: HTMLElement, { points }: PageReport, data: BenchPageData, isShare: boolean): void {
  const measured = points.filter(({ parts }) => parts.length > 0);
  if (measured.length === 0) {
    host.replaceChildren(emptyNote('No request had a good answer.'));
    return;
  }
  const present = (Object.keys(partNames) as PartName[]).filter((name) =>
    measured.some(({ parts }) => parts.some(({ part, us }) => part === name && us > 0)),
  );
  const total = ({ parts }: LoadPoint) => parts.reduce((sum, { us }) => sum + us, 0);
  const of = ({ parts }: LoadPoint, name: PartName) => parts.find(({ part }) => part === name)?.us ?? 0;
  const below = (point: LoadPoint, last: number) =>
    present.slice(0, last + 1).reduce((sum, name) => sum + of(point, name), 0);
  const lines = present.map(
    (name, index): Line => ({
      name: partNames[name],
      colour: `--part-${name}`,
      values: measured.map((point) => below(point, index) / (isShare ? total(point) : 1)),
      style: 'bar',
      isFilled: true,
      hasPoints: false,
      text: (at) =>
        `${durationText(of(measured[at]!, name))} · ${percentText(of(measured[at]!, name) / total(measured[at]!))}`,
    }),
  );
  lineChart(host, {
    x: {
      title: data.axis.title,
      scale: 'linear',
      tick: (index) => measured[index]?.name ?? '',
      range: [-0.6, measured.length - 0.4],
      ticks: measured.map((_, index) => index),
    },
    y: isShare
      ? { title: 'Share of the mean latency', scale: 'linear', tick: percentText, range: [0, 1], ticks: null }
      : { title: 'Mean latency', scale: 'linear', tick: durationTick, range: null, ticks: null },
    xs: measured.map((_, index) => index),
    lines: lines.reverse(),
    head: (index) => `Load ${measured[index]!.name}: ${durationText(total(measured[index]!))}`,
    marks: [],
    isStack: true,
  });
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
  const values = points.map((point) => (point === undefined ? null : value(point)));
  const said = (index: number) =>
    values[index] === null ? null : `${text(values[index]!)}${points[index]!.isStable ? '' : ' (not stable)'}`;
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
function loadRange(kind: BenchPageData['axis']['kind'], xs: readonly number[]): [number, number] {
  const [first, last] = [xs[0]!, xs.at(-1)!];
  if (kind === 'log') return [first / (last / first) ** 0.05, last * (last / first) ** 0.05];
  const room = first === last ? 1 : (last - first) * 0.05;
  return [first - room, last + room];
}

function limits({ latencyLimitUs }: BenchPageData): Mark[] {
  if (latencyLimitUs === null) return [];
  return [{ name: `latency limit ${durationText(latencyLimitUs)}`, colour: '--failure', value: latencyLimitUs }];
}
