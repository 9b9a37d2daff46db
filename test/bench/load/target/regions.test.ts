import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DataSet } from '../../../../bench/load/data/data-set.js';
import { GrpcTarget } from '../../../../bench/load/target/grpc-target.js';
import { HttpTarget } from '../../../../bench/load/target/http-target.js';
import { outputSizes, Regions } from '../../../../bench/load/target/regions.js';
import type { RegionPlace, TargetModel, TensorSource } from '../../../../bench/load/target/target.js';
import { parseUrl } from '../../../../bench/load/target/url.js';
import { ask, askJson, get, post } from '../../../e2e/requests.js';
import { ServerProcess } from '../../../e2e/server.js';

const bytesOf = (values: readonly number[]) => Buffer.from(Int32Array.from(values).buffer);
const ONES = bytesOf(new Array(16).fill(1));

/** Steps whose INPUT0 counts from `first` on; all have the same INPUT1. */
function step(first: number) {
  const tensor = { datatype: 'INT32', shape: [1, 16] };
  const counting = bytesOf(Array.from({ length: 16 }, (_, nth) => first + nth));
  const inputs = [
    { name: 'INPUT0', ...tensor, bytes: counting },
    { name: 'INPUT1', ...tensor, bytes: ONES },
  ];
  return { inputs, expected: null, parameters: {} };
}

const DATA: DataSet = { streams: [[step(0), step(100)], [step(1000)]] };
const OUTPUTS = ['OUTPUT0', 'OUTPUT1'].map((name) => ({ name, bytes: 64 }));

const ownFiles = () => readdirSync('/dev/shm').filter((name) => name.startsWith(`conch-bench-${process.pid}-`));

const parametersOf = ({ region, offset, bytes }: RegionPlace) => ({
  parameters: { shared_memory_region: region, shared_memory_offset: offset, shared_memory_byte_size: bytes },
});

function requestOf(inputs: readonly TensorSource[], outputs: ReadonlyMap<string, RegionPlace>) {
  const body = {
    inputs: inputs.map((input) => {
      if (!('place' in input)) throw new Error('it is not in a region');
      const { name, datatype, shape, place } = input;
      return { name, datatype, shape, ...parametersOf(place) };
    }),
    outputs: [...outputs].map(([name, place]) => ({ name, ...parametersOf(place) })),
  };
  return post('/v2/models/simple/infer', JSON.stringify(body));
}

describe.each(['http', 'grpc'] as const)('regions over %s', (protocol) => {
  let server: ServerProcess;
  let target: HttpTarget | GrpcTarget;

  beforeAll(async () => {
    server = await ServerProcess.start({ models: ['simple'], flags: ['--allow-client-shm=true'] });
    target =
      protocol === 'http'
        ? new HttpTarget(parseUrl('http', `127.0.0.1:${server.httpPort}`, null), [])
        : new GrpcTarget(parseUrl('grpc', `127.0.0.1:${server.grpcPort}`, null), []);
  });

  afterAll(async () => {
    target.close();
    await server.stop();
  });

  test('the server reads each step there and writes outputs there, and nothing stays', async () => {
    const regions = await Regions.open(target, DATA, OUTPUTS);
    expect(regions.inputs.map((steps) => steps.length)).toEqual([2, 1]);
    const place = regions.outputs.get('OUTPUT0')!;
    for (const [nth, first] of [0, 100].entries()) {
      const { status } = await ask(server.httpPort, requestOf(regions.inputs[0]![nth]!, regions.outputs));
      expect(status).toBe(200);
      const written = readFileSync(`/dev/shm/${place.region}`).subarray(place.offset, place.offset + place.bytes);
      expect(written).toEqual(bytesOf(Array.from({ length: 16 }, (_, index) => first + index + 1)));
    }
    expect(await regions.close()).toEqual([]);
    expect(await regions.close()).toEqual([]);
    expect(ownFiles()).toEqual([]);
    expect(await askJson(server.httpPort, get('/v2/systemsharedmemory/status'))).toEqual([]);
  });

  test('equal bytes lie there once, others beside each other', async () => {
    const regions = await Regions.open(target, DATA, OUTPUTS);
    const offsets = regions.inputs.flat(2).map((input) => 'place' in input && input.place.offset);
    expect(offsets).toEqual([0, 64, 128, 64, 192, 64]);
    await regions.close();
  });

  test('two runs at a time do not meet', async () => {
    const [one, two] = await Promise.all([Regions.open(target, DATA, OUTPUTS), Regions.open(target, DATA, OUTPUTS)]);
    expect(ownFiles().length).toBe(4);
    await one.close();
    expect(ownFiles().length).toBe(2);
    await two.close();
    expect(ownFiles()).toEqual([]);
  });
});

test('a server that allows no regions says so, and no files stay', async () => {
  const server = await ServerProcess.start({ models: ['simple'] });
  const target = new HttpTarget(parseUrl('http', `127.0.0.1:${server.httpPort}`, null), []);
  await expect(Regions.open(target, DATA, OUTPUTS)).rejects.toThrow(/HTTP 501: .*--allow-client-shm=true/);
  expect(ownFiles()).toEqual([]);
  target.close();
  await server.stop();
});

test('a server that is gone at the end is a note, and the files go', async () => {
  const server = await ServerProcess.start({ models: ['simple'], flags: ['--allow-client-shm=true'] });
  const target = new HttpTarget(parseUrl('http', `127.0.0.1:${server.httpPort}`, null), []);
  const regions = await Regions.open(target, DATA, OUTPUTS);
  await server.stop();
  expect(await regions.close()).toEqual([
    expect.stringContaining('ECONNREFUSED'),
    expect.stringContaining('ECONNREFUSED'),
  ]);
  expect(ownFiles()).toEqual([]);
  target.close();
});

test('the room for outputs is what the model says, or what was asked for', () => {
  const outputs = [
    { name: 'FIXED', datatype: 'FP16', shape: [-1, 3, 5] },
    { name: 'VARIABLE', datatype: 'FP32', shape: [-1, -1] },
    { name: 'TEXTS', datatype: 'BYTES', shape: [-1, 2] },
    { name: 'NONE', datatype: 'INT8', shape: [-1, 0] },
  ].map((output) => ({ ...output, isOptional: false }));
  const model: TargetModel = {
    name: 'm',
    version: '1',
    platform: '',
    maxBatchSize: 8,
    inputs: [],
    outputs,
    scheduler: 'default',
    isDecoupled: false,
    usesCache: false,
    composing: [],
  };
  expect(outputSizes(model, 4, 1000).map(({ bytes }) => bytes)).toEqual([120, 4000, 4000, 1]);
  const unbatched = { ...model, maxBatchSize: 0, outputs: [{ ...outputs[0]!, shape: [3, 5] }] };
  expect(outputSizes(unbatched, 1, 1000).map(({ bytes }) => bytes)).toEqual([30]);
});
