import { element } from './dom.js';

const KEY = 'conch-theme';
const probe = element('span', { hidden: '' });
const colours = new Map<string, string>();
const listeners: (() => void)[] = [];

/** A custom property of the style as a colour that a canvas takes, in the theme of the moment. */
export function colour(property: string): string {
  const known = colours.get(property);
  if (known !== undefined) return known;
  if (!probe.isConnected) document.body.append(probe);
  probe.style.color = `var(${property})`;
  const resolved = getComputedStyle(probe).color;
  colours.set(property, resolved);
  return resolved;
}

/** `redraw` is called whenever colours are others than before. */
export function onThemeChange(redraw: () => void): void {
  listeners.push(redraw);
}

/** Dark or light as the system has it until the reader chooses; the choice is kept where the browser lets a file keep one. */
export function themeToggle(): HTMLElement {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => (chosen() ?? (system.matches ? 'dark' : 'light')) === 'dark';
  const toggle = element('button', { type: 'button', class: 'theme-toggle', id: 'theme' });
  const show = () => {
    document.documentElement.style.colorScheme = chosen() ?? 'light dark';
    toggle.textContent = isDark() ? 'Light theme' : 'Dark theme';
    colours.clear();
    for (const listener of listeners) listener();
  };
  toggle.addEventListener('click', () => {
    choose(isDark() ? 'light' : 'dark');
    show();
  });
  system.addEventListener('change', show);
  show();
  return toggle;
}

let ofThisVisit: string | null = null;

function chosen(): string | null {
  if (ofThisVisit !== null) return ofThisVisit;
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function choose(theme: string): void {
  ofThisVisit = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Without storage the choice is that of this visit.
  }
}
