import { colour, onThemeChange } from './theme.js';
import { linearRange, logRange, logTicks, thinned } from './ticks.js';

export interface AxisSpec {
  /** With its unit; '' = none. */
  readonly title: string;
  readonly scale: 'linear' | 'log';
  readonly tick: (value: number) => string;
  /** null = from the data. */
  readonly range: readonly [number, number] | null;
  /** null = where they fall well. */
  readonly ticks: readonly number[] | null;
}

const HEIGHT = 300;
const FONT = '12px system-ui, sans-serif';
const TITLE_FONT = '600 12px system-ui, sans-serif';
/** Pixels that a tick's text gets at least. */
const X_GAP = 56;
const Y_GAP = 26;

/** What all plots have in common: axes, grid, cursor line; colours are read anew whenever the plot is drawn. */
export function plotOptions(
  x: AxisSpec,
  y: AxisSpec,
  xs: readonly number[],
  ys: () => readonly number[],
  height = HEIGHT,
): uPlot.Options {
  return {
    width: 600,
    height,
    padding: [12, 24, 0, 0],
    scales: { x: scale(x, () => xs), y: scale(y, ys) },
    axes: [axis(x, 'x'), axis(y, 'y')],
    series: [],
    legend: { show: false },
    cursor: { drag: { x: false, y: false, setScale: false }, points: { show: false }, y: false },
  };
}

/** Draws it into `host` and keeps it as wide as that is. */
export function plot(host: HTMLElement, options: uPlot.Options, data: uPlot.AlignedData): uPlot {
  host.style.minHeight = `${options.height}px`;
  const width = () => Math.max(240, Math.floor(host.clientWidth));
  const made = new uPlot({ ...options, width: width() }, data, host);
  new ResizeObserver(() => {
    if (made.width !== width()) made.setSize({ width: width(), height: options.height });
  }).observe(host);
  onThemeChange(() => made.redraw(true, true));
  return made;
}

function scale(spec: AxisSpec, values: () => readonly number[]): uPlot.Scale {
  const found = () => (spec.scale === 'log' ? logRange(values()) : linearRange(values()));
  return {
    time: false,
    ...(spec.scale === 'log' ? { distr: 3 as const, log: 10 as const } : { distr: 1 as const }),
    range: () => [...(spec.range ?? found())] as [number, number],
  };
}

function axis(spec: AxisSpec, side: 'x' | 'y'): uPlot.Axis {
  const gap = side === 'x' ? X_GAP : Y_GAP;
  return {
    scale: side,
    ...(spec.title === '' ? {} : { label: spec.title }),
    font: FONT,
    labelFont: TITLE_FONT,
    labelSize: 24,
    size: side === 'x' ? 34 : (_, texts) => 18 + 6.6 * Math.max(2, ...(texts ?? []).map((text) => text?.length ?? 0)),
    stroke: () => colour('--ink-soft'),
    grid: { stroke: () => colour('--grid'), width: 1 },
    ticks: { stroke: () => colour('--grid'), width: 1, size: 5 },
    space: gap,
    ...(spec.ticks === null && spec.scale === 'linear' ? {} : { splits: splits(spec, gap, side) }),
    filter: (_, found) => found,
    values: (self, found) => texts(self, found, spec, side),
  };
}

function splits(spec: AxisSpec, gap: number, side: 'x' | 'y'): uPlot.Axis.Splits {
  return (self, _axis, min, max) => {
    if (spec.ticks !== null) return spec.ticks.filter((tick) => tick >= min && tick <= max);
    const pixels = (side === 'x' ? self.bbox.width : self.bbox.height) / devicePixelRatio;
    return logTicks(min, max, Math.max(2, Math.floor((pixels || 400) / gap)));
  };
}

/** Given ticks keep their line, but those without room have no text. */
function texts(self: uPlot, found: readonly number[], spec: AxisSpec, side: 'x' | 'y'): (string | null)[] {
  if (spec.ticks === null || side === 'y') return found.map(spec.tick);
  const longest = Math.max(0, ...found.map((value) => spec.tick(value).length));
  const shown = thinned(
    found.map((value) => self.valToPos(value, side)),
    Math.max(22, longest * 7.5 + 8),
  );
  return found.map((value, index) => (shown[index] ? spec.tick(value) : null));
}
