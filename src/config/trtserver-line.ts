import { invalid } from '../types/errors.js';
import { badOption, bare, boolean, choice, type Flag, integer, list, type Range, section, text } from './flag.js';
import { spellOut } from './flag-names.js';
import { FlagValues, type GivenFlags } from './flag-values.js';
import { flags } from './option-table.js';

const count: Range = { min: 0, max: 2_147_483_647, unit: '' };
/** -1 = not served. */
const port: Range = { min: -1, max: 65_535, unit: '' };
const bytes: Range = { min: 0, max: Number.MAX_SAFE_INTEGER, unit: 'bytes' };
const secs: Range = { min: -2_147_483_648, max: 2_147_483, unit: 's' };

/** `trtserver` of release 19.11 with its defaults (v1 fact sheet 4.7). */
export const trtserverFlags: readonly Flag[] = [
  ...section('Server', { kind: 'works' }, [
    bare('help', 'Print this text.'),
    {
      ...integer('log-verbose', 0, count, 'Level of verbose lines; 0 = none.'),
      type: 'level',
    },
    boolean('log-info', true, 'Write lines of level INFO.'),
    boolean('log-warning', true, 'Write lines of level WARNING.'),
    boolean('log-error', true, 'Write lines of level ERROR.'),
    text('id', 'inference:0', 'NAME', 'Name of the server.'),
    {
      ...list('model-repository', 'DIR', 'Folder of models; at least one is needed.'),
      aliases: ['model-store'],
    },
    boolean('exit-on-error', true, 'A model that does not load at start ends the server.'),
    boolean('strict-model-config', true, 'Complete nothing that a config.pbtxt leaves out.'),
    boolean('strict-readiness', true, 'Ready only while every model is ready.'),
    boolean('allow-http', true, 'Serve HTTP.'),
    integer('http-port', 8000, port, 'Port of HTTP, and of its health unless --http-health-port follows; -1 = none.'),
    integer('http-health-port', 8000, port, 'Port of health over HTTP; -1 = none.'),
    boolean('allow-grpc', true, 'Serve gRPC.'),
    integer('grpc-port', 8001, port, 'Port of gRPC; -1 = none.'),
    boolean('allow-metrics', true, 'Serve metrics.'),
    integer('metrics-port', 8002, port, 'Port of the metrics; -1 = none.'),
    text('trace-file', '', 'FILE', 'File of traces.'),
    choice(
      'trace-level',
      ['OFF', 'MIN', 'MAX', 'ON', 'true', 'false'],
      'MIN, ON, true and MAX write down time stamps.',
    ),
    integer('trace-rate', 1000, count, 'One of so many requests is traced.'),
    boolean('allow-poll-model-repository', true, 'Models follow their folders.'),
    integer('repository-poll-secs', 15, { ...count, unit: 's' }, 'Time between two looks at the folders; 0 = none.'),
    boolean('allow-model-control', false, 'Requests load models; needs --allow-poll-model-repository=false.'),
    list('load-model', 'NAME', 'A model to load at the start where requests load models.'),
    integer('exit-timeout-secs', 30, secs, 'How long requests in flight may take at the end.'),
  ]),
  ...section('Without effect', { kind: 'none', reason: 'networking and memory are Node.js, and no GPU is used' }, [
    integer('http-thread-count', 8, count, 'Threads of HTTP.'),
    integer('grpc-infer-thread-count', 1, count, 'Threads of gRPC.'),
    integer('grpc-stream-infer-thread-count', 1, count, 'Threads of gRPC.'),
    integer('grpc-infer-allocation-pool-size', 0, count, 'Messages kept for use again.'),
    boolean('allow-gpu-metrics', true, 'Metrics of GPUs.'),
    integer('pinned-memory-pool-byte-size', 268_435_456, bytes, 'Pinned memory.'),
    boolean('tf-allow-soft-placement', true, 'TensorFlow.'),
    { ...integer('tf-gpu-memory-fraction', 0, { min: 0, max: 1, unit: '' }, 'TensorFlow.'), type: 'number' },
    list('tf-add-vgpu', 'GPU;COUNT;MB', 'TensorFlow.'),
  ]),
];

/** NV-InferRequest names every tensor of a request: in 19.11 it had no bound. */
const HEADER_BYTES = 131_072;

/** A command line for Conch, and what is to be said of flags that change nothing. */
export interface TrtserverLine {
  readonly argv: readonly string[];
  readonly notes: readonly string[];
}

/** Null = help is asked for. Flags of Conch's own are taken too. Throws INVALID_ARGUMENT that names the flag. */
export function readTrtserverLine(argv: readonly string[]): TrtserverLine | null {
  const { words, flags: spelled, rest } = spellOut(argv, trtserverFlags, flags);
  const stray = [...words, ...rest, ...spelled.filter((word) => !word.startsWith('--'))][0];
  if (stray !== undefined) throw invalid(`unexpected argument '${stray}'`);
  if (spelled.includes('--help')) return null;
  const own = spelled.filter((word) => flagOf(word) === undefined);
  const given = givenFlags(spelled);
  const values = new FlagValues(trtserverFlags, given);
  const notes = trtserverFlags.flatMap(({ name, effect }) =>
    given.has(name) && effect.kind !== 'works' ? [`--${name} has no effect: ${effect.reason}`] : [],
  );
  return { argv: [...serverFlags(values), ...listeners(values, spelled), ...modelFlags(values, own), ...own], notes };
}

