#!/usr/bin/env node
import koffi from 'koffi';
import { createLog, type ServerLog } from './base/log.js';
import type { Terminal } from './check/check-command.js';
import { type LoadCommand, packageVersion, parseCommandLine } from './cli.js';
import { Conch } from './conch.js';
import type { Options } from './config/options.js';
import { exampleCall, statusTable } from './status-table.js';
import { asServerError } from './types/errors.js';

let isStopping = false;

await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<void> {
  const command = parseCommandLine(argv);
  if (command.kind !== 'serve') for (const stream of [process.stdout, process.stderr]) stream.on('error', outlive);
  if (command.kind === 'print') {
    process[command.stream].write(command.text);
    process.exitCode = command.exitCode;
    return;
  }
  if (command.kind === 'load') {
    process.exitCode = await runLoadCommand(command.name, command.argv);
    return;
  }
  if (command.kind !== 'serve') {
    const { runTool } = await import('./check/run.js');
    process.exitCode = await runTool(command, terminal());
    return;
  }
  const log = openLog(command.options);
  for (const note of command.notes) log.warning(note);
  await serve(command.options, log);
}

/** A server has no use for the load test: it is loaded only where it is asked for. */
async function runLoadCommand(name: LoadCommand, argv: readonly string[]): Promise<number> {
  if (name === 'bench') return (await import('../bench/load/bench-command.js')).runBench(argv, terminal());
  return (await import('../bench/tune/tune-command.js')).runTune(argv, terminal());
}

/** Whoever reads may have seen enough (`| head`): what is written to files is still written. */
function outlive(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

/** Colours are for people: not in files and pipes, nor where NO_COLOR is set (no-color.org). */
function terminal(): Terminal {
  return {
    out: (text) => void process.stdout.write(text),
    error: (text) => void process.stderr.write(text),
    workingDirectory: process.cwd(),
    colors: process.stdout.isTTY === true && !process.env.NO_COLOR,
  };
}

function openLog(options: Options): ServerLog {
  return createLog({
    verbose: options.logVerbose,
    info: options.logInfo,
    warning: options.logWarning,
    error: options.logError,
    format: options.logFormat,
    file: options.logFile,
  });
}

async function serve(options: Options, log: ServerLog): Promise<void> {
  const conch = new Conch(options, packageVersion(), log);
  // Before anything else: as the first process of a container we are sent signals that nobody else handles.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void shutDown(conch, log));
  try {
    await conch.start();
  } catch (error) {
    if (isStopping) return;
    log.error(`creating server: ${asServerError(error)}`);
    process.exit(1);
  }
  if (isStopping) return;
  if (options.allowHttp && options.logInfo && options.logFile === '') greet(conch, options);
}

function greet(conch: Conch, options: Options): void {
  const host = options.httpAddress.includes(':') ? `[${options.httpAddress}]` : options.httpAddress;
  const url = `http://${host}:${conch.httpPort}`;
  const example = exampleCall(conch.server, url);
  const lines = [statusTable(conch.server), `Ready at ${url}`];
  if (example !== '') lines.push('Try:', example);
  process.stdout.write(`\n${lines.join('\n')}\n\n`);
}

/** Further signals are ignored: the limit is `--exit-timeout-secs`. */
async function shutDown(conch: Conch, log: ServerLog): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  log.info('stopping: requests in flight are finished');
  const inTime = await conch.stop();
  if (inTime) process.exit(0);
  log.error('failed to stop server: Internal - Exit timeout expired. Exiting immediately.');
  exitAtOnce(1);
}

/** `process.exit` waits for worker threads, and one that runs a model may be busy for hours. The log has been written by then. */
function exitAtOnce(code: number): void {
  const libc = koffi.load(process.platform === 'win32' ? 'msvcrt.dll' : null);
  libc.func('void _exit(int code)')(code);
}
