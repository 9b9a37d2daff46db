import { Command, InvalidArgumentError } from 'commander';
import { assert } from '../base/assert.js';
import { readBackendConfig } from '../config/key-values.js';
import type { Printed } from './printed.js';
import { parseQuietly } from './quiet-parse.js';

/** How a model is understood: flags of the server that matter before it is served. */
export interface UnderstandingOptions {
  /** `--model-config-name`; '' = config.pbtxt. */
  readonly configName: string;
  readonly autoComplete: boolean;
  /** Of `--backend-config`; null = the default. */
  readonly defaultMaxBatchSize: number | null;
  /** Of another machine; null = of this one. */
  readonly gpus: number | null;
  readonly cores: number | null;
}

export interface CheckOptions extends UnderstandingOptions {
  readonly folders: readonly string[];
  readonly fix: boolean;
  readonly json: boolean;
  /** Warnings count as errors. */
  readonly strict: boolean;
}

export interface ConfigOptions extends UnderstandingOptions {
  /** A model's folder, the URL of a model, or with `name` that of a server. */
  readonly from: string;
  /** '' = the URL says it. */
  readonly name: string;
  /** 0 = the latest that is served. */
  readonly version: number;
  readonly json: boolean;
}

export interface InitOptions {
  readonly directory: string;
  /** The ONNX file; null = a model written in JavaScript. */
  readonly model: string | null;
  /** null = what is usual. */
  readonly maxBatchSize: number | null;
}

export interface ConvertOptions {
  /** The TensorFlow model. */
  readonly from: string;
  /** The ONNX file to write. */
  readonly to: string;
  /** Names in the graph; empty = its placeholders, and all that nothing in it uses. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Of a SavedModel; '' = what is usual. */
  readonly signature: string;
  readonly tag: string;
}

export type ToolCommand =
  | { readonly kind: 'convert'; readonly options: ConvertOptions }
  | { readonly kind: 'check'; readonly options: CheckOptions }
  | { readonly kind: 'config'; readonly options: ConfigOptions }
  | { readonly kind: 'init'; readonly options: InitOptions };

/** First words of a command line that are commands, with what help says of them. A folder of such a name is served by `conch serve NAME`. */
export const toolCommands: Readonly<Record<ToolCommand['kind'], string>> = {
  check: 'says what is wrong or doubtful with the models of a repository',
  convert: 'writes a TensorFlow model as an ONNX file',
  config: 'prints the complete configuration of a model, and where each value comes from',
  init: 'makes a folder for a model, from an ONNX file or for code of your own',
};

export function isToolCommand(word: string | undefined): word is ToolCommand['kind'] {
  return word !== undefined && Object.hasOwn(toolCommands, word);
}

/** `argv` begins with the command. Pure. */
export function parseToolCommand(argv: readonly string[]): ToolCommand | Printed {
  let result: ToolCommand | null = null;
  const take = (command: ToolCommand) => {
    result = command;
  };
  const program = new Command('conch').helpCommand(false);
  for (const command of [checkCommand(take), configCommand(take), initCommand(take), convertCommand(take)])
    program.addCommand(command);
  const printed = parseQuietly(program, argv, `conch ${argv[0]} --help says what it takes.`);
  if (printed !== null) return printed;
  assert(result !== null, 'a command line without a result');
  return result;
}

type Take = (command: ToolCommand) => void;
type Given = Record<string, unknown>;

function checkCommand(take: Take): Command {
  const command = describe('check').argument('<dir...>', 'model repositories');
  return understandingFlags(command)
    .option('--fix', 'write what can be mended without a change to any answer of a model')
    .option('--json', 'print one JSON document')
    .option('--strict', 'end with 1 for warnings too')
    .addHelpText(
      'after',
      '\nEnds with 0 = no errors, 1 = errors (with --strict also warnings), 2 = nothing could be checked.',
    )
    .action((folders: string[], given: Given) => {
      const { fix, json, strict } = given;
      const options = { folders, fix: fix === true, json: json === true, strict: strict === true };
      take({ kind: 'check', options: { ...understanding(given), ...options } });
    });
}

