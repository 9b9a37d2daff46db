import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { progressOn, shownMoment } from '../../../../bench/load/print/terminal-progress.js';

const moment = { stage: 'window', window: 2, fraction: 0.5, answersPerSecond: 1234, meanUs: 2500 } as const;

const terminal = (isTTY: boolean) =>
  Object.assign(new PassThrough(), { isTTY, columns: 100, cursorTo() {}, clearLine() {} });

/** Runs through a load on a stream that says whether it is a terminal. */
function shownOn(isTTY: boolean, settings: { isQuiet: boolean; isCi: boolean }): string {
  const stream = terminal(isTTY);
  const progress = progressOn(stream as unknown as NodeJS.WriteStream, settings);
  progress.begin('8', 0, 3);
  progress.tick(moment);
  progress.close();
  return String(stream.read() ?? '');
}

test('on a terminal only, and not where it should be quiet', () => {
  expect(shownOn(true, { isQuiet: false, isCi: false })).toContain('8 (1 of 3)');
  expect(shownOn(false, { isQuiet: false, isCi: false })).toBe('');
  expect(shownOn(true, { isQuiet: true, isCi: false })).toBe('');
  expect(shownOn(true, { isQuiet: false, isCi: true })).toBe('');
});

test('a process that ends in the middle gives the terminal its cursor back', () => {
  const before = process.listeners('exit');
  const stream = terminal(true);
  const progress = progressOn(stream as unknown as NodeJS.WriteStream, { isQuiet: false, isCi: false });
  progress.begin('8', 0, 1);
  expect(String(stream.read())).toContain('\x1b[?25l');
  for (const listener of process.listeners('exit')) if (!before.includes(listener)) listener(130);
  expect(String(stream.read())).toContain('\x1b[?25h');
  expect(process.listeners('exit')).toEqual(before);
});

test('what stands beside the bar', () => {
  expect(shownMoment(moment)).toEqual({ stage: 'window 2', rate: '1,234', mean: '2.50 ms' });
  expect(shownMoment({ ...moment, stage: 'warm-up', meanUs: 0 })).toMatchObject({ stage: 'warm-up', mean: '' });
});
