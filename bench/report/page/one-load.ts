import { type BenchPageData, BINS_PER_DECADE, CURVE_STEPS, type LoadPoint } from './bench-data.js';
import { durationText, numberText, percentText, quantileText, shortText } from './format.js';
import { type Line, lineChart } from './line-chart.js';
import { latencyAxis, seriesColour } from './over-load.js';
import type { AxisSpec } from './plot.js';
import { card, emptyNote } from './shell.js';

/** A report's point at the chosen load. */
interface Chosen {
  readonly name: string;
  readonly colour: string;
  readonly point: LoadPoint;
}

/** Cards about a single load; returns what draws those of another one, by its place on the axis. */
export function oneLoad(grid: HTMLElement, { axis, reports }: BenchPageData): (place: number) => void {
  const histogram = card(grid, 'Latency histogram', 'Bins of equal width on a logarithmic axis.');
  const curve = card(grid, 'Latency by percentile', 'What share of the requests is at least this fast.');
  const rate = card(grid, 'Requests over time', 'Good answers and failures.');
  const latency = card(grid, 'Latency over time', 'Mean and slowest of each moment.');
  return (place) => {
    const { x } = axis.places[place]!;
    const chosen = reports.flatMap(({ label, points }, index): Chosen[] => {
      const point = points.find((candidate) => candidate.x === x);
      return point === undefined ? [] : [{ name: reports.length > 1 ? label : '', colour: seriesColour(index), point }];
    });
    drawHistogram(histogram, chosen);
    drawCurve(curve, chosen);
    drawRate(rate, chosen);
    drawLatency(latency, chosen);
  };
}

function drawHistogram(host: HTMLElement, chosen: readonly Chosen[]): void {
  const measured = chosen.filter(({ point }) => point.latency?.bins);
  if (measured.length === 0) {
    host.replaceChildren(emptyNote('No request had a good answer.'));
    return;
  }
  const bins = measured.map(({ point }) => point.latency!.bins!);
  // One empty bin left and right, for the steps to come down to.
  const first = Math.min(...bins.map((of) => of.first)) - 1;
  const count = Math.max(...bins.map((of) => of.first + of.shares.length)) + 2 - first;
  const xs = Array.from({ length: count }, (_, index) => 10 ** ((first + index) / BINS_PER_DECADE));
  const lines = measured.map(({ name, colour, point }, index): Line => {
    const values = xs.map((_, bin) => bins[index]!.shares[bin + first - bins[index]!.first] ?? 0);
    const requests = (bin: number) =>
      `${percentText(values[bin]!)} · ${numberText(values[bin]! * point.requests)} requests`;
    return {
      name: name || 'requests',
      colour,
      values,
      style: 'step',
      isFilled: true,
      hasPoints: false,
      text: requests,
    };
  });
  const range = [xs[0]!, xs.at(-1)!] as const;
  lineChart(host, {
    x: { ...latencyAxis('Latency (logarithmic)'), range },
    y: { title: 'Share of the requests', scale: 'linear', tick: percentText, range: null, ticks: null },
    xs,
    lines,
    head: (bin) => `${durationText(xs[bin]!)} to ${durationText(xs[bin]! * 10 ** (1 / BINS_PER_DECADE))}`,
    marks: [],
    isStack: false,
  });
}

function drawCurve(host: HTMLElement, chosen: readonly Chosen[]): void {
  const measured = chosen.filter(({ point }) => (point.latency?.curve.length ?? 0) > 0);
  if (measured.length === 0) {
    host.replaceChildren(emptyNote('No request had a good answer.'));
    return;
  }
  const steps = Math.max(...measured.map(({ point }) => point.latency!.curve.length));
  const xs = Array.from({ length: steps }, (_, step) => 10 ** (step / CURVE_STEPS));
  const lines = measured.map(({ name, colour, point }): Line => {
    const values = xs.map((_, step) => point.latency!.curve[step] ?? null);
    const text = (step: number) => (values[step] === null ? null : durationText(values[step]!));
    return { name: name || 'latency', colour, values, style: 'line', isFilled: false, hasPoints: false, text };
  });
  const decades = Array.from({ length: Math.ceil(Math.log10(xs.at(-1)!)) + 1 }, (_, decade) => 10 ** decade);
  lineChart(host, {
    x: { title: 'Percentile', scale: 'log', tick: quantileText, range: [1, Math.max(10, xs.at(-1)!)], ticks: decades },
    y: latencyAxis('Latency (logarithmic)'),
    xs,
    lines,
    head: (step) => `p${quantileText(xs[step]!).slice(0, -1)}`,
    marks: [],
    isStack: false,
  });
}

function drawRate(host: HTMLElement, chosen: readonly Chosen[]): void {
  const fails = chosen.some(({ point }) => point.failures.length > 0);
  const perSecond: AxisSpec = { title: 'Requests/s', scale: 'linear', tick: shortText, range: null, ticks: null };
  drawTimeline(host, chosen, perSecond, (value) => `${numberText(value)}/s`, [
    { name: 'good', style: 'line', value: (point) => point.requestsPerSecond, colour: null },
    ...(fails
      ? [
          {
            name: 'failed',
            style: 'dashed' as const,
            value: (point: Moment) => point.failuresPerSecond,
            colour: '--failure',
          },
        ]
      : []),
  ]);
}

function drawLatency(host: HTMLElement, chosen: readonly Chosen[]): void {
  const answered = (value: (point: Moment) => number) => (point: Moment) =>
    point.requestsPerSecond > 0 ? value(point) : null;
  drawTimeline(host, chosen, latencyAxis('Latency (logarithmic)'), durationText, [
    { name: 'mean', style: 'line', value: answered((point) => point.meanUs), colour: null },
    { name: 'max', style: 'dashed', value: answered((point) => point.maxUs), colour: '--series-1' },
  ]);
}

type Moment = LoadPoint['timeline'][number];

interface Course {
  readonly name: string;
  readonly style: Line['style'];
  readonly value: (point: Moment) => number | null;
  /** Where there is one report; null = the report's. */
  readonly colour: string | null;
}

function drawTimeline(
  host: HTMLElement,
  chosen: readonly Chosen[],
  y: AxisSpec,
  text: (value: number) => string,
  courses: readonly Course[],
): void {
  const xs = [...new Set(chosen.flatMap(({ point }) => point.timeline.map(({ atSeconds }) => atSeconds)))].sort(
    (a, b) => a - b,
  );
  if (xs.length === 0) {
    host.replaceChildren(emptyNote('The course of this load was not kept.'));
    return;
  }
  const lines = chosen.flatMap(({ name, colour, point }) => {
    const moments = new Map(point.timeline.map((moment) => [moment.atSeconds, moment]));
    return courses.map((course): Line => {
      const values = xs.map((x) => (moments.has(x) ? course.value(moments.get(x)!) : null));
      return {
        name: name === '' ? course.name : `${name}, ${course.name}`,
        colour: name === '' ? (course.colour ?? colour) : colour,
        values,
        style: course.style,
        isFilled: false,
        hasPoints: xs.length === 1,
        text: (index) => (values[index] === null ? null : text(values[index]!)),
      };
    });
  });
  const seconds = xs.length === 1 ? 1 : xs.at(-1)!;
  lineChart(host, {
    x: { title: 'Time (s)', scale: 'linear', tick: shortText, range: [0, seconds], ticks: null },
    y,
    xs,
    lines,
    head: (index) => `after ${numberText(xs[index]!)} s`,
    marks: [],
    isStack: false,
  });
}
