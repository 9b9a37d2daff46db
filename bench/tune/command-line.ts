import { Command } from 'commander';
import { assert } from '../../src/base/assert.js';
import type { Printed } from '../../src/check/printed.js';
import { parseQuietly } from '../../src/check/quiet-parse.js';
import {
  collect,
  milliseconds,
  oneOf,
  percentile,
  positive,
  type Shapes,
  shape,
  whole,
} from '../load/command-line/values.js';
import { defaultOptions } from '../load/default-options.js';
import type { TuneOptions } from './options.js';
import { parseValues } from './values.js';

/** Where results go, besides the terminal; null = nowhere. */
export interface TuneOutputs {
  readonly json: string | null;
  readonly html: string | null;
  /** The tuned configuration. */
  readonly config: string | null;
  readonly isQuiet: boolean;
}

export interface TuneCommand {
  readonly kind: 'tune';
  readonly options: TuneOptions;
  readonly outputs: TuneOutputs;
}

const examples = `Looks for the configuration of a model with which it answers most requests on this machine.

Examples:
  conch tune simple --model-repository models
      instances, batch size, delay of batches and threads, with 1 to 256 requests in flight
  conch tune simple --model-repository models --percentile 99 -l 10 --html report.html
      the most that keeps the 99th percentile within 10 ms, and a page with all that was measured
  conch tune simple --model-repository models --instances 1:4 --max-batch-size 8,16,32 --queue-delay-us 0
      within bounds; 1:4 is 1, 2, 4
  conch tune simple --model-repository models --time-budget 120 --config tuned.pbtxt
      what was found after two minutes, as a file
`;

/** `argv` without `tune`. Nothing is printed, nothing is read. */
export function parseTuneCommand(argv: readonly string[]): TuneCommand | Printed {
  let result: TuneCommand | null = null;
  const command = tuneCommand((options, outputs) => {
    result = { kind: 'tune', options, outputs };
  });
  const printed = parseQuietly(command, argv, 'conch tune --help says what it takes.');
  if (printed !== null) return printed;
  assert(result !== null, 'a command line without a result');
  return result;
}

type Take = (options: TuneOptions, outputs: TuneOutputs) => void;

/** Of a flag, or the default; one that has none is undefined. */
interface Given {
  readonly modelRepository: string;
  readonly instances?: number[];
  readonly maxBatchSize?: number[];
  readonly queueDelayUs?: number[];
  readonly threads?: number[];
  readonly concurrency?: number[];
  readonly latencyThreshold?: number;
  readonly percentile?: number;
  readonly memoryLimit?: number;
  readonly timeBudget?: number;
  readonly measurementInterval: number;
  readonly best: number;
  readonly protocol: TuneOptions['protocol'];
  readonly streaming?: true;
  readonly batchSize: number;
  readonly inputData?: readonly string[];
  readonly shape?: Shapes;
  readonly stringLength: number;
  readonly sequenceLength?: number;
  readonly serverFlag?: readonly string[];
  readonly json?: string;
  readonly html?: string;
  readonly config?: string;
  readonly quiet?: true;
}

function tuneCommand(take: Take): Command {
  const command = new Command('conch tune')
    .usage('MODEL --model-repository DIR [FLAGS]')
    .argument('<model>', 'its name')
    .addHelpText('before', examples);
  addBounds(command);
  addLimits(command);
  addRequests(command);
  addOutputs(command);
  command.addHelpText(
    'after',
    '\nThe repository is not written. Ctrl-C (SIGTERM too) ends the search and shows the best so far; a second one ends at once.\n' +
      'Ends with 0 = found, 1 = nothing is within the limits, 2 = nothing could be measured, 130 = interrupted before\n' +
      'anything was (SIGTERM: 143).',
  );
  return command.action((model: string, given: Given) => {
    if (given.streaming && given.protocol !== 'grpc') command.error('error: --streaming is for -i grpc');
    take(optionsOf(model, given), {
      json: given.json ?? null,
      html: given.html ?? null,
      config: given.config ?? null,
      isQuiet: given.quiet ?? false,
    });
  });
}

