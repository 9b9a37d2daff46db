import { styleText } from 'node:util';
import Table from 'cli-table3';
import type { LoadReport, LoadResult, ServerShare } from '../report.js';
import { count, inMs, shortNumber } from './format.js';
import { inOrder } from './in-order.js';

/** A column of the table; one that says nothing about any row is left out. */
interface Column {
  readonly head: string;
  /** null = it says nothing about this row. */
  cell(result: LoadResult, report: LoadReport): string | null;
}

export interface TableStyle {
  readonly hasColor: boolean;
}

/** One row for each load. Latencies in milliseconds; of the server the means for each request. */
export function loadTable(report: LoadReport, style: TableStyle): string {
  const columns = columnsOf(report).filter(({ cell }) => report.results.some((row) => cell(row, report) !== null));
  const table = newTable(
    columns.map(({ head }) => head),
    style,
  );
  for (const result of inOrder(report.results)) table.push(columns.map(({ cell }) => cell(result, report) ?? ''));
  return table.toString();
}

/** The models that an ensemble is made of, for each load; '' = there are none. */
export function composingTable(report: LoadReport, style: TableStyle): string {
  if (!report.results.some(({ models }) => models.length > 1 && models[1]!.requests > 0)) return '';
  const table = newTable(
    ['load', 'model', 'infer/s', 'queue\nms', 'input\nms', 'infer\nms', 'output\nms', 'batch'],
    style,
  );
  for (const { name, models, seconds } of inOrder(report.results)) {
    for (const model of models.slice(1)) {
      const times = [model.queueUs, model.computeInputUs, model.computeInferUs, model.computeOutputUs].map(inMs);
      const perSecond = seconds > 0 ? model.inferences / seconds : 0;
      table.push([name, model.model, shortNumber(perSecond), ...times, batchOf(model) ?? '']);
    }
  }
  return table.toString();
}

function newTable(head: string[], { hasColor }: TableStyle) {
  return new Table({
    head: hasColor ? head.map(bold) : head,
    // Colors of the library's own would follow where this process prints, not what was asked for.
    style: { head: [], border: [], compact: true, 'padding-left': 1 },
    colAligns: ['left', ...head.slice(1).map((name) => (name === 'model' ? ('left' as const) : ('right' as const)))],
  });
}

function bold(text: string): string {
  return styleText('bold', text, { validateStream: false });
}

function columnsOf(report: LoadReport): Column[] {
  return [...clientColumns(report), ...serverColumns, ...troubleColumns];
}

function clientColumns(report: LoadReport): Column[] {
  return [
    { head: loadHead(report), cell: ({ name }) => name },
    { head: 'infer/s', cell: ({ throughput }) => shortNumber(throughput) },
    { head: 'answers/s', cell: ({ firstResponse, responsesPerSecond: rate }) => firstResponse && shortNumber(rate) },
    { head: 'seq./s', cell: ({ sequencesPerSecond: rate }) => (rate > 0 ? shortNumber(rate) : null) },
    ...percentilesOf(report).map((percentile) => ({
      head: `p${percentile}\nms`,
      cell: ofRequests(({ latency }) => inMs(latency.percentiles[percentile]!)),
    })),
    { head: 'mean\nms', cell: ofRequests(({ latency }) => inMs(latency.mean)) },
    { head: 'first\nms', cell: ({ firstResponse }) => firstResponse && inMs(firstResponse.mean) },
    { head: 'between\nms', cell: ({ betweenResponses }) => betweenResponses && inMs(betweenResponses.mean) },
    { head: 'send+\nreceive', cell: ofRequests(({ client }) => inMs(client.sendUs + client.receiveUs)) },
  ];
}

const serverColumns: Column[] = [
  { head: 'server\nqueue', cell: ofServer(({ queueUs }) => inMs(queueUs)) },
  { head: 'server\ninput', cell: ofServer(({ computeInputUs }) => inMs(computeInputUs)) },
  { head: 'server\ninfer', cell: ofServer(({ computeInferUs }) => inMs(computeInferUs)) },
  { head: 'server\noutput', cell: ofServer(({ computeOutputUs }) => inMs(computeOutputUs)) },
  { head: 'batch', cell: ofServer(batchOf) },
  { head: 'cache\nhits', cell: ofServer(cacheHits) },
  { head: 'server\ncores', cell: ({ process }) => process && shortNumber(process.cpuCores) },
];

const troubleColumns: Column[] = [
  { head: 'errors', cell: (result) => (failuresOf(result) > 0 ? count(failuresOf(result)) : null) },
  { head: 'late', cell: ({ lateness }) => (lateness === null ? null : count(lateness.late)) },
];

/** Means of nothing are left out. */
function ofRequests(cell: (result: LoadResult) => string) {
  return (result: LoadResult) => (result.requests > 0 ? cell(result) : null);
}

function ofServer(cell: (model: ServerShare) => string | null) {
  return ({ models: [model] }: LoadResult) => (model === undefined || model.requests === 0 ? null : cell(model));
}

/** Inferences in one execution, on average. */
function batchOf({ inferences, executions }: ServerShare): string | null {
  return executions > 0 ? shortNumber(inferences / executions) : null;
}

function cacheHits({ cacheHits: hits, cacheMisses: misses }: ServerShare): string | null {
  return hits + misses > 0 ? `${Math.round((hits * 100) / (hits + misses))} %` : null;
}

export function failuresOf({ failures }: LoadResult): number {
  return failures.reduce((sum, failure) => sum + failure.count, 0);
}

/** Those of everyday use, and the one that was asked for. */
function percentilesOf({ percentile }: LoadReport): string[] {
  const all = new Set(percentile === null ? [50, 90, 95, 99] : [50, 90, 95, 99, percentile]);
  return [...all].sort((a, b) => a - b).map(String);
}

function loadHead({ results }: LoadReport): string {
  return results.every(({ load }) => load.kind === 'closed') ? 'concurrency' : 'load';
}
