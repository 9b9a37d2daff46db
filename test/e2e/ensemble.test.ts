import { beforeAll, describe, expect, test } from 'vitest';
import { Crowd } from './crowd.js';
import { type Counts, chain, chainOutputs, chainSteps, countsOf, ensembleFiles, ways } from './ensembles.js';
import { memoryUsed, metric } from './metrics.js';
import { Random } from './random.js';
import {
  ask,
  askJson,
  binaryOutputs,
  get,
  infer,
  outputsOf,
  simpleInputs,
  simpleOutputs,
  type Tensor,
} from './requests.js';
import { step } from './sequence-steps.js';
import { ServerProcess } from './server.js';
import { until } from './until.js';

const pair = ['INPUT0 INT32 16', 'INPUT1 INT32 16'];

const ensembles = {
  chain,
  calm: {
    ...chain,
    maxBatchSize: 4,
    steps: chain.steps.map((text, at) => text.replace(/\w+/, at === 0 ? 'patient' : 'alone')),
  },
  diamond: {
    maxBatchSize: 64,
    inputs: pair,
    outputs: ['sum INT32 16', 'left INT32 16', 'right INT32 16'],
    steps: [
      'first INPUT0=INPUT0 INPUT1=INPUT1 -> OUTPUT0=sum OUTPUT1=difference',
      'second INPUT0=sum INPUT1=INPUT1 -> OUTPUT0=left',
      'third INPUT0=difference INPUT1=sum -> OUTPUT1=right',
    ],
  },
  nested: {
    maxBatchSize: 64,
    inputs: pair,
    outputs: ['OUTPUT0 INT32 16'],
    steps: ['chain INPUT0=INPUT0 INPUT1=INPUT1 -> OUTPUT0=a OUTPUT1=b', 'diamond INPUT0=a INPUT1=b -> left=OUTPUT0'],
  },
  texts: {
    maxBatchSize: 8,
    inputs: ['A STRING -1', 'B STRING -1'],
    outputs: ['SUM STRING 16', 'A STRING -1'],
    steps: ['identity_bytes INPUT0=A -> OUTPUT0=copy', 'simple_string INPUT0=copy INPUT1=B -> OUTPUT0=SUM'],
  },
  // From a model that batches to one that does not, whose shapes vary.
  variable: {
    maxBatchSize: 0,
    inputs: ['IN FP32 -1'],
    outputs: ['PLACES INT64 1 -1'],
    steps: ['identity_fp32 INPUT0=IN -> OUTPUT0=copy', 'two_outputs_var INPUT0=copy -> OUTPUT0=PLACES'],
  },
  classes: {
    maxBatchSize: 4,
    inputs: ['IN FP32 4'],
    outputs: ['OUT FP32 4'],
    steps: ['identity_fp32 INPUT0=IN -> OUTPUT0=copy', 'labels INPUT0=copy -> OUTPUT0=OUT'],
  },
  outer_classes: {
    maxBatchSize: 4,
    inputs: ['IN FP32 4'],
    outputs: ['CLS FP32 4'],
    steps: ['classes IN=IN -> OUT=CLS'],
  },
  sums: {
    maxBatchSize: 8,
    inputs: ['INPUT INT32 1'],
    outputs: ['OUTPUT INT32 1', 'SEQUENCE UINT64 1'],
    steps: ['accumulator INPUT=INPUT -> OUTPUT=OUTPUT SEQUENCE=SEQUENCE'],
  },
  optional: {
    maxBatchSize: 0,
    inputs: ['x FP32 3', 'b FP32 3 optional'],
    outputs: ['y FP32 3'],
    steps: ['optional_input x=x b=b -> y=y'],
  },
};

let server: ServerProcess;

