import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import { assert } from './base/assert.js';
import { isToolCommand, parseToolCommand, type ToolCommand, toolCommands } from './check/command-line.js';
import { buildOptions } from './config/build-options.js';
import type { Flag } from './config/flag.js';
import { spellOut } from './config/flag-names.js';
import { flags } from './config/option-table.js';
import type { Options } from './config/options.js';
import { ServerError } from './types/errors.js';

/** What a command line asks for. `notes` belong in the log: flags without effect, deprecated ones. */
export type CommandLine =
  | { readonly kind: 'serve'; readonly options: Options; readonly notes: readonly string[] }
  | ToolCommand
  /** A command of the load test, which reads its own line. */
  | { readonly kind: 'load'; readonly name: LoadCommand; readonly argv: readonly string[] }
  | { readonly kind: 'print'; readonly text: string; readonly stream: 'stdout' | 'stderr'; readonly exitCode: number };

/** First words of a command line that belong to the load test, with what help says of them. */
const loadCommands = {
  bench: 'measures throughput and latency of a model, on any server of the protocol',
  tune: 'looks for the configuration of a model with which it does best here',
} as const;
export type LoadCommand = keyof typeof loadCommands;

/** `argv` without the program's name. Pure: nothing is printed, the process goes on, the environment is not read. */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const [name, ...rest] = argv;
  if (isToolCommand(name)) return parseToolCommand(argv);
  if (name === 'bench' || name === 'tune') return { kind: 'load', name, argv: rest };
  const program = new Program();
  try {
    return program.parse(argv);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) {
      return { kind: 'print', text: program.printed, stream: 'stdout', exitCode: 0 };
    }
    if (error instanceof CommanderError || error instanceof ServerError) return usageError(error.message);
    throw error;
  }
}

/** The error comes last: scripts and people look at the last line. */
function usageError(message: string): CommandLine {
  const text = `Usage: conch [serve] [FLAGS] [DIR...]\nconch --help lists the flags.\n\n${message}\n`;
  return { kind: 'print', text, stream: 'stderr', exitCode: 1 };
}

/** The version in package.json, which lies beside `src` or above `dist/src`. */
export function packageVersion(): string {
  for (const path of ['../package.json', '../../package.json']) {
    const text = readText(new URL(path, import.meta.url));
    if (text !== null) return (JSON.parse(text) as { version: string }).version;
  }
  throw new Error('package.json is missing: the installation is damaged');
}

function readText(file: URL): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

/** Commander's view of the table. It sees full names only, each joined to its value (`spellOut`). */
class Program {
  /** Help or version. */
  printed = '';
  #result: CommandLine | null = null;

  parse(argv: readonly string[]): CommandLine {
    const { words, flags: spelled, rest } = spellOut(argv, flags);
    const program = new Command('conch').helpOption(false).helpCommand(false).exitOverride();
    program.configureOutput({
      writeOut: (text) => {
        this.printed += text;
      },
      writeErr: () => {},
      getOutHelpWidth: () => 100,
      getOutHasColors: () => false,
    });
    this.#addServe(program);
    program.parse([...words, ...spelled, '--', ...rest], { from: 'user' });
    assert(this.#result !== null, 'a command line without a result');
    return this.#result;
  }

  #addServe(program: Command): void {
    const serve = program.command('serve [DIR...]', { isDefault: true });
    serve
      .usage('[FLAGS] [DIR...]')
      .description('Serves the models in the folders DIR over the protocol of NVIDIA Triton.');
    serve.configureHelp({
      formatItem: (term, _width, description, help) => `  ${term}\n${indented(help.boxWrap(description, 92))}`,
    });
    for (const flag of flags) addFlag(serve, flag);
    serve.addHelpText('after', otherCommands);
    program.command('help').action(() => serve.help());
    serve.action((folders: string[], given: Record<string, string[]>) => {
      this.#result = { kind: 'serve', ...buildOptions(byName(given), folders) };
    });
  }
}

function otherCommands(): string {
  const lines = Object.entries({ ...toolCommands, ...loadCommands }).map(
    ([name, what]) => `  conch ${name.padEnd(8)}${what}`,
  );
  return `\nOther commands (conch COMMAND --help; a folder of such a name is served by conch serve DIR):\n${lines.join('\n')}`;
}

function addFlag(command: Command, flag: Flag): void {
  const option = optionOf(flag);
  if (flag.name === 'help') command.addHelpOption(option);
  else if (flag.name === 'version')
    command.optionsGroup(`${flag.group}:`).version(packageVersion(), '--version', flag.help);
  else command.addOption(option);
}

/** Keeps every text given, for `buildOptions` to read. */
function optionOf(flag: Flag): Option {
  const name = `--${flag.name}`;
  if (flag.type === 'bare') return new Option(name, helpText(flag)).helpGroup(`${flag.group}:`);
  const option = new Option(`${name} <value>`, helpText(flag)).helpGroup(`${flag.group}:`);
  // Shown in help only: commander would read brackets and commas of a placeholder as its own.
  option.flags = `${name} <${flag.placeholder}>`;
  return option.argParser((text: string, before: string[] | undefined) => [...(before ?? []), text]);
}

function helpText(flag: Flag): string {
  const parts = [flag.help];
  if (flag.repeatable) parts.push('May be given several times.');
  if (flag.aliases.length > 0) parts.push(`Also --${flag.aliases.join(', --')}.`);
  if (flag.deprecated) parts.push('Deprecated.');
  if (flag.effect.kind !== 'works') {
    parts.push(`No effect${flag.effect.kind === 'later' ? ' yet' : ''}: ${flag.effect.reason}.`);
  }
  if (flag.type !== 'bare' && flag.defaultValue !== '') parts.push(`(default: ${flag.defaultValue})`);
  return parts.join(' ');
}

function indented(text: string): string {
  return text.replace(/^/gm, '      ');
}

function byName(given: Record<string, unknown>): Map<string, string[]> {
  const result = new Map<string, string[]>();
  for (const flag of flags) {
    const texts = given[optionOf(flag).attributeName()];
    if (texts !== undefined) result.set(flag.name, Array.isArray(texts) ? texts : ['']);
  }
  return result;
}
