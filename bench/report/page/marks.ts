import { element } from './dom.js';
import { colour } from './theme.js';

/** A horizontal line across a chart. */
export interface Mark {
  readonly name: string;
  /** A custom property of the style. */
  readonly colour: string;
  readonly value: number;
}

export function drawMarks(self: uPlot, marks: readonly Mark[]): void {
  const { ctx, bbox } = self;
  for (const { colour: property, value } of marks) {
    const top = Math.round(self.valToPos(value, 'y', true));
    ctx.save();
    ctx.strokeStyle = colour(property);
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.setLineDash([3 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, top);
    ctx.lineTo(bbox.left + bbox.width, top);
    ctx.stroke();
    ctx.restore();
  }
}

export function markLabels(marks: readonly Mark[]): HTMLElement[] {
  return marks.map((mark) => element('span', { class: 'legend-mark' }, dashedSwatch(mark.colour), mark.name));
}

export function dashedSwatch(property: string): HTMLElement {
  const made = element('span', { class: 'swatch dashed', 'aria-hidden': 'true' });
  made.style.borderColor = `var(${property})`;
  return made;
}
