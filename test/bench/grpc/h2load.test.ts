import { expect, test } from 'vitest';
import { parseH2load } from '../../../bench/grpc/h2load.js';

const output = (counts: string, dataBytes: number) => `finished in 2.00s, 500.00 req/s, 1.05MB/s
requests: 1000 total, 1010 started, 1000 done, ${counts}
status codes: 1000 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 5.05MB (5297496) total, 1.07MB (1118720) headers (space savings 54.84%), 3.35MB (${dataBytes}) data
`;
const healthy = '1000 succeeded, 0 failed, 0 errored, 0 timeout';

test('requests and their rate are read', () => {
  expect(parseH2load(output(healthy, 10_000), 10)).toEqual({ requests: 1000, perSecond: 500 });
});

test.each(['1 failed, 0 errored, 0 timeout', '0 failed, 1 errored, 0 timeout', '0 failed, 0 errored, 1 timeout'])(
  'is refused: %s',
  (failures) => {
    expect(() => parseH2load(output(`999 succeeded, ${failures}`, 10_000), 10)).toThrow('h2load met errors');
  },
);

test('is refused when answers are missing', () => {
  expect(() => parseH2load(output(healthy, 9_990), 10)).toThrow('some calls failed');
});

test('is refused without its lines', () => {
  expect(() => parseH2load('unable to connect', 10)).toThrow('unable to connect');
});
