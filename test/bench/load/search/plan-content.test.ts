import { expect, test } from 'vitest';
import { parseIntervals, parseProfile } from '../../../../bench/load/search/plan-content.js';

test('intervals: a gap on each line', () => {
  expect(parseIntervals('gaps', '100\r\n250.5\n\n 0 \n')).toEqual({ kind: 'intervals', gapsUs: [100, 250.5, 0] });
});

test.each([
  ['100\nsoon\n', "gaps, line 2: expected a number of microseconds, found 'soon'"],
  ['-5', "gaps, line 1: expected a number of microseconds, found '-5'"],
  ['\n', 'gaps: expected a gap in microseconds on each line, found none'],
  ['0\n0.5', 'gaps: expected gaps of at least 1 µs on average, found 0.25 µs'],
  ['0\n0', 'gaps: all gaps are 0: no rate follows from them'],
])('intervals: %j is refused by name', (text, message) => {
  expect(() => parseIntervals('gaps', text)).toThrow(message);
});

test('profile: phases of one rate, or from one to another', () => {
  const text = '{"phases":[{"seconds":10,"rate":100},{"seconds":0.5,"from":100,"to":0}]}';
  expect(parseProfile('p.json', text)).toEqual({
    kind: 'profile',
    phases: [
      { seconds: 10, fromPerSecond: 100, toPerSecond: 100 },
      { seconds: 0.5, fromPerSecond: 100, toPerSecond: 0 },
    ],
  });
});

test.each([
  ['{', 'p.json: is not JSON'],
  ['[]', 'p.json: expected {"phases"'],
  ['{"phases":[]}', 'p.json, phases: there is none'],
  ['{"phases":[3]}', 'p.json, phases[0]: expected an object, found 3'],
  [
    '{"phases":[{"seconds":1,"rate":1},{"rate":1}]}',
    "p.json, phases[1]: expected 'seconds' to be a number from 0 on, found undefined",
  ],
  ['{"phases":[{"seconds":0,"rate":1}]}', "p.json, phases[0]: 'seconds' must be more than 0"],
  ['{"phases":[{"seconds":1,"rate":-1}]}', "p.json, phases[0]: expected 'rate' to be a number from 0 on, found -1"],
  ['{"phases":[{"seconds":1,"rate":1,"to":2}]}', "p.json, phases[0]: expected either 'rate', or 'from' and 'to'"],
  ['{"phases":[{"seconds":1}]}', "p.json, phases[0]: expected either 'rate', or 'from' and 'to'"],
  ['{"phases":[{"seconds":1,"from":1}]}', "p.json, phases[0]: expected 'to' to be a number from 0 on, found undefined"],
  [
    '{"phases":[{"seconds":1,"from":1,"to":1e12}]}',
    "p.json, phases[0]: expected 'to' to be at most 1000000 requests per second, found 1000000000000",
  ],
  ['{"phases":[{"second":1}]}', "p.json, phases[0]: 'second' is not known"],
  ['{"phases":[{"seconds":1,"rate":0}]}', 'p.json, phases: all rates are 0'],
])('profile: %s is refused by name', (text, message) => {
  expect(() => parseProfile('p.json', text)).toThrow(message);
});
