import { element } from './dom.js';
import { colour } from './theme.js';

/** A line across a chart, at a value of one of its axes. */
export interface Mark {
  readonly name: string;
  /** A custom property of the style. */
  readonly colour: string;
  readonly axis: 'x' | 'y';
  readonly value: number;
}

export function drawMarks(self: uPlot, marks: readonly Mark[]): void {
  const { ctx, bbox } = self;
  for (const { colour: property, axis, value } of marks) {
    const at = Math.round(self.valToPos(value, axis, true));
    ctx.save();
    ctx.strokeStyle = colour(property);
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.setLineDash([3 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(axis === 'x' ? at : bbox.left, axis === 'x' ? bbox.top : at);
    ctx.lineTo(axis === 'x' ? at : bbox.left + bbox.width, axis === 'x' ? bbox.top + bbox.height : at);
    ctx.stroke();
    ctx.restore();
  }
}

/** Values of marks on an axis, which it has to reach. */
export function markValues(marks: readonly Mark[], axis: Mark['axis']): number[] {
  return marks.filter((mark) => mark.axis === axis).map(({ value }) => value);
}

export function markLabels(marks: readonly Mark[]): HTMLElement[] {
  return marks.map((mark) => element('span', { class: 'legend-mark' }, dashedSwatch(mark.colour), mark.name));
}

export function dashedSwatch(property: string): HTMLElement {
  const made = element('span', { class: 'swatch dashed', 'aria-hidden': 'true' });
  made.style.borderColor = `var(${property})`;
  return made;
}
