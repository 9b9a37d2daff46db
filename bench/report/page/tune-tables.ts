import { element, table } from './dom.js';
import { bytesText, durationText, numberText } from './format.js';
import { measured } from './numbers.js';
import { emptyNote } from './shell.js';
import type { PageConfiguration, PageDiff, TunePageData } from './tune-data.js';

/** The best configurations, with their ratios to the present one; what differs from that stands out. */
export function configurationTable(host: HTMLElement, data: TunePageData): void {
  const { configurations, dimensions, latencyName } = data;
  const present = configurations.find(({ isPresent }) => isPresent)!;
  const hasMemory = configurations.some(({ memoryBytes }) => memoryBytes > 0);
  const head = [
    'Configuration',
    ...dimensions.map(({ name }) => name),
    'Inferences/s',
    latencyName,
    ...(hasMemory ? ['Memory'] : []),
  ];
  const rows = configurations.map((configuration) => [
    rowName(configuration),
    ...configuration.values.map((value, index) => valueCell(value, present.values[index]!)),
    ...numberCells(configuration, present, hasMemory),
  ]);
  host.append(table(head, rows));
}

function rowName({ rank, isPresent, isConfirmed, isStable, isWithin, latencyUs }: PageConfiguration): HTMLElement {
  const badge = (text: string, title: string) => element('span', { class: 'badge', title }, text);
  return element(
    'span',
    {},
    rank === null ? 'now' : isPresent ? `${rank}, now` : String(rank),
    latencyUs === null ? badge('failed', 'Requests had no good answer, or the server did not start.') : null,
    latencyUs !== null && !isWithin ? badge('beyond the limits', 'It keeps not all of the limits.') : null,
    isConfirmed || latencyUs === null ? null : badge('one look', 'The search ended before it was measured again.'),
    isStable ? null : badge('not stable', 'The windows did not agree.'),
  );
}

function valueCell(value: string, present: string): HTMLElement {
  return value === present
    ? element('span', { class: 'present' }, value)
    : element('b', { class: 'changed', title: `now ${present}` }, value);
}

function numberCells(
  configuration: PageConfiguration,
  present: PageConfiguration,
  hasMemory: boolean,
): (HTMLElement | null)[] {
  const { throughput, latencyUs, memoryBytes, isPresent } = configuration;
  if (latencyUs === null) return [null, null, ...(hasMemory ? [null] : [])];
  const ratio = (value: number, to: number | null) => (isPresent || !to ? null : value / to);
  const hasFailed = present.latencyUs === null;
  return [
    measured(numberText(throughput), hasFailed ? null : ratio(throughput, present.throughput), 'more'),
    measured(durationText(latencyUs), ratio(latencyUs, present.latencyUs), 'less'),
    ...(hasMemory
      ? [memoryBytes > 0 ? measured(bytesText(memoryBytes), ratio(memoryBytes, present.memoryBytes), 'less') : null]
      : []),
  ];
}

const signs: Readonly<Record<PageDiff['lines'][number]['kind'], string>> = {
  same: '',
  added: '+',
  removed: '−',
  gap: '',
};

/** What has to be changed in the file for the best. */
export function diffView(host: HTMLElement, { diff, configurations }: TunePageData): void {
  if (diff === null) {
    const isFound = configurations.some(({ rank }) => rank !== null);
    const text = isFound
      ? 'Nothing is to be changed: what the model has now is the best that was found.'
      : 'Nothing is proposed: nothing that was tried is within the limits.';
    host.append(emptyNote(text));
    return;
  }
  const lines = diff.lines.map(({ kind, text }) =>
    element(
      'div',
      { class: kind },
      element('span', { class: 'sign' }, signs[kind]),
      element('code', {}, kind === 'gap' ? '⋯' : text),
    ),
  );
  host.append(element('div', { class: 'diff', tabindex: '0' }, ...lines));
}
