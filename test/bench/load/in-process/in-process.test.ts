import { rmSync } from 'node:fs';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DataSet, ParameterValue, Step, TensorData } from '../../../../bench/load/data/data-set.js';
import type { PreparedRequest, StepPlace } from '../../../../bench/load/encode/prepared-request.js';
import type { InProcessTarget as Target } from '../../../../bench/load/in-process/in-process-target.js';
import type { InProcessWire } from '../../../../bench/load/in-process/in-process-wire.js';
import type { Answer, WireUser } from '../../../../bench/load/wires/wire.js';
import { makeRepository } from '../../../e2e/server.js';

// Threads of instances are started from what was built.
const built = (path: string) => import(new URL(`../../../../dist/bench/load/in-process/${path}`, import.meta.url).href);
const { InProcessTarget }: typeof import('../../../../bench/load/in-process/in-process-target.js') =
  await built('in-process-target.js');
const { InProcessWire: Wire }: typeof import('../../../../bench/load/in-process/in-process-wire.js') =
  await built('in-process-wire.js');
const { prepareInProcess }: typeof import('../../../../bench/load/in-process/in-process-request.js') =
  await built('in-process-request.js');

let folder: string;
let target: Target;

beforeAll(async () => {
  folder = await makeRepository(['simple', 'sequence_oldest', 'repeat', 'slow']);
  const file = join(folder, 'simple/config.pbtxt');
  await cp(join(folder, 'simple'), join(folder, 'cached'), { recursive: true });
  const config = (await readFile(file, 'utf8')).replace('"simple"', '"cached"');
  await writeFile(join(folder, 'cached/config.pbtxt'), `${config}\nresponse_cache { enable: true }\n`);
  target = await InProcessTarget.start([folder], ['*']);
});

afterAll(async () => {
  await target.close();
  rmSync(folder, { recursive: true });
});

/** What an answer said; valid after the call. */
interface Heard {
  readonly slot: number;
  readonly isFinal: boolean;
  readonly isEmpty: boolean;
  readonly failure: string;
  /** By output; empty where nobody looks at them. */
  readonly outputs: Readonly<Record<string, readonly number[]>>;
}

class Listener implements WireUser {
  readonly heard: Heard[] = [];
  onFinal: (slot: number) => void = () => {};
  #resolve: () => void = () => {};

  onAnswer(slot: number, answer: Answer): void {
    const { isFinal, isEmpty, failure } = answer;
    this.heard.push({
      slot,
      isFinal,
      isEmpty,
      failure: failure === null ? '' : `${failure.kind}: ${failure.message}`,
      outputs: outputsOf(answer),
    });
    if (isFinal) this.onFinal(slot);
    this.#resolve();
  }

  onClosed(): void {
    throw new Error('a server in this process does not go away');
  }

  /** Resolves when so many requests had their final answer. */
  async ended(count: number): Promise<Heard[]> {
    while (this.heard.filter(({ isFinal }) => isFinal).length < count) {
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
      });
    }
    return this.heard;
  }
}

function outputsOf({ bytes, start, end, jsonBytes }: Answer): Record<string, number[]> {
  if (jsonBytes < 0) return {};
  const { outputs } = JSON.parse(bytes.toString('utf8', start, start + jsonBytes)) as {
    outputs: { name: string; parameters: { binary_data_size: number } }[];
  };
  let at = start + jsonBytes;
  const found = outputs.map(({ name, parameters: { binary_data_size } }) => {
    const tensor = Buffer.from(bytes.subarray(at, at + binary_data_size));
    at += binary_data_size;
    return [name, [...new Int32Array(tensor.buffer, tensor.byteOffset, tensor.length / 4)]];
  });
  expect(at).toBe(end);
  return Object.fromEntries(found);
}

function int32(name: string, shape: readonly number[], values: readonly number[]): TensorData {
  return { name, datatype: 'INT32', shape, bytes: Buffer.from(Int32Array.from(values).buffer) };
}

function stepOf(inputs: readonly TensorData[], isRead = true, parameters: Record<string, ParameterValue> = {}): Step {
  return { inputs, expected: isRead ? [] : null, parameters };
}

const COUNTING = Array.from({ length: 16 }, (_, nth) => nth);
const ONES = new Array<number>(16).fill(1);
const SUM = [int32('INPUT0', [1, 16], COUNTING), int32('INPUT1', [1, 16], ONES)];

function requestOf(step: Step, place: StepPlace = 'middle'): PreparedRequest {
  const data: DataSet = { streams: [[step]] };
  return prepareInProcess(data, place !== 'middle')[0]![0]!.requests[place]!;
}

async function open(model: string, slots: number, timeoutMs = 60_000): Promise<[InProcessWire, Listener]> {
  const user = new Listener();
  const wire = new Wire(target.core, model, '', { slots, timeoutMs }, user);
  await wire.open();
  return [wire, user];
}

