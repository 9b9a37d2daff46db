import { beforeAll, describe, expect, test } from 'vitest';
import { Crowd } from './crowd.js';
import { ask, askJson, get, type HttpRequest, infer, outputsOf, type Tensor } from './requests.js';
import { ServerProcess } from './server.js';

/** Nothing happens because the delay has passed: a batch is four rows. */
const patient = (text: string) =>
  text.replace('max_queue_delay_microseconds: 200000', 'max_queue_delay_microseconds: 60000000');

const count = (shape: readonly number[]) => shape.reduce((product, dim) => product * dim, 1);

let server: ServerProcess;

beforeAll(async () => {
  server = await ServerProcess.start({
    models: ['ragged', 'ragged_scatter', 'ragged_direct'],
    edits: { ragged: patient, ragged_scatter: patient },
  });
  return () => server.stop();
});

async function sizesOf(model: string): Promise<Record<number, number>> {
  const { model_stats } = await askJson(server.httpPort, get(`/v2/models/${model}/stats`));
  const sizes = model_stats[0].batch_stats as { batch_size: number; compute_infer: { count: number } }[];
  return Object.fromEntries(sizes.map(({ batch_size, compute_infer }) => [batch_size, compute_infer.count]));
}

/** Elements that tell their request and their place in it. */
function numbered(request: number, shape: readonly number[]): number[] {
  return Array.from({ length: count(shape) }, (_, index) => 1000 * (request + 1) + index);
}

describe('a model with batch inputs', () => {
  const ragged = (request: number, shape: readonly number[], binary = false): HttpRequest =>
    infer('ragged', [{ name: 'INPUT0', datatype: 'FP32', shape, data: numbered(request, shape), binary }]);

  /** What each row of an answer has that was executed with requests of these shapes, in this order. */
  function seen(shapes: readonly (readonly number[])[], elements: readonly number[]) {
    const counts = shapes.map(count);
    const sums = counts.map((_, index) => counts.slice(0, index + 1).reduce((sum, one) => sum + one, 0));
    const items = shapes.flatMap(([rows, ...item]) => Array.from({ length: rows! }, () => item)).flat();
    return {
      ALL_INPUT0: elements,
      ALL_COUNT: counts,
      ALL_SUMS: sums,
      ALL_BOUNDS: [0, ...sums],
      ALL_LONGEST: [Math.max(...counts)],
      ALL_SHAPES: items,
      ALL_FLAT_SHAPES: items,
    };
  }

  const repeated = (outputs: Record<string, readonly number[]>, rows: number) =>
    Object.fromEntries(
      Object.entries(outputs).map(([name, values]) => [name, Array.from({ length: rows }, () => values).flat()]),
    );

  test('has run its warm-up', async () => {
    expect(await sizesOf('ragged')).toMatchObject({ 3: 1 });
  });

  test('gets requests of different shapes in one batch, and is told where they are', async () => {
    const shapes = [
      [1, 2, 3],
      [2, 1, 4],
      [1, 5, 1],
    ];
    const crowd = await Crowd.ask(
      server,
      shapes.map((shape, request) => ragged(request, shape, request === 1)),
    );
    const answers = (await crowd.answers).map(outputsOf);
    // Requests run in the order in which they came, which need not be that of the connections.
    const elements = answers[0]!.ALL_INPUT0 as number[];
    const order = [...new Set(elements.map((element) => Math.floor(element / 1000) - 1))];
    const together = seen(
      order.map((request) => shapes[request]!),
      order.flatMap((request) => numbered(request, shapes[request]!)),
    );
    expect([...order].sort()).toEqual([0, 1, 2]);
    expect(answers).toEqual(shapes.map(([rows]) => repeated(together, rows!)));
    expect(await sizesOf('ragged')).toEqual({ 3: 1, 4: 1 });
  });

  test('gets one request in one dimension too', async () => {
    const outputs = outputsOf(await ask(server.httpPort, ragged(0, [4, 3, 2])));
    expect(outputs).toEqual(repeated(seen([[4, 3, 2]], numbered(0, [4, 3, 2])), 4));
  });

  test('gets requests without elements', async () => {
    const outputs = outputsOf(await ask(server.httpPort, ragged(0, [4, 3, 0])));
    expect(outputs).toEqual(repeated(seen([[4, 3, 0]], []), 4));
  });

  test('shows its clients no batch inputs, and checks the shapes that they send', async () => {
    const { inputs } = await askJson(server.httpPort, get('/v2/models/ragged'));
    expect(inputs).toEqual([{ name: 'INPUT0', datatype: 'FP32', shape: [-1, -1, -1] }]);
    const { status, body } = await ask(server.httpPort, ragged(0, [6]));
    expect([status, body.toString()]).toEqual([
      400,
      expect.stringContaining("unexpected shape for input 'INPUT0' for model 'ragged'. Expected [-1,-1,-1], got [6]"),
    ]);
  });
});

