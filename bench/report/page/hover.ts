import { element, swatch } from './dom.js';

export interface HoverRow {
  /** null = without. */
  readonly colour: string | null;
  readonly name: string;
  readonly text: string;
}

/** The box with values beside the cursor, inside of the plot. */
export class Hover {
  readonly #box = element('div', { class: 'hover', hidden: '' });
  readonly #plot: uPlot;

  constructor(plot: uPlot) {
    this.#plot = plot;
    plot.over.append(this.#box);
    plot.over.addEventListener('mouseleave', () => this.hide());
  }

  /** `left` and `top` in CSS pixels of the plotting area. */
  show(head: string, rows: readonly HoverRow[], left: number, top: number): void {
    const lines = rows.map(({ colour, name, text }) =>
      element(
        'div',
        { class: 'hover-row' },
        colour === null ? element('span') : swatch(colour),
        element('span', {}, name),
        element('b', {}, text),
      ),
    );
    this.#box.replaceChildren(element('div', { class: 'hover-head' }, head), ...lines);
    this.#box.hidden = false;
    const { clientWidth, clientHeight } = this.#plot.over;
    const isLeft = left > clientWidth / 2;
    this.#box.style.left = `${isLeft ? Math.max(0, left - this.#box.offsetWidth - 14) : Math.min(left + 14, clientWidth - this.#box.offsetWidth)}px`;
    this.#box.style.top = `${Math.max(0, Math.min(top, clientHeight - this.#box.offsetHeight))}px`;
  }

  hide(): void {
    this.#box.hidden = true;
  }
}