function addBounds(command: Command): void {
  const values = (least: number) => (text: string) => parseValues(text, least);
  command
    .optionsGroup('What may be tried (1,2,8 or 1:8):')
    .requiredOption('--model-repository <dir>', 'where the model is (required)')
    .option('--instances <values>', 'instance_group count (default: 1 to the cores)', values(1))
    .option('--max-batch-size <values>', 'max_batch_size (default: 1,4,16,64)', values(1))
    .option('--queue-delay-us <values>', 'max_queue_delay_microseconds (default: 0,100,500,2000)', values(0))
    .option('--threads <values>', 'intra_op_thread_count of each instance (default: 1 to the cores)', values(1))
    .option('--concurrency <values>', 'requests in flight (default: 1,4,16,64,256)', values(1));
}

function addLimits(command: Command): void {
  command
    .optionsGroup('Limits:')
    .option('-l, --latency-threshold <ms>', 'that the latency may not pass', positive)
    .option('--percentile <n>', 'whose latency that is; -1 = the average (default: 99)', percentile)
    .option('--memory-limit <mb>', "of the server's process, in MiB", positive)
    .option('--time-budget <s>', 'for the search (default: until it ends by itself)', positive)
    .option('-p, --measurement-interval <ms>', 'for each measurement', milliseconds(50), 1000)
    .option('--best <n>', 'so many are measured again, longer, and shown', whole(1), 3);
}

function addRequests(command: Command): void {
  const { data } = defaultOptions;
  command
    .optionsGroup('Requests (as of conch bench):')
    .option('-i, --protocol <name>', 'http, grpc or ws', oneOf('http', 'grpc', 'ws'), 'http')
    .option('--streaming', 'gRPC: over ModelStreamInfer')
    .option('-b, --batch-size <n>', 'rows of each request', whole(1), 1)
    .option('--input-data <what>', 'random, zero, a directory, or JSON files (default: random)', collect)
    .option('--shape <name:dims>', 'of an input; may be given several times', shape)
    .option('--string-length <n>', 'of random strings', whole(1), data.stringLength)
    .option('--sequence-length <n>', 'steps (default: those of the stream of a file; 20 without files)', whole(1))
    .option('--server-flag <flag>', 'of conch serve, such as --http-engine=net; may be given several times', collect);
}

function addOutputs(command: Command): void {
  command
    .optionsGroup('Output:')
    .option('--json <file>', 'everything that was measured')
    .option('--html <file>', 'a page of it')
    .option('--config <file>', 'the best configuration')
    .option('--quiet', 'nothing while it runs')
    .helpOption('--help', 'print this');
}

function optionsOf(model: string, given: Given): TuneOptions {
  const { data, sequences } = defaultOptions;
  const paths = given.inputData ?? ['random'];
  const [first] = paths;
  return {
    model,
    modelRepository: given.modelRepository,
    bounds: {
      instances: given.instances ?? null,
      maxBatchSize: given.maxBatchSize ?? null,
      queueDelayUs: given.queueDelayUs ?? null,
      threads: given.threads ?? null,
      concurrency: given.concurrency ?? null,
    },
    protocol: given.protocol,
    streaming: given.streaming ?? false,
    batchSize: given.batchSize,
    data: {
      ...data,
      source: first === 'random' || first === 'zero' ? first : { paths },
      shapes: given.shape ?? {},
      stringLength: given.stringLength,
    },
    sequences: { ...sequences, length: given.sequenceLength ?? null },
    percentile: given.percentile === -1 ? null : (given.percentile ?? 99),
    latencyLimitUs: given.latencyThreshold === undefined ? null : given.latencyThreshold * 1000,
    memoryLimitBytes: given.memoryLimit === undefined ? null : given.memoryLimit * 2 ** 20,
    timeBudgetSeconds: given.timeBudget ?? 0,
    intervalMs: given.measurementInterval,
    best: given.best,
    serverFlags: given.serverFlag ?? [],
  };
}
