import { asServerError } from '../types/errors.js';
import { runCheck, type Terminal } from './check-command.js';
import type { ToolCommand } from './command-line.js';
import { runConfig } from './config-command.js';
import { runConvert } from './convert-command.js';
import { runInit } from './init-command.js';
import { USAGE_EXIT_CODE } from './printed.js';

/** Runs a command. Resolves with the exit code: 2 = it could not do what it was asked for, and said why. */
export async function runTool(command: ToolCommand, terminal: Terminal): Promise<number> {
  try {
    switch (command.kind) {
      case 'check':
        return await runCheck(command.options, terminal);
      case 'config':
        return await runConfig(command.options, terminal);
      case 'convert':
        return await runConvert(command.options, terminal);
      case 'init':
        return await runInit(command.options, terminal);
    }
  } catch (error) {
    terminal.error(`conch ${command.kind}: ${asServerError(error).message}\n`);
    return USAGE_EXIT_CODE;
  }
}
