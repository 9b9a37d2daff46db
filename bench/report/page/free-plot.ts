import { element } from './dom.js';
import { Hover, type HoverRow } from './hover.js';
import { drawMarks, type Mark, markLabels } from './marks.js';
import { type AxisSpec, plot, plotOptions } from './plot.js';

/** What the hover box says of the point that is nearest to the cursor. */
export interface PlacedPoint {
  readonly x: number;
  readonly y: number;
  readonly head: string;
  readonly rows: readonly HoverRow[];
}

export interface FreePlot {
  readonly x: AxisSpec;
  readonly y: AxisSpec;
  readonly points: readonly PlacedPoint[];
  /** Values that the axes have to reach, marks among them. */
  readonly reach: { readonly xs: readonly number[]; readonly ys: readonly number[] };
  readonly marks: readonly Mark[];
  readonly legend: readonly HTMLElement[];
  /** Over axes and marks. */
  draw(self: uPlot): void;
}

/** A plot of points that lie wherever they do, x in any order, drawn by hand. Replaces what is in `host`. */
export function freePlot(host: HTMLElement, { x, y, points, reach, marks, legend, draw }: FreePlot): void {
  const options = plotOptions(x, y, reach.xs, () => reach.ys);
  let hover: Hover | null = null;
  options.series = [{}, { show: true, points: { show: false } }];
  options.cursor = { ...options.cursor, x: false };
  options.hooks = {
    draw: [(self) => drawAll(self, marks, draw)],
    setCursor: [(self) => hover !== null && showNearest(self, hover, points)],
  };
  const place = element('div', { class: 'plot' });
  host.replaceChildren(element('div', { class: 'legend' }, ...legend, ...markLabels(marks)), place);
  // The plot gives axes and cursor; its own series is empty, because it would need ascending x.
  const ends = [Math.min(...reach.xs), Math.max(...reach.xs)];
  hover = new Hover(plot(place, options, [ends, [null, null]]));
}

function drawAll(self: uPlot, marks: readonly Mark[], draw: FreePlot['draw']): void {
  const { ctx } = self;
  ctx.save();
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  drawMarks(self, marks);
  draw(self);
  ctx.restore();
}

/** Of a circle; pixels of the canvas. */
export interface Dot {
  readonly left: number;
  readonly top: number;
  /** CSS pixels. */
  readonly radius: number;
  readonly fill: string;
  readonly stroke: string;
}

export function drawDot({ ctx }: uPlot, { left, top, radius, fill, stroke }: Dot): void {
  ctx.fillStyle = fill;
  ctx.strokeStyle = stroke;
  ctx.lineWidth = 2 * devicePixelRatio;
  ctx.beginPath();
  ctx.arc(left, top, radius * devicePixelRatio, 0, 2 * Math.PI);
  ctx.fill();
  ctx.stroke();
}

/** Pixels within which a point is meant. */
const REACH = 48;

function showNearest(self: uPlot, hover: Hover, points: readonly PlacedPoint[]): void {
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
