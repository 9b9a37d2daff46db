import { element } from './dom.js';
import { ratioText } from './format.js';

/** Smaller differences are the noise of any measurement. */
const NOTEWORTHY = 0.03;

/** A number with its ratio to another one, in the colour of what that means; null = without a ratio. */
export function measured(text: string, ratio: number | null, better: 'more' | 'less'): HTMLElement {
  if (ratio === null) return element('span', {}, text);
  const gain = better === 'more' ? ratio - 1 : 1 - ratio;
  const verdict = Math.abs(gain) < NOTEWORTHY ? 'same' : gain > 0 ? 'better' : 'worse';
  return element('span', {}, text, ' ', element('b', { class: `ratio ${verdict}`, title: verdict }, ratioText(ratio)));
}

export function factList(facts: readonly (readonly [name: string, value: string])[]): HTMLElement {
  const pairs = facts.flatMap(([name, value]) => {
    const shown = name === 'Command' ? element('code', {}, value) : value;
    return [element('dt', {}, name), element('dd', {}, shown)];
  });
  return element('dl', {}, ...pairs);
}
