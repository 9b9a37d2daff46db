import type { LoadReport } from '../report.js';

/** What `--json` writes. */
export function reportText(report: LoadReport): string {
  return `${JSON.stringify(report, null, 1)}\n`;
}
