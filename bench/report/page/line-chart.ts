import { element, pointSwatch, swatch } from './dom.js';
import { Hover } from './hover.js';
import { dashedSwatch, drawMarks, type Mark, markLabels, markValues } from './marks.js';
import { type AxisSpec, plot, plotOptions } from './plot.js';
import { colour } from './theme.js';

export interface Line {
  readonly name: string;
  /** A custom property of the style. */
  readonly colour: string;
  /** By x; null = no value there, which breaks the line; undefined = nobody looked there, and the line goes on. */
  readonly values: readonly (number | null | undefined)[];
  readonly style: 'line' | 'dashed' | 'step' | 'bar' | 'points';
  /** The area down to the axis is tinted; points are discs, not rings. */
  readonly isFilled: boolean;
  readonly hasPoints: boolean;
  /** What is said of the value at x; null = it is left out. */
  readonly text: (index: number) => string | null;
}

export interface LineChart {
  readonly x: AxisSpec;
  readonly y: AxisSpec;
  readonly xs: readonly number[];
  readonly lines: readonly Line[];
  /** What the hover box is headed by. */
  readonly head: (index: number) => string;
  readonly marks: readonly Mark[];
  /** The first of `lines` reaches highest and is covered by the next: they are told from the last on, and none can be switched off. */
  readonly isStack: boolean;
  /** In pixels; left out = as of all. */
  readonly height?: number;
}

/** A chart with a legend that switches its lines on and off. Replaces what is in `host`. */
export function lineChart(host: HTMLElement, chart: LineChart): void {
  const { x, y, xs, lines, marks, isStack } = chart;
  const isShown = lines.map(() => true);
  const ys = () => [
    ...lines.flatMap((line, index) => (isShown[index] ? numbers(line.values) : [])),
    ...markValues(marks, 'y'),
  ];
  const options = plotOptions(x, y, xs, ys, chart.height);
  options.series = [{}, ...lines.map((line) => series(line, y))];
  let hover: Hover | null = null;
  const isSteps = lines.every(({ style }) => style === 'step');
  options.cursor = {
    ...options.cursor,
    points: isStack ? { show: false } : { size: 9, width: 2, stroke: cardColour, fill: lineColour },
    // A step belongs to the x at its left; elsewhere the cursor jumps to the nearest x.
    ...(isSteps ? { dataIdx: stepIndex } : { move: (self, left, top) => [snapped(self, xs, left), top] }),
  };
  options.hooks = {
    drawAxes: [(self) => drawMarks(self, marks)],
    setCursor: [(self) => hover !== null && showHover(self, hover, chart, isShown)],
  };
  const place = element('div', { class: 'plot' });
  const toggle = (index: number) => {
    isShown[index] = !isShown[index];
    made.setSeries(index + 1, { show: isShown[index]! });
    return isShown[index]!;
  };
  host.replaceChildren(isStack ? stackLegend(lines) : legend(lines, marks, toggle), place);
  const made = plot(place, options, [[...xs], ...lines.map(({ values }) => [...values])]);
  hover = new Hover(made);
}

function numbers(values: readonly (number | null | undefined)[]): number[] {
  return values.filter((value) => value !== null && value !== undefined);
}

function series(line: Line, y: AxisSpec): uPlot.Series {
  if (line.style === 'points') return pointSeries(line);
  const stroke = () => colour(line.colour);
  const paths = { step: uPlot.paths.stepped!({ align: 1 }), bar: uPlot.paths.bars!({ size: [0.66, 72] }) };
  const isBar = line.style === 'bar';
  return {
    label: line.name,
    stroke,
    width: isBar ? 0 : 2,
    ...(line.style === 'dashed' ? { dash: [6, 5] } : {}),
    ...(line.style === 'step' || isBar ? { paths: paths[line.style as 'step' | 'bar'] } : {}),
    ...(isBar ? { fill: stroke } : line.isFilled ? { fill: () => faded(stroke()) } : {}),
    ...(y.scale === 'log' && line.isFilled ? { fillTo: (self: uPlot) => self.scales.y!.min! } : {}),
    points: { show: line.hasPoints, size: 7, fill: () => colour('--card'), stroke, width: 2 },
    spanGaps: false,
  };
}

function pointSeries({ name, colour: property, isFilled }: Line): uPlot.Series {
  const stroke = () => colour(property);
  const fill = isFilled ? stroke : cardColour;
  return { label: name, stroke, paths: () => null, points: { show: true, size: 7, fill, stroke, width: 2 } };
}

function faded(rgb: string): string {
  return rgb.replace('rgb(', 'rgba(').replace(')', ', 0.14)');
}

const cardColour = () => colour('--card');

function lineColour(self: uPlot, index: number): string {
  const { stroke } = self.series[index]!;
  return typeof stroke === 'function' ? (stroke(self, index) as string) : colour('--ink');
}

function stepIndex(self: uPlot, _series: number, closest: number, value: number): number {
  return self.data[0]![closest]! > value ? Math.max(0, closest - 1) : closest;
}

function snapped(self: uPlot, xs: readonly number[], left: number): number {
  return left < 0 ? left : self.valToPos(xs[self.posToIdx(left)]!, 'x');
}

function showHover(
  self: uPlot,
  hover: Hover,
  { lines, xs, head, isStack }: LineChart,
  isShown: readonly boolean[],
): void {
  const { idxs, left = -1, top = 0 } = self.cursor;
  const idx = idxs?.[1];
  if (idx === null || idx === undefined || left < 0) {
    hover.hide();
    return;
  }
  const rows = lines.flatMap((line, index) => {
    const text = isShown[index] ? line.text(idx) : null;
    return text === null ? [] : [{ colour: line.colour, name: line.name, text }];
  });
  if (rows.length === 0) {
    hover.hide();
    return;
  }
  hover.show(head(idx), isStack ? rows.reverse() : rows, self.valToPos(xs[idx]!, 'x'), top);
}

function legend(lines: readonly Line[], marks: readonly Mark[], toggle: (index: number) => boolean): HTMLElement {
  const buttons = lines.map((line, index) => {
    const button = element('button', { type: 'button', 'aria-pressed': 'true' }, legendSwatch(line), line.name);
    button.addEventListener('click', () => button.setAttribute('aria-pressed', String(toggle(index))));
    return button;
  });
  return element('div', { class: 'legend' }, ...buttons, ...markLabels(marks));
}

function stackLegend(lines: readonly Line[]): HTMLElement {
  const labels = lines.map((line) => element('span', { class: 'legend-mark' }, swatch(line.colour), line.name));
  return element('div', { class: 'legend' }, ...labels.reverse());
}

function legendSwatch({ colour: property, style, isFilled }: Line): HTMLElement {
  if (style === 'points') return pointSwatch(property, isFilled ? 'disc' : 'ring');
  return style === 'dashed' ? dashedSwatch(property) : swatch(property);
}
