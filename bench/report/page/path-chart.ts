import { element, pointSwatch, swatch } from './dom.js';
import { drawDot, freePlot, type PlacedPoint } from './free-plot.js';
import { type Mark, markValues } from './marks.js';
import type { AxisSpec } from './plot.js';
import { colour } from './theme.js';

/** Points joined in their order, wherever they lie: x may go back. */
export interface Path {
  readonly name: string;
  readonly colour: string;
  readonly points: readonly PathPoint[];
}

export interface PathPoint extends PlacedPoint {
  /** Stands beside the point. */
  readonly label: string;
  readonly isMarked: boolean;
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
  const ys = [...points.flatMap((point) => [point.y * (1 - LABEL_ROOM), point.y]), ...markValues(marks, 'y')];
  const xs = points.map((point) => point.x);
  const names = paths.map((path) => element('span', { class: 'legend-mark' }, swatch(path.colour), path.name));
  const isMarked = points.some((point) => point.isMarked);
  const ring = element('span', { class: 'legend-mark' }, pointSwatch('--ink', 'ring'), markedName);
  freePlot(host, {
    ...{ x, y, points, marks },
    reach: { xs, ys },
    legend: [...(paths.length > 1 ? names : []), ...(isMarked ? [ring] : [])],
    draw: (self) => drawPaths(self, paths),
  });
}

function drawPaths(self: uPlot, paths: readonly Path[]): void {
  const reach = paths.map(({ points: of }) => Math.max(...of.map((point) => point.x)));
  for (const [index, path] of paths.entries()) {
    // Beside another path labels stand away from it: those of the one that goes furthest right below it, the others above.
    const isBelow = paths.length > 1 && reach[index] === Math.max(...reach);
    drawPath(self, path, isBelow ? 'below' : 'above');
  }
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
    const point = path.points[index]!;
    const dot = { left, top, fill: colour('--card') };
    if (point.isMarked) drawDot(self, { ...dot, radius: 8.5, stroke: colour('--ink') });
    drawDot(self, { ...dot, radius: 3.5, stroke: colour(path.colour) });
    drawLabel(ctx, point.label, left, top, labels);
  }
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
