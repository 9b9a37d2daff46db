import { afterAll, beforeAll, expect, test } from 'vitest';
import { load, unload } from './control.js';
import { ask, get, infer, oneNumber, outputsOf } from './requests.js';
import { errorOf } from './sequence-steps.js';
import { ServerProcess } from './server.js';
import { until } from './until.js';

let server: ServerProcess;

beforeAll(async () => {
  const flags = ['--model-control-mode=explicit', '--load-model=counting'];
  server = await ServerProcess.start({ models: ['counting'], flags });
});

afterAll(() => server.stop());

const send = (value: number) => ask(server.httpPort, infer('counting', oneNumber(value)));

/** The lines of the metrics of the model's own. */
async function lines(): Promise<string[]> {
  const { body } = await ask(server.metricsPort, get('/metrics'));
  return body
    .toString()
    .split('\n')
    .filter((line) => /number(s_seen|_last|_size)/.test(line));
}

const sumOf = (all: readonly string[], name: string) =>
  all.filter((line) => line.startsWith(`${name}{`)).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);

test('counters and histograms of all instances are added up, gauges are told apart; they are there from the start', async () => {
  const whose = '_team="b",';
  const more = 'model="counting",version="1"';
  const before = await lines();
  expect(before).toContain(`numbers_seen{${whose}kind="all",${more}} 0`);
  expect(before.filter((line) => line.startsWith('# '))).toEqual([
    '# HELP numbers_seen Numbers that came',
    '# TYPE numbers_seen counter',
    '# HELP number_last The number that came last',
    '# TYPE number_last gauge',
    '# HELP number_size How large they are',
    '# TYPE number_size histogram',
  ]);
  await Promise.all([5, 50, 500, 7].map(send));
  const after = await lines();
  expect(after).toContain(`numbers_seen{${whose}kind="all",${more}} 4`);
  expect(after.filter((line) => line.startsWith('number_size'))).toEqual([
    `number_size_bucket{${whose}${more},le="10"} 2`,
    `number_size_bucket{${whose}${more},le="100"} 3`,
    `number_size_bucket{${whose}${more},le="+Inf"} 4`,
    `number_size_sum{${whose}${more}} 562`,
    `number_size_count{${whose}${more}} 4`,
  ]);
  const gauges = after.filter((line) => line.startsWith('number_last{'));
  expect(gauges.map((line) => /instance="(\w+)"/.exec(line)?.[1]).sort()).toEqual(['counting_0_0', 'counting_0_1']);
});

test('what an instance counted before it died stays counted', async () => {
  const before = sumOf(await lines(), 'numbers_seen');
  await send(-1);
  await until('it is back', async () => (await ask(server.httpPort, get('/v2/models/counting/ready'))).status === 200);
  await Promise.all([1, 2, 3].map(send));
  expect(sumOf(await lines(), 'numbers_seen')).toBe(before + 4);
});

test.each([
  [1001, "metric 'nv_mine': expected a name of letters, digits and _ that does not begin with nv_ or conch_"],
  [1002, "metric 'a-b': expected a name"],
  [1003, "metric 'numbers_seen' has a label 'model': expected"],
  [1004, "metric 'numbers_seen' is a counter already"],
  [1005, "histogram 'disorder': expected ascending bounds, found [2, 1]"],
  [1006, "counter 'numbers_seen': expected a number from 0 on, found -1"],
])('a metric that cannot be is refused: %i', async (value, text) => {
  expect(errorOf(await send(value))).toContain(text);
});

test('they go with the model, and begin anew with it', async () => {
  await unload(server, 'counting');
  await until('it is gone', async () => (await lines()).length === 0);
  await load(server, 'counting');
  expect(sumOf(await lines(), 'numbers_seen')).toBe(0);
  expect(outputsOf(await send(1))).toEqual({ OUTPUT0: [1] });
  expect(sumOf(await lines(), 'numbers_seen')).toBe(1);
});