describe('the server in this process', () => {
  test('says what it is, and what its models are', async () => {
    expect((await target.server()).extensions).toContain('statistics');
    expect(await target.model('sequence_oldest', '')).toMatchObject({ version: '1', scheduler: 'sequence' });
    expect(await target.model('repeat', '')).toMatchObject({ isDecoupled: true });
    await target.awaitReady('simple', '', 0);
    await expect(target.model('nobody', '')).rejects.toThrow(/'nobody'/);
  });

  test('answers with the right outputs, and counts', async () => {
    const [before] = (await target.statistics('simple', ''))!;
    const [wire, user] = await open('simple', 2);
    wire.send(0, requestOf(stepOf(SUM)), 0);
    wire.send(1, requestOf(stepOf(SUM, false)), 0);
    const heard = (await user.ended(2)).toSorted((a, b) => a.slot - b.slot);
    const answer = { isFinal: true, isEmpty: false, failure: '' };
    const outputs = { OUTPUT0: COUNTING.map((value) => value + 1), OUTPUT1: COUNTING.map((value) => value - 1) };
    expect(heard).toEqual([
      { slot: 0, ...answer, outputs },
      { slot: 1, ...answer, outputs: {} },
    ]);
    wire.close();
    const [after] = (await target.statistics('simple', ''))!;
    expect(after!.inferences - before!.inferences).toBe(2);
  });

  test('sequences keep to their ids, and end', async () => {
    const [wire, user] = await open('sequence_oldest', 2);
    const input = (value: number) => stepOf([int32('INPUT', [1, 1], [value])]);
    const run = async (id: number, value: number, place: StepPlace) => {
      const before = user.heard.length;
      wire.send(0, requestOf(input(value), place), id);
      await user.ended(before + 1);
      const { failure, outputs } = user.heard.at(-1)!;
      return failure === '' ? [outputs.FLAGS, outputs.ID] : failure;
    };
    expect(await run(7, 1, 'first')).toEqual([[1, 0, 1], [7]]);
    expect(await run(8, 1, 'only')).toEqual([[1, 1, 1], [8]]);
    expect(await run(7, 1, 'last')).toEqual([[0, 1, 1], [7]]);
    expect(await run(7, 1, 'last')).toMatch(/^INVALID_ARGUMENT: .*must specify the START flag/);
    wire.close();
  });

  test('of a decoupled model all answers come, the last of which is final', async () => {
    const [wire, user] = await open('repeat', 1);
    wire.send(0, requestOf(stepOf([int32('COUNT', [1, 1], [3])])), 0);
    const heard = await user.ended(1);
    expect(heard.map(({ failure }) => failure)).toEqual(heard.map(() => ''));
    expect(heard.flatMap(({ outputs }) => outputs.NTH ?? [])).toEqual([0, 1, 2]);
    expect(heard.map(({ isFinal }) => isFinal)).toEqual(heard.map((_, nth) => nth === heard.length - 1));
    wire.close();
  });

  test('what does not fit the model is refused in its words, again and again', async () => {
    const [wire, user] = await open('simple', 1);
    const request = requestOf(stepOf([SUM[0]!]));
    let left = 3000;
    user.onFinal = () => left-- > 0 && wire.send(0, request, 0);
    wire.send(0, request, 0);
    const heard = await user.ended(3001);
    expect(heard.at(-1)!.failure).toMatch(/^INVALID_ARGUMENT: .*expected 2 inputs but got 1 inputs for model 'simple'/);
    wire.close();
  });

  test('answers that are there at once let the rest of the process run', async () => {
    const [wire, user] = await open('cached', 1);
    const request = requestOf(stepOf(SUM, false));
    user.onFinal = () => wire.send(0, request, 0);
    wire.send(0, request, 0);
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    await user.ended(5000);
    wire.close();
    const [counters] = (await target.statistics('cached', ''))!;
    expect(counters!.cacheHit.count).toBeGreaterThan(4000);
    const ended = user.heard.length;
    await new Promise((resolve) => setImmediate(resolve));
    expect(user.heard.length).toBe(ended);
  });

  test('a request that takes too long fails, and its slot carries another', async () => {
    const [wire, user] = await open('slow', 1, 1);
    const { inputs } = await target.model('slow', '');
    const shape = inputs[0]!.shape.map((dim) => Math.max(1, dim));
    const { name, datatype } = inputs[0]!;
    const bytes = Buffer.alloc(shape.reduce((product, dim) => product * dim, 4));
    const request = requestOf(stepOf([{ name, datatype, shape, bytes }], false));
    wire.send(0, request, 0);
    await user.ended(1);
    wire.send(0, request, 0);
    expect((await user.ended(2)).map(({ failure }) => failure.split(':')[0])).toEqual(['timeout', 'timeout']);
    wire.close();
  });
});

test('a model that is not there, or cannot be loaded, is named with the reason', async () => {
  await expect(InProcessTarget.start([folder], ['nobody'])).rejects.toThrow(/ has no model 'nobody': it has .*simple/);
  const some = await InProcessTarget.start([folder], ['simple']);
  await expect(some.awaitReady('simple', '7', 1e9)).rejects.toThrow(
    / has no model 'simple' version 7; its versions: 1$/,
  );
  await some.close();
});

test('only the models that are asked for are loaded', async () => {
  const some = await InProcessTarget.start([folder], ['simple']);
  expect(some.core.modelNames()).toEqual(['simple']);
  await some.close();
});