beforeAll(async () => {
  server = await ServerProcess.start({
    models: [
      'identity_bytes',
      'simple_string',
      'identity_fp32',
      'two_outputs_var',
      'labels',
      'accumulator',
      'optional_input',
    ],
    copies: { ...chainSteps, patient: 'simple_b64', alone: 'simple_b64' },
    // Nothing happens because the delay has passed: a batch is four rows.
    edits: {
      patient: (config) =>
        config
          .replace('max_batch_size: 64', 'max_batch_size: 4')
          .replace('dynamic_batching { }', 'dynamic_batching { max_queue_delay_microseconds: 60000000 }'),
      // Of two instances each may take every other request of a batch.
      alone: (config) => `${config}instance_group [ { count: 1 kind: KIND_CPU } ]`,
    },
    files: ensembleFiles(ensembles),
  });
  return () => server.stop();
});

const a = Array.from({ length: 16 }, (_, index) => 5 + index);
const ones = new Array<number>(16).fill(1);
const floats = (name: string, shape: readonly number[], data: readonly number[]): Tensor[] => [
  { name, datatype: 'FP32', shape, data },
];

function difference(after: Counts, before: Counts): Counts {
  const of = (key: keyof Counts) => after[key] - before[key];
  return { success: of('success'), fail: of('fail'), rows: of('rows'), executions: of('executions') };
}

describe.each(ways)('over %s', (_, call) => {
  test('a chain answers with what its last step makes', async () => {
    expect(await call(server, 'chain', simpleInputs(5))).toEqual(chainOutputs(a, ones));
  });

  test('only the steps run that are needed, also where an output is read inside too', async () => {
    const before = await Promise.all(['first', 'second', 'third'].map((model) => countsOf(server, model)));
    const outputs = [{ name: 'sum' }];
    expect(await call(server, 'diamond', simpleInputs(5), { outputs })).toEqual({ sum: simpleOutputs(5).OUTPUT0 });
    const after = await Promise.all(['first', 'second', 'third'].map((model) => countsOf(server, model)));
    expect(after.map(({ success }, index) => success - before[index]!.success)).toEqual([1, 0, 0]);
  });

  test('outputs come in the order in which they were asked for', async () => {
    const outputs = [{ name: 'right' }, { name: 'sum' }];
    const got = await call(server, 'diamond', simpleInputs(5), { outputs });
    expect(Object.entries(got)).toEqual([
      ['right', new Array(16).fill(-2)],
      ['sum', simpleOutputs(5).OUTPUT0],
    ]);
  });

  test('an output that is asked for twice is refused', async () => {
    const outputs = [{ name: 'sum' }, { name: 'sum' }];
    expect(await call(server, 'diamond', simpleInputs(5), { outputs })).toMatch(/sum/);
  });

  test('an ensemble can be a step', async () => {
    // a' = 2 (a + b), b' = 2 (a - b); left = a' + b' + b'.
    const left = a.map((value) => 2 * (value + 1) + 4 * (value - 1));
    expect(await call(server, 'nested', simpleInputs(5))).toEqual({ OUTPUT0: left });
  });

  test('strings go from step to step, and an input can be an output', async () => {
    const numbers = (first: number) => Array.from({ length: 16 }, (__, index) => String(first + index));
    const tensor = (name: string, first: number): Tensor => ({
      name,
      datatype: 'BYTES',
      shape: [1, 16],
      data: numbers(first),
    });
    expect(await call(server, 'texts', [tensor('A', 100), tensor('B', 1)])).toEqual({
      SUM: Array.from({ length: 16 }, (__, index) => String(101 + 2 * index)),
      A: numbers(100),
    });
  });

  test('a shape that does not fit a step is refused by its name, with the id of this request', async () => {
    const texts = (name: string): Tensor => ({ name, datatype: 'BYTES', shape: [1, 2], data: ['1', '2'] });
    for (const id of ['one', 'two']) {
      const got = await call(server, 'texts', [texts('A'), texts('B')], { id });
      expect(got).toContain(`in ensemble 'texts', [request id: ${id}] unexpected shape for input 'INPUT0'`);
    }
  });

  test('rows of a model that batches are whole tensors for one that does not', async () => {
    const got = await call(server, 'optional', floats('x', [3], [1, 2, 3]));
    expect(got).toEqual({ y: [11, 22, 33] });
  });

  test('an optional input is handed on', async () => {
    const b: Tensor = { name: 'b', datatype: 'FP32', shape: [3], data: [1, 1, 1] };
    expect(await call(server, 'optional', [...floats('x', [3], [1, 2, 3]), b])).toEqual({ y: [2, 3, 4] });
  });
});

