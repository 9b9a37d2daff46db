import type { Comparison, LoadPoint, PageLatency, PageReport } from './bench-data.js';
import { element, swatch, table } from './dom.js';
import { bytesText, durationText, numberText, percentText } from './format.js';
import { factList, measured } from './numbers.js';
import { seriesColour } from './over-load.js';
import { card, emptyNote } from './shell.js';

interface Column {
  readonly name: string;
  /** null = there is no such number; a column of nothing else is left out. */
  readonly text: (point: LoadPoint) => string | null;
}

/** A row for each load. */
export function numbers(grid: HTMLElement, reports: readonly PageReport[], percentiles: readonly string[]): void {
  for (const [index, { label, points }] of reports.entries()) {
    const columns = allColumns(percentiles).filter(({ text }) => points.some((point) => text(point) !== null));
    const rows = points.map((point) => [loadName(point), ...columns.map(({ text }) => text(point))]);
    const content = card(grid, label, '', 'wide');
    if (reports.length > 1) markCard(content, index);
    content.append(table(['Load', ...columns.map(({ name }) => name)], rows));
  }
}

/** With the colour that the report has in charts. */
function markCard(content: HTMLElement, report: number): void {
  content.parentElement!.querySelector('h3')!.prepend(swatch(seriesColour(report)));
}

function loadName({ name, isStable }: LoadPoint): HTMLElement {
  return element(
    'span',
    {},
    name,
    isStable ? null : element('span', { class: 'badge', title: 'The windows did not agree.' }, 'not stable'),
  );
}

function allColumns(percentiles: readonly string[]): Column[] {
  const latency = (name: string, value: (of: PageLatency) => number | undefined): Column => ({
    name,
    text: ({ latency: of }) => duration(of, value),
  });
  const positive = (value: number | null, text: (value: number) => string) =>
    value === null || value === 0 ? null : text(value);
  return [
    { name: 'Inferences/s', text: ({ throughput }) => numberText(throughput) },
    {
      name: 'Responses/s',
      text: ({ responsesPerSecond, firstResponse }) => (firstResponse === null ? null : numberText(responsesPerSecond)),
    },
    { name: 'Sequences/s', text: ({ sequencesPerSecond }) => positive(sequencesPerSecond, numberText) },
    latency('Mean', ({ mean }) => mean),
    latency('Deviation', ({ deviation }) => deviation),
    latency('Min', ({ min }) => min),
    ...percentiles.map((percentile) => latency(`p${percentile}`, (of) => of.percentiles[percentile])),
    latency('Max', ({ max }) => max),
    { name: 'First response p50', text: ({ firstResponse }) => duration(firstResponse, (of) => of.percentiles['50']) },
    { name: 'First response p99', text: ({ firstResponse }) => duration(firstResponse, (of) => of.percentiles['99']) },
    {
      name: 'Between responses p50',
      text: ({ betweenResponses }) => duration(betweenResponses, (of) => of.percentiles['50']),
    },
    { name: 'Requests', text: ({ requests }) => numberText(requests) },
    { name: 'Failures', text: (point) => numberText(failureCount(point)) },
    { name: 'Late', text: ({ late }) => (late === null ? null : numberText(late)) },
    { name: 'Seconds', text: ({ seconds }) => numberText(seconds) },
    { name: 'Mean batch', text: ({ meanBatch }) => (meanBatch === null ? null : numberText(meanBatch)) },
    { name: 'Server cores', text: ({ process }) => (process === null ? null : numberText(process.cpuCores)) },
    { name: 'Server memory', text: ({ process }) => (process === null ? null : bytesText(process.memoryBytes)) },
    { name: 'Client CPU/request', text: ({ client }) => positive(client.cpuUs, durationText) },
    { name: 'Client busy', text: ({ client }) => percentText(client.utilization) },
  ];
}

function duration(latency: PageLatency | null, value: (of: PageLatency) => number | undefined): string | null {
  const us = latency === null ? undefined : value(latency);
  return us === undefined ? null : durationText(us);
}

function failureCount({ failures: all }: LoadPoint): number {
  return all.reduce((sum, { count }) => sum + count, 0);
}

export function failures(grid: HTMLElement, reports: readonly PageReport[]): void {
  const isOne = reports.length === 1;
  const rows = reports.flatMap(({ label, points }) =>
    points.flatMap((point) =>
      point.failures.map(({ kind, count, message }) => [
        ...(isOne ? [] : [label]),
        ...[point.name, kind, numberText(count), percentText(count / (point.requests + failureCount(point)))],
        element('code', {}, message),
      ]),
    ),
  );
  const head = [...(isOne ? [] : ['Report']), 'Load', 'Kind', 'Count', 'Share', 'First message'];
  const none = emptyNote('None: every request had a good answer.');
  card(grid, 'Requests without a good answer', '', 'wide').append(
    rows.length === 0 ? none : table(head, rows, 'texts'),
  );
}

export function facts(grid: HTMLElement, reports: readonly PageReport[]): void {
  for (const [index, report] of reports.entries()) {
    const content = card(grid, report.label, '', reports.length > 1 ? 'half' : 'wide');
    if (reports.length > 1) markCard(content, index);
    content.append(factList(report.facts));
  }
}

/** Ratios to the first report: what is better than it is green, what is worse red, and a word says which. */
export function comparison(grid: HTMLElement, { labels, rows, notes }: Comparison): void {
  const head = ['Load', ...labels.flatMap((label) => [`${label}: inferences/s`, `${label}: p50`, `${label}: p99`])];
  const body = rows.map(({ name, cells }) => [
    name,
    ...cells.flatMap((cell, index) =>
      cell === null
        ? [null, null, null]
        : [
            measured(numberText(cell.throughput), index === 0 ? null : cell.throughputRatio, 'more'),
            measured(cell.p50Us === null ? '–' : durationText(cell.p50Us), index === 0 ? null : cell.p50Ratio, 'less'),
            measured(cell.p99Us === null ? '–' : durationText(cell.p99Us), index === 0 ? null : cell.p99Ratio, 'less'),
          ],
    ),
  ]);
  const content = card(
    grid,
    'Load by load',
    `Ratios to ${labels[0]}. More throughput is better, less latency is better.`,
    'wide',
  );
  content.append(table(head, body));
  if (notes.length > 0)
    content.append(element('ul', { class: 'notes' }, ...notes.map((note) => element('li', {}, note))));
}
