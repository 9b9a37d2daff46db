import { expect, test } from 'vitest';
import { parseTuneCommand, type TuneCommand } from '../../../bench/tune/command-line.js';

function parse(...argv: string[]): TuneCommand {
  const command = parseTuneCommand(argv);
  if (command.kind !== 'tune') throw new Error(command.text);
  return command;
}

function refusal(...argv: string[]): string {
  const command = parseTuneCommand(argv);
  if (command.kind === 'tune') throw new Error('it was taken');
  expect(command.exitCode).toBe(2);
  return command.text;
}

test('values are lists, or doubled from the first to the last', () => {
  const { bounds } = parse('m', '--model-repository', 'r', '--instances', '1:6', '--queue-delay-us', '500,0').options;
  expect(bounds.instances).toEqual([1, 2, 4, 6]);
  expect(bounds.queueDelayUs).toEqual([0, 500]);
  expect(bounds.threads).toBeNull();
});

test('limits have the units of the flags', () => {
  const { options } = parse(
    'm',
    '--model-repository',
    'r',
    '-l',
    '2.5',
    '--memory-limit',
    '512',
    '--time-budget',
    '60',
  );
  expect(options.latencyLimitUs).toBe(2500);
  expect(options.memoryLimitBytes).toBe(512 * 2 ** 20);
  expect(options.timeBudgetSeconds).toBe(60);
  expect(options.percentile).toBe(99);
});

test('the average can decide', () => {
  expect(parse('m', '--model-repository', 'r', '--percentile', '-1').options.percentile).toBeNull();
});

test.each([
  [['m'], "required option '--model-repository <dir>'"],
  [['--model-repository', 'r'], "missing required argument 'model'"],
  [['m', '--model-repository', 'r', '--instances', '0,1'], 'expected whole numbers of 1 and more'],
  [['m', '--model-repository', 'r', '--instances', '4:1'], 'expected whole numbers of 1 and more'],
  [['m', '--model-repository', 'r', '--threads', '1,x'], "found '1,x'"],
  [['m', '--model-repository', 'r', '--streaming'], '--streaming is for -i grpc'],
  [['m', '--model-repository', 'r', '--nonsense'], "unknown option '--nonsense'"],
])('%j is refused by name', (argv, message) => {
  expect(refusal(...argv)).toContain(message);
});

test('help shows examples first', () => {
  const help = parseTuneCommand(['--help']);
  expect(help.kind).toBe('print');
  const { text } = help as { text: string };
  expect(text.indexOf('Examples:')).toBeLessThan(text.indexOf('Usage:'));
});