test('between models of which one batches, a batch of one comes and goes', async () => {
  const request = infer('variable', floats('IN', [6], [0, 1, 0, 2, 0, 3]));
  const answer = JSON.parse((await ask(server.httpPort, request)).body.toString());
  expect(answer.outputs).toEqual([{ name: 'PLACES', datatype: 'INT64', shape: [1, 3], data: [1, 3, 5] }]);
});

test.each([
  ['classes', 'OUT'],
  ['outer_classes', 'CLS'],
])('classes of %s have the labels of the step that makes them', async (ensemble, name) => {
  const outputs = [{ name, parameters: { classification: 2 } }];
  const head = { outputs };
  const answer = await ask(server.httpPort, infer(ensemble, floats('IN', [2, 4], [1, 4, 3, 2, 9, 8, 7, 6]), { head }));
  const { outputs: found } = JSON.parse(answer.body.toString());
  expect(found[0]).toMatchObject({ shape: [2, 2], datatype: 'BYTES' });
  const direct = await ask(
    server.httpPort,
    infer('labels', floats('INPUT0', [2, 4], [1, 4, 3, 2, 9, 8, 7, 6]), {
      head: { outputs: [{ name: 'OUTPUT0', parameters: { classification: 2 } }] },
    }),
  );
  expect(found[0].data).toEqual(JSON.parse(direct.body.toString()).outputs[0].data);
  expect(found[0].data[0]).toMatch(/^4\.000000:1:\w+/);
});

test('a sequence goes through a step that has sequences, and the answers say which', async () => {
  const sums = [];
  for (const flags of ['s', '', 'e']) {
    const answer = await ask(server.httpPort, step('sums', 77, { flags, inputs: [5] }));
    sums.push(outputsOf(answer));
    const length = Number(answer.headers.get('inference-header-content-length'));
    expect(JSON.parse(answer.body.toString('utf8', 0, length)).parameters).toEqual({
      sequence_id: 77,
      sequence_start: flags === 's',
      sequence_end: flags === 'e',
    });
  }
  expect(sums).toEqual([5, 10, 15].map((sum) => ({ OUTPUT: [sum], SEQUENCE: ['77'] })));
});

test('statistics: the ensemble counts requests once, its steps theirs', async () => {
  const models = ['chain', 'first', 'second', 'third'];
  const before = await Promise.all(models.map((model) => countsOf(server, model)));
  const { model_stats: old } = await askJson(server.httpPort, get('/v2/models/chain/stats'));
  const tensor = (name: string): Tensor => ({ name, datatype: 'INT32', shape: [3, 16], data: new Array(48).fill(1) });
  await ask(server.httpPort, infer('chain', [tensor('INPUT0'), tensor('INPUT1')]));
  const after = await Promise.all(models.map((model) => countsOf(server, model)));
  for (const index of models.keys()) {
    expect(difference(after[index]!, before[index]!)).toEqual({ success: 1, fail: 0, rows: 3, executions: 1 });
  }
  const { model_stats } = await askJson(server.httpPort, get('/v2/models/chain/stats'));
  const countOf = (stats: typeof model_stats, key: string) => stats[0].inference_stats[key].count;
  for (const key of ['queue', 'compute_input', 'compute_infer', 'compute_output']) {
    expect(countOf(model_stats, key) - countOf(old, key)).toBe(1);
  }
  const batches = model_stats[0].batch_stats as { batch_size: number }[];
  expect(batches.map(({ batch_size }) => batch_size)).toContain(3);
});

