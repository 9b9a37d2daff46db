import { element, swatch } from './dom.js';
import { Hover, type HoverRow } from './hover.js';
import { drawMarks, type Mark, markLabels } from './marks.js';
import { type AxisSpec, plot, plotOptions } from './plot.js';
import { colour } from './theme.js';

/** Points joined in their order, wherever they lie: x may go back. */
export interface Path {
  readonly name: string;
  readonly colour: string;
  readonly points: readonly PathPoint[];
}

export interface PathPoint {
  readonly x: number;
  readonly y: number;
  /** Stands beside the point. */
  readonly label: string;
  readonly isMarked: boolean;
  readonly head: string;
  readonly rows: readonly HoverRow[];
}

export interface PathChart {
  readonly x: AxisSpec;
  readonly y: AxisSpec;
  readonly paths: readonly Path[];
  readonly marks: readonly Mark[];
  /** What a marked point is. */
  readonly markedName: string;
}

/** Of a logarithmic axis: room for the labels below. */
const LABEL_ROOM = 0.2;

/** Replaces what is in `host`. */
export function pathChart(host: HTMLElement, { x, y, paths, marks, markedName }: PathChart): void {
  const points = paths.flatMap((path) => path.points);
  const ys = () => [
    ...points.flatMap((point) => [point.y * (1 - LABEL_ROOM), point.y]),
    ...marks.map((mark) => mark.value),
  ];
  const xs = points.map((point) => point.x);
  const options = plotOptions(x, y, xs, ys);
  let hover: Hover | null = null;
  options.series = [{}, { show: true, points: { show: false } }];
  options.cursor = { ...options.cursor, x: false };
  options.hooks = {
    draw: [(self) => drawAll(self, paths, marks)],
    setCursor: [(self) => hover !== null && showNearest(self, hover, points)],
  };
  const names = paths.map((path) => element('span', { class: 'legend-mark' }, swatch(path.colour), path.name));
  const isMarked = points.some((point) => point.isMarked);
  const ring = isMarked
    ? element('span', { class: 'legend-mark' }, element('span', { class: 'swatch ring' }), markedName)
    : null;
  const place = element('div', { class: 'plot' });
  host.replaceChildren(
    element('div', { class: 'legend' }, ...(paths.length > 1 ? names : []), ...markLabels(marks), ring),
    place,
  );
  // The plot gives axes and cursor; its own series is empty, because it would need ascending x.
  const ends = [Math.min(...xs), Math.max(...xs)];
  hover = new Hover(plot(place, options, [ends, [null, null]]));
}

function drawAll(self: uPlot, paths: readonly Path[], marks: readonly Mark[]): void {
  const { ctx } = self;
  ctx.save();
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  drawMarks(self, marks);
  const reach = paths.map(({ points: of }) => Math.max(...of.map((point) => point.x)));
  for (const [index, path] of paths.entries()) {
    // Beside another path labels stand away from it: those of the one that goes furthest right below it, the others above.
    const isBelow = paths.length > 1 && reach[index] === Math.max(...reach);
    drawPath(self, path, isBelow ? 'below' : 'above');
  }
  ctx.restore();
}

function drawPath(self: uPlot, path: Path, labels: 'above' | 'below'): void {
  const { ctx } = self;
  const places = path.points.map(
    (point) => [self.valToPos(point.x, 'x', true), self.valToPos(point.y, 'y', true)] as const,
  );
  ctx.strokeStyle = colour(path.colour);
  ctx.lineWidth = 2 * devicePixelRatio;
  ctx.beginPath();
  for (const [left, top] of places) ctx.lineTo(left, top);
  ctx.stroke();
  for (const [index, [left, top]] of places.entries()) {
    drawPoint(ctx, path, path.points[index]!, left, top);
    drawLabel(ctx, path.points[index]!.label, left, top, labels);
  }
}

function drawPoint(ctx: CanvasRenderingContext2D, path: Path, point: PathPoint, left: number, top: number): void {
  const dot = (radius: number, stroke: string) => {
    ctx.fillStyle = colour('--card');
    ctx.strokeStyle = stroke;
    ctx.beginPath();
    ctx.arc(left, top, radius * devicePixelRatio, 0, 2 * Math.PI);
    ctx.fill();
    ctx.stroke();
  };
  if (point.isMarked) dot(8.5, colour('--ink'));
  dot(3.5, colour(path.colour));
}

/** In canvas pixels. */
function drawLabel(
  ctx: CanvasRenderingContext2D,
  text: string,
  left: number,
  top: number,
  side: 'above' | 'below',
): void {
  const [x, y] = side === 'above' ? [-9, -7] : [9, 15];
  ctx.fillStyle = colour('--ink-soft');
  ctx.textAlign = side === 'above' ? 'right' : 'left';
  ctx.fillText(text, left + x * devicePixelRatio, top + y * devicePixelRatio);
}

/** Pixels within which a point is meant. */
const REACH = 48;

function showNearest(self: uPlot, hover: Hover, points: readonly PathPoint[]): void {
  const { left = -1, top = -1 } = self.cursor;
  const distances = points.map((point) =>
    Math.hypot(self.valToPos(point.x, 'x') - left, self.valToPos(point.y, 'y') - top),
  );
  const least = Math.min(...distances);
  if (left < 0 || least > REACH) {
    hover.hide();
    return;
  }
  const { head, rows, x, y } = points[distances.indexOf(least)]!;
  hover.show(head, rows, self.valToPos(x, 'x'), self.valToPos(y, 'y'));
}
