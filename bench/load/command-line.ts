import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { assert } from '../../src/base/assert.js';
import type { Printed } from '../../src/check/printed.js';
import { parseQuietly } from '../../src/check/quiet-parse.js';
import { buildOptions } from './command-line/build-options.js';
import { addFlags } from './command-line/flags.js';
import type { Given } from './command-line/given.js';
import { notesOf } from './command-line/notes.js';
import { refuse } from './command-line/refusals.js';
import type { LoadOptions } from './options.js';

/** Where results go, besides the terminal. */
export interface Outputs {
  /** Files; null = none. */
  readonly csv: string | null;
  readonly isCsvVerbose: boolean;
  readonly json: string | null;
  readonly html: string | null;
  readonly isQuiet: boolean;
  readonly color: 'auto' | 'always' | 'never';
}

export type BenchCommand =
  /** `notes`: flags that are accepted and have no effect, for stderr. */
  | {
      readonly kind: 'bench';
      readonly options: LoadOptions;
      readonly outputs: Outputs;
      readonly notes: readonly string[];
    }
  /** Two reports or more; the first is what others are compared with. */
  | { readonly kind: 'compare'; readonly files: readonly string[]; readonly html: string | null };

/** Before the flags, as most people look for these. */
const examples = `Measures the throughput and latency of a model, on Conch, Triton or any other server of the V2 protocol.

Examples:
  conch bench -m simple
      one request in flight over HTTP, at localhost:8000, until the figures are stable
  conch bench -m simple -i grpc -u myserver:8001 --concurrency-range 1:16:5 --html report.html
      1, 6, 11, 16 requests in flight over gRPC, and a page with curves
  conch bench -m simple --request-rate-range 1000 --request-distribution poisson
      1000 requests per second, whether or not the server keeps up
  conch bench -m simple --concurrency-range 1:256:1 --binary-search --percentile 99 -l 10
      the highest concurrency whose 99th percentile is within 10 ms
  conch bench -m simple --service-kind in_process --model-repository models
      without a server: the models are run in this process
  conch bench -m simple --json a.json; conch bench compare a.json b.json
      what changed between two runs
`;

/** `argv` without `bench`. Nothing is printed; the files of certificates are read. */
export function parseBenchCommand(argv: readonly string[], readText = readUtf8): BenchCommand | Printed {
  let result: BenchCommand | null = null;
  const take = (command: BenchCommand) => {
    result = command;
  };
  const isCompare = argv[0] === 'compare';
  const command = isCompare ? compareCommand(take) : benchCommand(take, readText);
  const printed = parseQuietly(
    command,
    isCompare ? argv.slice(1) : argv,
    `${command.name()} --help says what it takes.`,
  );
  if (printed !== null) return printed;
  assert(result !== null, 'a command line without a result');
  return result;
}

type Take = (command: BenchCommand) => void;

function benchCommand(take: Take, readText: (file: string) => string): Command {
  const command = new Command('conch bench').usage('-m MODEL [FLAGS]').addHelpText('before', examples);
  addFlags(command);
  command.addHelpText(
    'after',
    '\nCtrl-C (SIGTERM too) ends the run and shows what was measured so far; a second one ends at once.\n' +
      'Ends with 0 = measured (also where Ctrl-C cut it short), 1 = something failed meanwhile, 2 = nothing could be\n' +
      'measured, 130 = ended with Ctrl-C before anything was measured (SIGTERM: 143).',
  );
  return command.allowExcessArguments().action((given: Given) => {
    const [word] = command.args;
    if (word !== undefined) command.error(`error: '${word}' is no flag: -m NAME says which model`);
    const refusal = refuse(given);
    if (refusal !== null) command.error(`error: ${refusal}`);
    const options = buildOptions(given, (file) => {
      try {
        return readText(file);
      } catch (error) {
        return command.error(`error: ${file} cannot be read: ${(error as Error).message}`);
      }
    });
    take({ kind: 'bench', options, outputs: outputsOf(given), notes: notesOf(given) });
  });
}

function compareCommand(take: Take): Command {
  const command = new Command('conch bench compare')
    .description('Compares what conch bench --json wrote: the first file with each of the others.')
    .argument('<file...>', 'two reports or more')
    .option('--html <file>', 'a page with the curves of all')
    .helpOption('--help', 'print this');
  return command.action((files: string[], { html }: { html?: string }) => {
    if (files.length < 2) command.error('error: expected two reports or more: conch bench compare A.json B.json');
    take({ kind: 'compare', files, html: html ?? null });
  });
}

function outputsOf(given: Given): Outputs {
  return {
    csv: given.csv ?? null,
    isCsvVerbose: given.verboseCsv ?? false,
    json: given.json ?? null,
    html: given.html ?? null,
    isQuiet: given.quiet ?? false,
    color: given.color ?? 'auto',
  };
}

function readUtf8(file: string): string {
  return readFileSync(file, 'utf8');
}