function flagOf(word: string): Flag | undefined {
  const name = word.slice(2).split('=', 1)[0];
  return trtserverFlags.find((flag) => flag.name === name);
}

function givenFlags(spelled: readonly string[]): GivenFlags {
  const given = new Map<string, string[]>();
  for (const word of spelled) {
    const flag = flagOf(word);
    if (flag === undefined) continue;
    given.set(flag.name, [...(given.get(flag.name) ?? []), word.slice(word.indexOf('=') + 1)]);
  }
  return given;
}

function serverFlags(values: FlagValues): string[] {
  const same = ['id', 'log-verbose', 'log-info', 'log-warning', 'log-error', 'exit-on-error', 'strict-readiness'];
  const argv = same.map((name) => `--${name}=${values.asText(name)}`);
  argv.push(`--http-max-header-size=${HEADER_BYTES}`);
  argv.push(`--exit-timeout-secs=${Math.max(0, values.number('exit-timeout-secs'))}`);
  if (['OFF', 'false'].includes(values.text('trace-level'))) return argv;
  const file = values.text('trace-file');
  if (file === '') throw badOption('trace-file', '--trace-level needs a file to write to');
  const trace = [`triton,file=${file}`, 'level=TIMESTAMPS', `rate=${values.number('trace-rate')}`];
  return [...argv, ...trace.map((setting) => `--trace-config=${setting}`)];
}

/** The last port of HTTP is that of its health too, unless one of its own comes behind it. */
function listeners(values: FlagValues, spelled: readonly string[]): string[] {
  const httpPort = values.number('http-port');
  const lastOf = (name: string) => spelled.findLastIndex((word) => word.startsWith(`--${name}=`));
  const healthPort = lastOf('http-health-port') > lastOf('http-port') ? values.number('http-health-port') : httpPort;
  const isHttp = values.boolean('allow-http');
  if (isHttp && httpPort < 0 && healthPort < 0)
    throw badOption('http-port', 'HTTP is allowed and has no port: give one, or --allow-http=false');
  const argv = [];
  if (isHttp && healthPort !== httpPort) argv.push(`--http-health-port=${healthPort}`);
  argv.push(...listener('http', isHttp, httpPort));
  argv.push(...listener('grpc', values.boolean('allow-grpc'), values.number('grpc-port')));
  argv.push(...listener('metrics', values.boolean('allow-metrics'), values.number('metrics-port')));
  return argv;
}

function listener(name: string, isAllowed: boolean, number: number): string[] {
  return isAllowed && number >= 0 ? [`--${name}-port=${number}`] : [`--allow-${name}=false`];
}

/** @param own flags of Conch that come behind them */
function modelFlags(values: FlagValues, own: readonly string[]): string[] {
  const repositories = values.list('model-repository').map((folder) => `--model-repository=${folder}`);
  const loads = values.list('load-model').map((name) => `--load-model=${name}`);
  const controls =
    values.boolean('allow-model-control') || own.some((word) => word.startsWith('--model-control-mode='));
  if (loads.length > 0 && !controls)
    throw badOption('load-model', 'it needs --allow-model-control=true and --allow-poll-model-repository=false');
  const strict = values.boolean('strict-model-config') ? ['--disable-auto-complete-config'] : [];
  return [...repositories, ...strict, ...controlFlags(values), ...loads];
}

function controlFlags(values: FlagValues): string[] {
  const polls = values.boolean('allow-poll-model-repository');
  const pollSecs = values.number('repository-poll-secs');
  const controls = values.boolean('allow-model-control');
  if (polls && controls) throw badOption('allow-model-control', 'true needs --allow-poll-model-repository=false');
  if (controls) return ['--model-control-mode=explicit'];
  if (!polls || pollSecs === 0) return ['--model-control-mode=none'];
  return ['--model-control-mode=poll', `--repository-poll-secs=${pollSecs}`];
}

/** What is printed for `--help`, and for a wrong command line. */
export function trtserverUsage(): string {
  const lines = trtserverFlags.map((flag) => {
    const value = flag.type === 'bare' ? '' : `=<${flag.placeholder}>`;
    const usual = flag.type === 'bare' || flag.defaultValue === '' ? '' : ` (default: ${flag.defaultValue})`;
    return `  --${flag.name}${value}\n      ${flag.help}${usual}`;
  });
  return `Usage: trtserver [FLAGS]\n${lines.join('\n')}\nAll flags of Conch are taken too: conch --help lists them.\n`;
}
