import { element } from './dom.js';
import { themeToggle } from './theme.js';

/** What the page was made with. The caller knows its type. */
export function pageData<Data>(): Data {
  return JSON.parse(document.getElementById('data')!.textContent!) as Data;
}

/** Puts the page together; charts measure their place, so sections are added to the page before they are filled. */
export function openPage(program: string, title: string, subtitle: string): HTMLElement {
  const heading = element(
    'div',
    {},
    element('p', { class: 'program' }, program),
    element('h1', {}, title),
    element('p', { class: 'subtitle' }, subtitle),
  );
  const page = document.getElementById('page')!;
  page.append(element('header', { class: 'page-head' }, heading, themeToggle()));
  return page;
}

/** A part of the page with a heading; returns the grid that its cards go into. */
export function section(page: HTMLElement, title: string, ...between: readonly HTMLElement[]): HTMLElement {
  const grid = element('div', { class: 'cards' });
  page.append(element('section', {}, element('h2', {}, title), ...between, grid));
  return grid;
}

/** A box in a grid; `wide` takes the whole row. Returns the place for its content. */
export function card(grid: HTMLElement, title: string, note: string, width: 'half' | 'wide' = 'half'): HTMLElement {
  const content = element('div', { class: 'card-content' });
  const notes = note === '' ? null : element('p', { class: 'note' }, note);
  grid.append(element('article', { class: `card ${width}` }, element('h3', {}, title), notes, content));
  return content;
}

export function tile(label: string, value: string, note: string): HTMLElement {
  return element(
    'div',
    { class: 'tile' },
    element('p', { class: 'tile-label' }, label),
    element('p', { class: 'tile-value' }, value),
    element('p', { class: 'note' }, note),
  );
}

export function emptyNote(text: string): HTMLElement {
  return element('p', { class: 'empty' }, text);
}
