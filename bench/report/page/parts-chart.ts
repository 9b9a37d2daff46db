import type { BenchPageData, LoadPoint, PageReport, PartName } from './bench-data.js';
import { choice, element } from './dom.js';
import { durationText, durationTick, percentText } from './format.js';
import { type Line, lineChart } from './line-chart.js';
import { emptyNote } from './shell.js';

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
  const hasServer = present.includes('infer') || present.includes('queue');
  const nameOf = (name: PartName) => (name === 'network' && !hasServer ? 'network and server' : partNames[name]);
  const lines = present.map(
    (name, index): Line => ({
      name: nameOf(name),
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
