import { durationText, numberText } from './format.js';
import { type Line, lineChart } from './line-chart.js';
import type { Mark } from './marks.js';
import { latencyAxis, latencyLimit, loadRange, throughputAxis } from './over-load.js';
import { pathChart } from './path-chart.js';
import type { AxisSpec } from './plot.js';
import { emptyNote } from './shell.js';
import type { PageCurve, TunePageData } from './tune-data.js';

type LoadPoint = PageCurve['points'][number];

const COLOURS: Readonly<Record<PageCurve['name'], string>> = { best: '--series-0', now: '--series-1' };

export function throughputOverLoad(host: HTMLElement, data: TunePageData): void {
  const text = (value: number) => `${numberText(value)}/s`;
  drawOverLoad(host, data, { y: throughputAxis, value: (point) => point.throughput, text, marks: [] });
}

export function latencyOverLoad(host: HTMLElement, data: TunePageData): void {
  const y = latencyAxis(`Latency, ${data.latencyName} (logarithmic)`);
  const marks = latencyLimit(data.latencyLimitUs, 'y');
  drawOverLoad(host, data, { y, value: (point) => point.latencyUs, text: durationText, marks });
}

/** Both against each other, with the knee: behind it more load buys latency rather than throughput. */
export function kneeChart(host: HTMLElement, data: TunePageData): void {
  const curves = measuredCurves(data);
  if (curves.length === 0) {
    host.replaceChildren(emptyNote('Nothing had only good answers.'));
    return;
  }
  const paths = curves.map(({ name, points, knee }) => {
    const colour = COLOURS[name];
    const path = points.map(({ concurrency, throughput, latencyUs }, index) => ({
      ...{ x: throughput, y: latencyUs, label: String(concurrency), isMarked: index === knee },
      head: `${concurrency} in flight${index === knee ? ': the knee' : ''}`,
      rows: [
        { colour, name: 'throughput', text: `${numberText(throughput)}/s` },
        { colour, name: data.latencyName, text: durationText(latencyUs) },
      ],
    }));
    return { name, colour, points: path };
  });
  const y = latencyAxis(`Latency, ${data.latencyName} (logarithmic)`);
  pathChart(host, { x: throughputAxis, y, paths, marks: latencyLimit(data.latencyLimitUs, 'y'), markedName: 'knee' });
}

interface OverLoad {
  readonly y: AxisSpec;
  readonly marks: readonly Mark[];
  value(point: LoadPoint): number;
  text(value: number): string;
}

function drawOverLoad(host: HTMLElement, data: TunePageData, { y, marks, value, text }: OverLoad): void {
  const curves = measuredCurves(data);
  if (curves.length === 0) {
    host.replaceChildren(emptyNote('Nothing had only good answers.'));
    return;
  }
  const loads = new Set(curves.flatMap(({ points }) => points.map(({ concurrency }) => concurrency)));
  const xs = [...loads].sort((a, b) => a - b);
  const scale = xs.length > 1 ? 'log' : 'linear';
  const lines = curves.map(({ name, points }): Line => {
    const own = xs.map((x) => points.find(({ concurrency }) => concurrency === x));
    const values = own.map((point) => (point === undefined ? undefined : value(point)));
    const said = (index: number) => {
      const point = own[index];
      return point === undefined ? null : `${text(value(point))}${point.isWithin ? '' : ' (beyond the limits)'}`;
    };
    return { name, colour: COLOURS[name], values, style: 'line', isFilled: false, hasPoints: true, text: said };
  });
  lineChart(host, {
    x: { title: 'Concurrency (requests in flight)', scale, tick: String, range: loadRange(scale, xs), ticks: xs },
    ...{ y, xs, lines, marks },
    head: (index) => `${xs[index]} in flight`,
    isStack: false,
  });
}

function measuredCurves({ curves }: TunePageData): PageCurve[] {
  return curves.filter(({ points }) => points.length > 0);
}
