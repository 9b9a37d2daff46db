import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { benchPage } from './bench-page.js';
import { compareReports } from './comparison.js';
import { comparisonTable } from './comparison-table.js';
import { ReportError, readReport } from './read-report.js';

export interface CompareOptions {
  /** Written by `conch bench --json`; the first is the base. */
  readonly files: readonly string[];
  /** Where the page goes; null = no page. */
  readonly html: string | null;
  readonly colors: boolean;
}

/** `conch bench compare`: resolves with what the terminal shows. Throws ReportError. */
export async function runCompare({ files, html, colors }: CompareOptions): Promise<string> {
  if (files.length < 2) {
    throw new ReportError(`two or more reports are expected, found ${files.length}: conch bench compare a.json b.json`);
  }
  if (html !== null && files.some((file) => resolve(file) === resolve(html))) {
    throw new ReportError(`--html ${html} is one of the reports: the page would replace it`);
  }
  const reports = await Promise.all(files.map(readReport));
  const text = comparisonTable(compareReports(reports), { colors });
  if (html === null) return text;
  const page = benchPage(reports);
  try {
    await writeFile(html, page);
  } catch (error) {
    throw new ReportError(`--html ${html} cannot be written: ${(error as Error).message}`);
  }
  return text;
}