describe('a model with batch outputs', () => {
  test('answers each request in the shape that it has sent', async () => {
    const requests = [
      { rows: 1, shape: [1, 3, 2], texts: ['a', 'bc'] },
      { rows: 2, shape: [2, 1, 2], texts: ['', 'defg'] },
      { rows: 1, shape: [1, 0, 2], texts: [] as string[] },
    ];
    const crowd = await Crowd.ask(
      server,
      requests.map(({ rows, shape, texts }, request) => {
        const tensors: Tensor[] = [
          { name: 'INPUT0', datatype: 'INT32', shape, data: numbered(request, shape), binary: request === 0 },
          { name: 'INPUT1', datatype: 'BYTES', shape: [rows, texts.length / rows], data: texts },
        ];
        return infer('ragged_scatter', tensors, { head: { parameters: { binary_data_output: request === 1 } } });
      }),
    );
    const answers = await crowd.answers;
    expect(answers.map(outputsOf)).toEqual(
      requests.map(({ rows, shape, texts }, request) => ({
        DOUBLED: numbered(request, shape).map((element) => 2 * element),
        TEXT: texts,
        ROWS: Array.from({ length: rows }, () => 4),
      })),
    );
    const shapes = answers.map(({ headers, body }) => {
      const head = headers.get('inference-header-content-length');
      const { outputs } = JSON.parse(body.toString('utf8', 0, head === undefined ? body.length : Number(head)));
      return (outputs as { name: string; shape: number[] }[]).map((output) => output.shape);
    });
    expect(shapes).toEqual(requests.map(({ rows, shape, texts }) => [shape, [rows, texts.length / rows], [rows, 1]]));
    expect(await sizesOf('ragged_scatter')).toEqual({ 4: 1 });
  });

  test('answers with the outputs that are asked for', async () => {
    const tensors: Tensor[] = [
      { name: 'INPUT0', datatype: 'INT32', shape: [4, 1, 2], data: numbered(0, [4, 1, 2]) },
      { name: 'INPUT1', datatype: 'BYTES', shape: [4, 1], data: ['a', 'b', 'c', 'd'] },
    ];
    const only = async (name: string) => {
      const outputs = [{ name, parameters: { binary_data: true } }];
      return outputsOf(await ask(server.httpPort, infer('ragged_scatter', tensors, { head: { outputs } })));
    };
    expect(await only('ROWS')).toEqual({ ROWS: [4, 4, 4, 4] });
    expect(await only('TEXT')).toEqual({ TEXT: ['a', 'b', 'c', 'd'] });
  });
});

describe('a sequence model with a ragged input', () => {
  async function step(sequence: number, elements: readonly number[], isFirst = false) {
    const tensor: Tensor = { name: 'INPUT0', datatype: 'INT32', shape: [1, elements.length], data: elements };
    const head = { parameters: { sequence_id: sequence, sequence_start: isFirst } };
    return outputsOf(await ask(server.httpPort, infer('ragged_direct', [tensor], { head })));
  }

  test('has fillers without elements in the slots that have no request, whatever shape the others have', async () => {
    expect(await step(1, [1, 2], true)).toEqual({ COUNTS: [2], SUM: [3], TOTAL: [2] });
    expect(await step(2, [3, 4, 5], true)).toEqual({ COUNTS: [0, 3], SUM: [12], TOTAL: [3] });
    expect(await step(2, [6], false)).toEqual({ COUNTS: [0, 1], SUM: [6], TOTAL: [4] });
    expect(await step(3, [7, 8, 9, 10], true)).toEqual({ COUNTS: [0, 0, 4], SUM: [34], TOTAL: [4] });
    expect(await step(1, [], false)).toEqual({ COUNTS: [0], SUM: [0], TOTAL: [2] });
    expect(await sizesOf('ragged_direct')).toMatchObject({ 1: 2, 2: 3, 3: 1 });
  });
});