test('requests that go through together are answered and counted one by one', async () => {
  const models = ['chain', 'first', 'second', 'third'];
  const before = await Promise.all(models.map((model) => countsOf(server, model)));
  const count = 64;
  const values = (nth: number) => Array.from({ length: 16 }, (_, index) => 1000 * nth + index);
  const requests = Array.from({ length: count }, (_, nth) => {
    const tensors: Tensor[] = [
      { name: 'INPUT0', datatype: 'INT32', shape: [1, 16], data: values(nth), binary: true },
      { name: 'INPUT1', datatype: 'INT32', shape: [1, 16], data: ones, binary: true },
    ];
    return infer('chain', tensors, { head: { id: `r${nth}`, ...binaryOutputs } });
  });
  const answers = await (await Crowd.ask(server, requests)).answers;
  expect(answers.map(outputsOf)).toEqual(requests.map((_, nth) => chainOutputs(values(nth), ones)));
  const after = await Promise.all(models.map((model) => countsOf(server, model)));
  for (const index of models.keys()) {
    const { success, fail, rows } = difference(after[index]!, before[index]!);
    expect({ success, fail, rows }).toEqual({ success: count, fail: 0, rows: count });
  }
});

test('its configuration says what it is', async () => {
  const config = await askJson(server.httpPort, get('/v2/models/chain/config'));
  expect(config).toMatchObject({
    platform: 'ensemble',
    backend: '',
    default_model_filename: '',
    instance_group: [],
    model_transaction_policy: { decoupled: false },
  });
  expect(config.optimization).toBeUndefined();
});

test('many clients with batches of any size get what a direct evaluation says, and all memory comes back', async () => {
  const random = new Random(20261125);
  const idle = await memoryUsed(server);
  for (let round = 0; round < 10; round++) {
    const values = Array.from({ length: 32 }, () => {
      const rows = 1 + random.below(8);
      const some = () => Array.from({ length: rows * 16 }, () => random.below(1 << 20));
      return { rows, x: some(), y: some() };
    });
    const crowd = await Crowd.ask(
      server,
      values.map(({ rows, x, y }, index) => {
        const tensors: Tensor[] = [
          { name: 'INPUT0', datatype: 'INT32', shape: [rows, 16], data: x, binary: index % 2 === 0 },
          { name: 'INPUT1', datatype: 'INT32', shape: [rows, 16], data: y, binary: index % 2 === 0 },
        ];
        return infer('chain', tensors, { head: binaryOutputs });
      }),
    );
    const answers = await crowd.answers;
    expect(answers.map(outputsOf)).toEqual(values.map(({ x, y }) => chainOutputs(x, y)));
  }
  // Models keep a few blocks of rows.
  const kept = 4 * 5 * 64 * 2 * 64;
  await until('memory is given back', async () => (await memoryUsed(server)) <= idle + kept);
});

test('requests that leave a step together lie together for the next, which gathers nothing', async () => {
  const gathered = () => metric(server, 'conch_batches_total', { model: 'alone', placement: 'gathered' });
  for (let round = 0; round < 20; round++) {
    // The first step waits for four.
    const requests = Array.from({ length: 4 }, (_, index) =>
      infer('calm', simpleInputs(index), { head: binaryOutputs }),
    );
    const { answers } = await Crowd.ask(server, requests);
    expect((await answers).map(outputsOf)).toEqual(
      requests.map((_, first) => chainOutputs(simpleInputs(first)[0]!.data as number[], ones)),
    );
  }
  expect((await countsOf(server, 'patient')).executions).toBe(20);
  expect((await countsOf(server, 'alone')).rows).toBe(160);
  expect(await gathered()).toBe(0);
});
