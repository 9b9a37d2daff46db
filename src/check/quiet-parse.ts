import { type Command, CommanderError } from 'commander';
import { ServerError } from '../types/errors.js';
import { type Printed, USAGE_EXIT_CODE } from './printed.js';

/**
 * Parses a command line with commander, printing nothing: null = an action has taken it, else what is to be printed instead. Errors end with
 * the hint where help is. Throws what actions throw, but for errors of the user's.
 */
export function parseQuietly(program: Command, argv: readonly string[], hint: string): Printed | null {
  let printed = '';
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({
      writeOut: (text) => {
        printed += text;
      },
      writeErr: () => {},
      getOutHelpWidth: () => 100,
      getOutHasColors: () => false,
    });
  }
  try {
    program.parse(argv, { from: 'user' });
    return null;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) {
      return { kind: 'print', text: printed, stream: 'stdout', exitCode: 0 };
    }
    if (!(error instanceof CommanderError || error instanceof ServerError)) throw error;
    return { kind: 'print', text: `${error.message}\n${hint}\n`, stream: 'stderr', exitCode: USAGE_EXIT_CODE };
  }
}
