import type { Terminal } from '../../src/check/check-command.js';
import { USAGE_EXIT_CODE } from '../../src/check/printed.js';
import { benchPage } from '../report/bench-page.js';
import { runCompare } from '../report/compare-command.js';
import { type BenchCommand, parseBenchCommand } from './command-line.js';
import { Interrupt } from './interrupt.js';
import { Interrupted } from './measure/run-end.js';
import { csvOf } from './print/csv.js';
import { checkOutputFiles, writeOutputFiles } from './print/output-files.js';
import { reportText } from './print/report-file.js';
import { summaryOf } from './print/summary.js';
import { progressOn } from './print/terminal-progress.js';
import type { LoadReport } from './report.js';
import { runLoad } from './run-load.js';
import { partsOf } from './run-parts.js';

/** The load was measured, but not all went well. */
const TROUBLE_EXIT_CODE = 1;

/** `conch bench`; `argv` is what follows. Resolves with the exit code. */
export async function runBench(argv: readonly string[], terminal: Terminal): Promise<number> {
  const command = parseBenchCommand(argv);
  if (command.kind === 'print') {
    (command.stream === 'stdout' ? terminal.out : terminal.error)(command.text);
    return command.exitCode;
  }
  const interrupt = new Interrupt();
  try {
    if (command.kind === 'bench') return await measure(command, argv, terminal, interrupt);
    terminal.out(await runCompare({ ...command, colors: terminal.colors }));
    return 0;
  } catch (error) {
    if (error instanceof Interrupted) {
      terminal.error('conch bench: interrupted, nothing was measured\n');
      return interrupt.exit();
    }
    terminal.error(`conch bench: ${(error as Error).message}\n`);
    return USAGE_EXIT_CODE;
  } finally {
    interrupt.close();
  }
}

async function measure(
  { options, outputs, notes }: Extract<BenchCommand, { kind: 'bench' }>,
  argv: readonly string[],
  terminal: Terminal,
  interrupt: Interrupt,
): Promise<number> {
  const { csv, json, html } = outputs;
  await checkOutputFiles({ '--csv': csv, '--json': json, '--html': html });
  for (const note of notes) terminal.error(`conch bench: ${note}\n`);
  const progress = progressOn(process.stderr, { isQuiet: outputs.isQuiet, isCi: Boolean(process.env.CI) });
  const command = ['conch', 'bench', ...argv].join(' ');
  const run = await runLoad(options, partsOf(options), { signal: interrupt.signal, progress, command });
  const { report, trouble } = run;
  const hasColor = outputs.color === 'always' || (outputs.color === 'auto' && terminal.colors);
  if (!outputs.isQuiet) terminal.out(summaryOf(report, { hasColor }));
  const unwritten = await writeFiles(report, outputs);
  const troubles = [...(trouble === null ? [] : [trouble]), ...unwritten];
  for (const said of [...run.notes, ...troubles]) terminal.error(`conch bench: ${said}\n`);
  if (report.results.length === 0) return interrupt.exitCode;
  const hasFailures = report.results.some(({ failures }) => failures.length > 0);
  return troubles.length > 0 || hasFailures ? TROUBLE_EXIT_CODE : 0;
}

function writeFiles(
  report: LoadReport,
  { csv, isCsvVerbose, json, html }: Extract<BenchCommand, { kind: 'bench' }>['outputs'],
): Promise<string[]> {
  return writeOutputFiles([
    ['--csv', csv, () => csvOf(report, isCsvVerbose)],
    ['--json', json, () => reportText(report)],
    ['--html', html, () => benchPage([report])],
  ]);
}
