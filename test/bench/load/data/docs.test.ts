import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Step } from '../../../../bench/load/data/data-set.js';
import { checkAnswer } from '../../../../bench/load/encode/check-answer.js';
import { prepareStreams } from '../../../../bench/load/encode/prepare-streams.js';
import { type PreparedStep, SEQUENCE_ID_DIGITS } from '../../../../bench/load/encode/prepared-request.js';
import { inferPath } from '../../../../bench/load/encode/request-settings.js';
import type { TargetModel } from '../../../../bench/load/target/target.js';
import { ServerProcess } from '../../../e2e/server.js';
import { RawClient } from '../../../protocols/http/raw-client.js';
import { simple, targetModel, tensor } from '../target-model.js';
import { DataFiles, valuesOf } from './data-files.js';

const page = readFileSync(new URL('../../../../docs/load-testing-data.md', import.meta.url), 'utf8');
const examples = [...page.matchAll(/```json\n(.*?)```/gs)].map(([, text]) => text!);

const digits = targetModel('digits', [tensor('image', 'FP32', [-1, 1, 8, 8])], [tensor('scores', 'FP32', [-1, 10])], {
  maxBatchSize: 32,
});
const identity = targetModel(
  'identity_fp32',
  [tensor('INPUT0', 'FP32', [-1, -1])],
  [tensor('OUTPUT0', 'FP32', [-1, -1])],
  {
    maxBatchSize: 8,
  },
);
const accumulator = targetModel(
  'accumulator',
  [tensor('INPUT', 'INT32', [-1, 1])],
  [tensor('OUTPUT', 'INT32', [-1, 1])],
  {
    maxBatchSize: 8,
    scheduler: 'sequence',
  },
);

/** In the order of the page, with the steps of each stream. */
const models: readonly (readonly [TargetModel, readonly number[]])[] = [
  [simple, [2]],
  [digits, [1]],
  [identity, [2]],
  [accumulator, [3, 2]],
  [simple, [1]],
];

const files = new DataFiles();
let server: ServerProcess;

beforeAll(async () => {
  server = await ServerProcess.start({ models: models.slice(0, 4).map(([{ name }]) => name), engine: 'net' });
});

afterAll(async () => {
  files.remove();
  await server?.stop();
});

test('the page has the examples that are tested here, and no others', () => {
  expect(examples).toHaveLength(models.length);
});

test.each(models.map(([model, lengths], nth) => [nth, model, lengths] as const))(
  'example %i: a server answers each step, and as is expected',
  async (nth, model, lengths) => {
    const dataSet = await files.read(model, [files.write('example.json', examples[nth]!)]);
    expect(dataSet.streams.map(({ length }) => length)).toEqual(lengths);
    const streams = prepareStreams('http', model, dataSet, {
      target: { host: '127.0.0.1', port: server.httpPort, path: inferPath(model.name, ''), headers: [] },
      modelVersion: '',
      inputFormat: 'binary',
      outputFormat: 'json',
      parameters: {},
      outputPlaces: new Map(),
    });
    expect(streams.flat().some(({ expected }) => expected !== null)).toBe(examples[nth]!.includes('validation_data'));
    for (const [stream, steps] of streams.entries()) {
      for (const [at, step] of steps.entries()) await send(step, stream + 1, at, steps.length);
    }
  },
);

async function send({ requests, expected }: PreparedStep, sequence: number, at: number, steps: number): Promise<void> {
  const request =
    requests[
      at === 0 && requests.first !== undefined
        ? 'first'
        : at === steps - 1 && requests.last !== undefined
          ? 'last'
          : 'middle'
    ]!;
  if (request.sequenceId !== null)
    request.bytes.write(String(sequence).padEnd(SEQUENCE_ID_DIGITS), request.sequenceId.at);
  const client = await RawClient.open(server.httpPort);
  const { status, body } = (await client.ask(request.bytes))!;
  client.destroy();
  expect(status, String(body)).toBe(200);
  const answer = { bytes: body, start: 0, end: body.length, jsonBytes: -1 };
  if (expected !== null) expect(checkAnswer('http', expected, answer)).toBeNull();
}

test('the ways to write a tensor are the same', async () => {
  const rows = [...page.matchAll(/^\| (?:a flat|a nested|Base64|any of).*? \| (`.*`) \|/gm)];
  const texts = rows.flatMap(([, cell]) => [...cell!.matchAll(/`([^`]+)`/g)].map(([, text]) => text!));
  expect(texts).toHaveLength(5);
  const model = targetModel('m', [tensor('IN', 'UINT8', [2, 2])], []);
  for (const text of texts) {
    const { streams } = await files.read(model, [files.write('tensor.json', `{"data":[{"IN":${text}}]}`)]);
    expect(streams.flat().map(({ inputs }: Step) => valuesOf(inputs))).toEqual([
      {
        IN: [
          [2, 2],
          [1, 2, 3, 4],
        ],
      },
    ]);
  }
});
