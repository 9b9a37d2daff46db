type Child = Node | string | null;

/** An element with class names, attributes and children; text is set as text. null children are left out. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** A piece of colour before a name; `colour` is a custom property of the style. */
export function swatch(colour: string): HTMLElement {
  const made = element('span', { class: 'swatch', 'aria-hidden': 'true' });
  made.style.background = `var(${colour})`;
  return made;
}

/** As `swatch`, of points. */
export function pointSwatch(colour: string, shape: 'disc' | 'ring'): HTMLElement {
  const made = element('span', { class: `swatch ${shape}`, 'aria-hidden': 'true' });
  made.style.color = `var(${colour})`;
  return made;
}

/** Buttons of which one is pressed; calls `choose` with its index when that changes. */
export function choice(
  label: string,
  names: readonly string[],
  chosen: number,
  choose: (index: number) => void,
): HTMLElement {
  const buttons = names.map((name) => element('button', { type: 'button' }, name));
  const press = (pressed: number) => {
    for (const [index, button] of buttons.entries()) button.setAttribute('aria-pressed', String(index === pressed));
  };
  for (const [index, button] of buttons.entries()) {
    button.addEventListener('click', () => {
      press(index);
      choose(index);
    });
  }
  press(chosen);
  return element(
    'div',
    { class: 'choice', role: 'group', 'aria-label': label },
    element('span', { class: 'choice-label' }, label),
    ...buttons,
  );
}

/**
 * A table whose first column is a heading; cells are right-aligned where they are numbers. The box around it scrolls sideways where it is
 * too wide.
 */
export function table(
  head: readonly string[],
  rows: readonly (readonly Child[])[],
  cells: 'numbers' | 'texts' = 'numbers',
): HTMLElement {
  const headings = head.map((name) => element('th', { scope: 'col' }, name));
  const body = rows.map(([first, ...rest]) =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, first ?? ''),
      ...rest.map((child) => element('td', {}, child ?? '–')),
    ),
  );
  const made = element(
    'table',
    { class: cells },
    element('thead', {}, element('tr', {}, ...headings)),
    element('tbody', {}, ...body),
  );
  return element('div', { class: 'table-box', tabindex: '0' }, made);
}