function configCommand(take: Take): Command {
  const command = describe('config')
    .argument('<from>', "a model's folder, or the URL of a model or of a server")
    .argument('[name]', 'the model, where the URL is that of a server');
  return understandingFlags(command)
    .option('--version <n>', 'a version other than the latest', whole)
    .option('--json', 'print one JSON document')
    .action((from: string, name: string | undefined, given: Given) => {
      const options = { from, name: name ?? '', version: Number(given.version ?? 0), json: given.json === true };
      take({ kind: 'config', options: { ...understanding(given), ...options } });
    });
}

function initCommand(take: Take): Command {
  return describe('init')
    .argument('<dir>', 'the folder to make: its name is the name of the model')
    .option('--model <file>', 'the ONNX file; it is copied, with the files of its weights')
    .option('--javascript', 'a model written in JavaScript, which runs as it is, to begin with')
    .option('--max-batch-size <n>', 'rows of a batch at most, where the model can batch (default: 8)', whole)
    .action((directory: string, given: Given, command: Command) => {
      const maxBatchSize = (given.maxBatchSize as number | undefined) ?? null;
      const isJavaScript = given.javascript === true;
      if (isJavaScript === (given.model !== undefined)) {
        command.error("expected one of the options '--model <file>' and '--javascript'");
      }
      const model = isJavaScript ? null : String(given.model);
      take({ kind: 'init', options: { directory, model, maxBatchSize } });
    });
}

function convertCommand(take: Take): Command {
  return describe('convert')
    .argument('<model>', 'the TensorFlow model: the file of a frozen graph, or the folder of a SavedModel')
    .requiredOption('-o, --output-file <file>', 'the ONNX file to write')
    .option('--input <name>', 'a node that is fed (default: all placeholders); may be given several times', collect)
    .option(
      '--output <name>',
      'an output (default: what nothing in the graph uses); may be given several times',
      collect,
    )
    .option('--signature <name>', 'of a SavedModel: which of its signatures (default: serving_default)')
    .option('--tag <tag>', 'of a SavedModel: a tag of the graph (default: serve)')
    .action((from: string, given: Given) => {
      const [inputs, outputs] = [given.input ?? [], given.output ?? []] as [string[], string[]];
      const [signature, tag] = [String(given.signature ?? ''), String(given.tag ?? '')];
      take({ kind: 'convert', options: { from, to: String(given.outputFile), inputs, outputs, signature, tag } });
    });
}

function describe(kind: ToolCommand['kind']): Command {
  const what = toolCommands[kind];
  return new Command(kind).description(`${what[0]!.toUpperCase()}${what.slice(1)}.`).helpOption('--help', 'print this');
}

function understandingFlags(command: Command): Command {
  return command
    .option('--model-config-name <name>', 'configs/NAME.pbtxt of a model comes before its config.pbtxt')
    .option('--disable-auto-complete-config', 'take nothing from model files')
    .option('--backend-config <setting>', '[BACKEND,]KEY=VALUE, as of the server; may be given several times', collect)
    .option('--cores <n>', 'of the machine that will serve (default: of this one)', whole)
    .option('--gpus <n>', 'of the machine that will serve (default: of this one)', whole);
}

function understanding(given: Given): UnderstandingOptions {
  return {
    configName: String(given.modelConfigName ?? ''),
    autoComplete: given.disableAutoCompleteConfig !== true,
    defaultMaxBatchSize: maxBatchSize((given.backendConfig as string[] | undefined) ?? []),
    cores: (given.cores as number | undefined) ?? null,
    gpus: (given.gpus as number | undefined) ?? null,
  };
}

/** The setting of the backend comes before that of all. */
function maxBatchSize(texts: readonly string[]): number | null {
  const settings = readBackendConfig(texts);
  const key = 'default-max-batch-size';
  const text = settings.get('onnxruntime')?.get(key) ?? settings.get('')?.get(key);
  return text === undefined ? null : whole(text);
}

function whole(text: string): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError(`expected a whole number, found '${text}'.`);
}

function collect(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), text];
}
