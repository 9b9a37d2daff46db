import type { Terminal } from '../../src/check/check-command.js';
import { USAGE_EXIT_CODE } from '../../src/check/printed.js';
import { Interrupt } from '../load/interrupt.js';
import { Interrupted } from '../load/measure/run-end.js';
import { checkOutputFiles, writeOutputFiles } from '../load/print/output-files.js';
import { parseTuneCommand, type TuneCommand } from './command-line.js';
import { trialLine, tuneSummary } from './print.js';
import { type TuneReport, tune } from './tune.js';
import { tunePage } from './tune-page.js';

const NOTHING_FOUND_EXIT_CODE = 1;

/** `conch tune`; `argv` is what follows. Resolves with the exit code. */
export async function runTune(argv: readonly string[], terminal: Terminal): Promise<number> {
  const command = parseTuneCommand(argv);
  if (command.kind === 'print') {
    (command.stream === 'stdout' ? terminal.out : terminal.error)(command.text);
    return command.exitCode;
  }
  const interrupt = new Interrupt();
  try {
    const { json, html, config } = command.outputs;
    await checkOutputFiles({ '--json': json, '--html': html, '--config': config });
    const report = await search(command, argv, terminal, interrupt.signal);
    terminal.out(tuneSummary(report, terminal.colors));
    await writeFiles(report, command);
    return report.best.length > 0 ? 0 : NOTHING_FOUND_EXIT_CODE;
  } catch (error) {
    if (error instanceof Interrupted) {
      terminal.error('conch tune: interrupted, nothing was measured\n');
      return interrupt.exitCode;
    }
    terminal.error(`conch tune: ${(error as Error).message}\n`);
    return USAGE_EXIT_CODE;
  } finally {
    interrupt.close();
  }
}

function search(
  { options, outputs }: TuneCommand,
  argv: readonly string[],
  terminal: Terminal,
  signal: AbortSignal,
): Promise<TuneReport> {
  return tune(options, {
    signal,
    command: ['conch', 'tune', ...argv].join(' '),
    onTrial: (trial, count, stage) => {
      if (!outputs.isQuiet) terminal.error(trialLine(trial, count, stage));
    },
  });
}

/** Throws an error that says which could not be written; the others are. */
async function writeFiles(report: TuneReport, { outputs }: TuneCommand): Promise<void> {
  const failures = await writeOutputFiles([
    ['--json', outputs.json, () => `${JSON.stringify(report, null, 1)}\n`],
    ['--html', outputs.html, () => tunePage(report)],
    ['--config', outputs.config, () => report.configAfter],
  ]);
  if (failures.length > 0) throw new Error(failures.join('\n'));
}
