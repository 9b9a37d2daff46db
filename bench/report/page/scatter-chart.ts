import { element, pointSwatch } from './dom.js';
import { drawDot, freePlot, type PlacedPoint } from './free-plot.js';
import { type Mark, markValues } from './marks.js';
import type { AxisSpec } from './plot.js';
import { colour } from './theme.js';

export interface ScatterPoint extends PlacedPoint {
  /** Of `ScatterChart.groups`. */
  readonly group: number;
  /** Stands beside the point, which gets a ring; null = without both. */
  readonly label: string | null;
}

/** Points that look alike. */
export interface ScatterGroup {
  readonly name: string;
  readonly colour: string;
  readonly shape: 'disc' | 'ring';
}

export interface ScatterChart {
  readonly x: AxisSpec;
  readonly y: AxisSpec;
  readonly groups: readonly ScatterGroup[];
  readonly points: readonly ScatterPoint[];
  readonly marks: readonly Mark[];
}

/** Replaces what is in `host`. */
export function scatterChart(host: HTMLElement, { x, y, groups, points, marks }: ScatterChart): void {
  const isUsed = groups.map((_, index) => points.some(({ group }) => group === index));
  freePlot(host, {
    ...{ x, y, points, marks },
    reach: {
      xs: [...points.map((point) => point.x), ...markValues(marks, 'x')],
      ys: [...points.map((point) => point.y), ...markValues(marks, 'y')],
    },
    legend: groups.filter((_, index) => isUsed[index]).map(groupLabel),
    draw: (self) => drawPoints(self, groups, points),
  });
}

function groupLabel({ name, colour: property, shape }: ScatterGroup): HTMLElement {
  return element('span', { class: 'legend-mark' }, pointSwatch(property, shape), name);
}

/** Those with a label last: over the others. */
function drawPoints(self: uPlot, groups: readonly ScatterGroup[], points: readonly ScatterPoint[]): void {
  const ordered = [...points.filter(({ label }) => label === null), ...points.filter(({ label }) => label !== null)];
  for (const { x, y, group, label } of ordered) {
    const { colour: property, shape } = groups[group]!;
    const place = { left: self.valToPos(x, 'x', true), top: self.valToPos(y, 'y', true) };
    const [own, card] = [colour(property), colour('--card')];
    if (label !== null) drawDot(self, { ...place, radius: 8.5, fill: card, stroke: colour('--ink') });
    drawDot(self, { ...place, radius: 3.8, fill: shape === 'disc' ? own : card, stroke: own });
    if (label !== null) drawLabel(self, label, place.left, place.top);
  }
}

/** In pixels of the canvas; at the side that has room. */
function drawLabel({ ctx, bbox }: uPlot, label: string, left: number, top: number): void {
  const isLeft = left > bbox.left + 0.8 * bbox.width;
  const gap = (isLeft ? -13 : 13) * devicePixelRatio;
  ctx.fillStyle = colour('--ink');
  ctx.textAlign = isLeft ? 'right' : 'left';
  ctx.fillText(label, left + gap, top + 4 * devicePixelRatio);
}
