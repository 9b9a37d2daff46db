import type { LoadReport } from '../report.js';
import { remarksOf } from './remarks.js';
import { composingTable, loadTable, type TableStyle } from './table.js';

/** What the terminal shows at the end: what was measured, the table, and what to know about it. */
export function summaryOf(report: LoadReport, style: TableStyle): string {
  const { server, model, batchSize } = report;
  const place = `${server.protocol} ${shownUrl(server.url)}`.trim();
  const title = `${model.name} (version ${model.version}) on ${server.name} ${server.version}, ${place}, batch size ${batchSize}`;
  if (report.results.length === 0) return `${title}\nNothing was measured.\n`;
  const tables = [loadTable(report, style), composingTable(report, style)].filter((table) => table !== '');
  const remarks = remarksOf(report);
  return `${[title, ...tables, ...(remarks.length === 0 ? [] : [remarks.join('\n')])].join('\n')}\n`;
}

/** The protocol is named anyway: of a scheme only what says that it is secure. */
function shownUrl(url: string): string {
  return url.replace(/^(http|ws|grpc):\/\//i, '').replace(/\/$/, '');
}
