import { expect, test } from 'vitest';
import type { ListedVersion } from '../../../../bench/load/target/facts.js';
import { notReadyIn } from '../../../../bench/load/target/not-ready.js';

const version = (name: string, number: string, state: string, reason = ''): ListedVersion => ({
  ...{ name, version: number, state, reason },
});

const INDEX = [
  version('digits', '1', 'READY'),
  version('digits', '3', 'LOADING'),
  version('broken', '1', 'UNAVAILABLE', 'no such op'),
  version('unloaded', '1', 'UNAVAILABLE', 'unloaded'),
  version('leaving', '2', 'UNLOADING', 'unloading'),
  version('queued', '1', 'UNKNOWN'),
  version('never', '', ''),
];

test.each([
  ['digit', '', /^SERVER has no model 'digit': it has digits, broken, .*, never; did you mean 'digits'\?$/],
  ['un', '', /; did you mean 'unloaded'\?$/],
  ['something', '', /^SERVER has no model 'something': it has digits, [a-z, ]+$/],
  ['digits', '7', /^SERVER has no model 'digits' version 7; its versions: 1, 3$/],
  ['broken', '', /^model 'broken' is not loaded on SERVER: no such op$/],
  ['unloaded', '1', /^model 'unloaded' version 1 is not loaded on SERVER: unloaded$/],
  ['leaving', '', /^model 'leaving' is not loaded on SERVER: unloading$/],
  ['never', '', /^model 'never' is not loaded on SERVER: it is in the repository, and was never loaded$/],
  ['never', '2', /^model 'never' version 2 is not loaded on SERVER: it is in the repository/],
])('no waiting brings %s %s', (name, number, why) => {
  const outcome = notReadyIn(INDEX, { name, version: number }, 'SERVER');
  expect(outcome).toEqual({ why: expect.stringMatching(why), mayCome: false });
});

test.each([
  ['digits', '3'],
  // One version is ready: it has become so since it was asked.
  ['digits', ''],
  ['queued', ''],
])('%s %s may come', (name, number) => {
  const why = expect.stringMatching(/ is not ready on SERVER: it is still loading$/);
  expect(notReadyIn(INDEX, { name, version: number }, 'SERVER')).toEqual({ why, mayCome: true });
});

test('a server without models says so, and one with many does not name them all', () => {
  const missing = { name: 'model-017', version: '' };
  expect(notReadyIn([], missing, 'SERVER').why).toBe("SERVER has no model 'model-017': it has no models");
  const many = Array.from({ length: 30 }, (_, nth) => version(`model-${nth}`, '1', 'READY'));
  expect(notReadyIn(many, missing, 'SERVER').why).toMatch(
    /: it has model-0, .*, model-19 and 10 more; did you mean 'model-17'\?$/,
  );
});
