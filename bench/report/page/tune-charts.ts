import { bytesText, durationText, numberText, shortText } from './format.js';
import type { HoverRow } from './hover.js';
import { type Line, lineChart } from './line-chart.js';
import { latencyAxis, latencyLimit, throughputAxis } from './over-load.js';
import { type ScatterPoint, scatterChart } from './scatter-chart.js';
import { emptyNote } from './shell.js';
import { wholeTicks } from './ticks.js';
import type { PageDimension, PageTrial, TunePageData } from './tune-data.js';

const WITHIN = '--series-0';
const BEYOND = '--failure';

const groups = [
  { name: 'within the limits', colour: WITHIN, shape: 'disc' },
  { name: 'beyond the limits', colour: BEYOND, shape: 'ring' },
] as const;

/** Throughput over the latency that decides, of all that answered. */
export function trialScatter(host: HTMLElement, data: TunePageData): void {
  const points = data.trials.flatMap((trial, index) => scatterPoint(trial, index, data));
  if (points.length === 0) {
    host.replaceChildren(emptyNote('Nothing that was tried had only good answers.'));
    return;
  }
  scatterChart(host, {
    x: latencyAxis(`Latency, ${data.latencyName} (logarithmic)`),
    y: throughputAxis,
    groups,
    points,
    marks: latencyLimit(data.latencyLimitUs, 'x'),
  });
}

function scatterPoint(trial: PageTrial, index: number, data: TunePageData): ScatterPoint[] {
  const { throughput, latencyUs, isWithin, isBest, isPresent } = trial;
  if (latencyUs === null) return [];
  const names = [...(isBest ? ['best'] : []), ...(isPresent ? ['now'] : [])];
  const label = names.length === 0 ? null : names.join(', ');
  return [
    {
      ...{ x: latencyUs, y: throughput, group: isWithin ? 0 : 1, label },
      head: `Measurement ${index + 1}${label === null ? '' : ` (${label})`}`,
      rows: trialRows(trial, data),
    },
  ];
}

function trialRows(trial: PageTrial, { dimensions, latencyName }: TunePageData): HoverRow[] {
  const { values, throughput, latencyUs, memoryBytes, isWithin } = trial;
  const colour = isWithin ? WITHIN : BEYOND;
  return [
    { colour, name: 'throughput', text: `${numberText(throughput)}/s` },
    { colour, name: latencyName, text: latencyUs === null ? 'failed' : durationText(latencyUs) },
    ...(memoryBytes > 0 ? [{ colour: null, name: 'memory', text: bytesText(memoryBytes) }] : []),
    ...dimensions.map(({ name }, index) => ({ colour: null, name, text: values[index]! })),
  ];
}

/** The best throughput over the measurements, and what each of them saw. */
export function searchCourse(host: HTMLElement, { trials, dimensions }: TunePageData): void {
  const xs = trials.map((_, index) => index + 1);
  const seen = (isWithin: boolean) => trials.map(({ look }) => (look.isWithin === isWithin ? look.throughput : null));
  const candidate = (index: number) =>
    dimensions.map(({ name }, number) => `${name.toLowerCase()} ${trials[index]!.values[number]}`).join(', ');
  const line = (
    name: string,
    colour: string,
    values: readonly (number | null)[],
    style: Pick<Line, 'style' | 'isFilled'>,
  ): Line => ({
    ...{ name, colour, values, ...style, hasPoints: false },
    text: (index) => (values[index] === null ? null : `${numberText(values[index]!)}/s`),
  });
  const best = trials.map(({ bestSoFar }) => bestSoFar);
  const lines = [
    line('best so far', '--series-2', best, { style: 'step', isFilled: true }),
    line('within the limits', WITHIN, seen(true), { style: 'points', isFilled: true }),
    line('beyond the limits, or failed', BEYOND, seen(false), { style: 'points', isFilled: false }),
  ];
  lineChart(host, {
    x: {
      title: 'Measurement',
      scale: 'linear',
      tick: String,
      range: [0.5, trials.length + 0.5],
      ticks: wholeTicks(trials.length, 14),
    },
    y: throughputAxis,
    xs,
    lines: lines.filter(({ values }) => values.some((value) => value !== null)),
    head: (index) => `Measurement ${index + 1}: ${candidate(index)}`,
    marks: [],
    isStack: false,
  });
}

const SMALL_HEIGHT = 200;

/** The best throughput that was found with each value of a dimension. */
export function dimensionChart(host: HTMLElement, { values, best }: PageDimension): void {
  const xs = values.map((_, index) => index);
  const line = (name: string, colour: string, isOfIt: (text: string) => boolean): Line => {
    const own = values.map(({ text, throughput }) => (isOfIt(text) ? throughput : null));
    const said = (index: number) => (own[index] === null ? null : `${numberText(own[index]!)}/s`);
    return { name, colour, values: own, style: 'bar', isFilled: false, hasPoints: false, text: said };
  };
  const lines = [
    line('of the best configuration', WITHIN, (text) => text === best),
    line('others', '--part-send', (text) => text !== best),
  ];
  lineChart(host, {
    x: {
      title: '',
      scale: 'linear',
      tick: (value) => values[value]?.text ?? '',
      range: [-0.6, values.length - 0.4],
      ticks: xs,
    },
    y: { ...throughputAxis, title: 'Inferences/s', tick: shortText },
    xs,
    lines: lines.filter(({ values: own }) => own.some((value) => value !== null)),
    head: (index) => values[index]!.text,
    marks: [],
    isStack: false,
    height: SMALL_HEIGHT,
  });
}
