import { writeFile } from 'node:fs/promises';
import type { Terminal } from '../../src/check/check-command.js';
import { USAGE_EXIT_CODE } from '../../src/check/printed.js';
import { benchPage } from '../report/bench-page.js';
import { runCompare } from '../report/compare-command.js';
import { type BenchCommand, parseBenchCommand } from './command-line.js';
import { Interrupted } from './measure/run-end.js';
import { csvOf } from './print/csv.js';
import { reportText } from './print/report-file.js';
import { summaryOf } from './print/summary.js';
import { progressOn } from './print/terminal-progress.js';
import type { LoadReport } from './report.js';
import { runLoad } from './run-load.js';
import { partsOf } from './run-parts.js';

/** The load was measured, but not all went well. */
const TROUBLE_EXIT_CODE = 1;
/** As shells have it for SIGINT: ended before anything was measured. */
const INTERRUPTED_EXIT_CODE = 130;

/** `conch bench`; `argv` is what follows. Resolves with the exit code. */
export async function runBench(argv: readonly string[], terminal: Terminal): Promise<number> {
  const command = parseBenchCommand(argv);
  if (command.kind === 'print') {
    (command.stream === 'stdout' ? terminal.out : terminal.error)(command.text);
    return command.exitCode;
  }
  try {
    if (command.kind === 'bench') return await measure(command, argv, terminal);
    terminal.out(await runCompare({ ...command, colors: terminal.colors }));
    return 0;
  } catch (error) {
    if (error instanceof Interrupted) {
      terminal.error('conch bench: interrupted, nothing was measured\n');
      return INTERRUPTED_EXIT_CODE;
    }
    terminal.error(`conch bench: ${(error as Error).message}\n`);
    return USAGE_EXIT_CODE;
  }
}

async function measure(
  { options, outputs, notes }: Extract<BenchCommand, { kind: 'bench' }>,
  argv: readonly string[],
  terminal: Terminal,
): Promise<number> {
  for (const note of notes) terminal.error(`conch bench: ${note}\n`);
  const interrupt = new Interrupt();
  const progress = progressOn(process.stderr, { isQuiet: outputs.isQuiet, isCi: Boolean(process.env.CI) });
  const command = ['conch', 'bench', ...argv].join(' ');
  const {
    report,
    trouble,
    notes: late,
  } = await runLoad(options, partsOf(options), {
    signal: interrupt.signal,
    progress,
    command,
  }).finally(() => interrupt.close());
  const hasColor = outputs.color === 'always' || (outputs.color === 'auto' && terminal.colors);
  if (!outputs.isQuiet) terminal.out(summaryOf(report, { hasColor }));
  await writeFiles(report, outputs);
  for (const said of trouble === null ? late : [...late, trouble]) terminal.error(`conch bench: ${said}\n`);
  if (report.results.length === 0) return INTERRUPTED_EXIT_CODE;
  const hasFailures = report.results.some(({ failures }) => failures.length > 0);
  return trouble !== null || hasFailures ? TROUBLE_EXIT_CODE : 0;
}

/** Ctrl-C: the first ends the run, which reports what it has; the second ends the process at once. */
class Interrupt {
  readonly #controller = new AbortController();
  readonly signal = this.#controller.signal;

  constructor() {
    process.on('SIGINT', this.#onSignal);
  }

  close(): void {
    process.off('SIGINT', this.#onSignal);
  }

  readonly #onSignal = (): void => {
    // Whoever listens to `exit` removes what would be left behind: shared memory has a name.
    if (this.signal.aborted) process.exit(INTERRUPTED_EXIT_CODE);
    this.#controller.abort();
  };
}

async function writeFiles(
  report: LoadReport,
  { csv, isCsvVerbose, json, html }: Extract<BenchCommand, { kind: 'bench' }>['outputs'],
): Promise<void> {
  if (csv !== null) await writeFile(csv, csvOf(report, isCsvVerbose));
  if (json !== null) await writeFile(json, reportText(report));
  if (html !== null) await writeFile(html, benchPage([report]));
}
