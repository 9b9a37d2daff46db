import { beforeEach, expect, test } from 'vitest';
import type { BatchOutputs } from '../../src/backends/batch-outputs.js';
import type { Log } from '../../src/base/log.js';
import { silentLog } from '../../src/base/log.js';
import { Warmup } from '../../src/core/warmup.js';
import type { WarmupSample, WarmupTensor } from '../../src/core/warmup-samples.js';
import { Arena } from '../../src/memory/arena.js';
import {
  ABSENT,
  LINE_BEGIN,
  LINE_BYTES,
  LINE_DIMS,
  LINE_RANK,
  lineOf,
  NO_STATE,
  STATE_GIVEN,
  VARIABLE,
} from '../../src/memory/layout.js';
import { ModelStatistics } from '../../src/telemetry/statistics.js';
import { ServerError } from '../../src/types/errors.js';
import { HandClock } from '../fakes/clock.js';
import { PuppetInstance } from '../fakes/instance.js';

let arena: Arena;
let clock: HandClock;
let statistics: ModelStatistics;
let instance: PuppetInstance;
let lines: string[];

beforeEach(() => {
  arena = new Arena(1 << 20);
  arena.bytes.fill(0xaa);
  clock = new HandClock();
  statistics = new ModelStatistics();
  instance = new PuppetInstance('m_0', 8);
  instance.state = 'warming';
  lines = [];
});

const four: WarmupTensor = { line: 1, datatype: 'INT32', dims: [1, 1], bytes: 4, data: Uint8Array.of(1, 2, 3, 4) };
const zeros: WarmupTensor = { line: 2, datatype: 'UINT8', dims: [1, 70], bytes: 70, data: 'zero' };

function sample(name: string, more: Partial<WarmupSample> = {}): WarmupSample {
  return { name, executions: 1, requests: 1, tensors: [four, zeros], ...more };
}

/** Begins to warm up; `ended` is settled with it. */
function begin(samples: readonly WarmupSample[], hasStates = false): { readonly ended: Promise<void> } {
  const log: Log = { ...silentLog, info: (line) => lines.push(line) };
  const settings = { model: 'm', samples, lines: 3, hasStates };
  return { ended: new Warmup(settings, { arena, clock, statistics, log }).run(instance) };
}

/** The worker runs the open batch, which takes `us` microseconds after 10 of waiting. */
async function finish(us: number): Promise<void> {
  const [startUs, requests] = [clock.nowUs() + 10, instance.open];
  clock.advance(10 + us);
  instance.open = [];
  const times = { startUs, inputsUs: startUs, inferUs: startUs + us, endUs: startUs + us };
  const outputs = { batch: { times }, note: () => null, release() {} } as unknown as BatchOutputs;
  for (const request of requests) request.complete(outputs, 0, 0);
  await turn();
}

/** What was resolved has gone on. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test('a request has the tensors of the sample in a slot of its own', async () => {
  const { ended } = begin([sample('s', { requests: 3 })]);
  expect(instance.open.length).toBe(3);
  const [request] = instance.open;
  expect(instance.open.every((other) => other === request)).toBe(true);
  expect(request).toMatchObject({ rows: 1, row: VARIABLE, state: NO_STATE });
  const table = new Float64Array(arena.buffer);
  const at = (line: number, word: number) => table[lineOf(request!.slotOffset, line) + word]!;
  expect(at(0, LINE_BEGIN)).toBe(ABSENT);
  expect([at(1, LINE_BYTES), at(1, LINE_RANK), at(1, LINE_DIMS), at(1, LINE_DIMS + 1)]).toEqual([4, 2, 1, 1]);
  expect([at(2, LINE_BYTES), at(2, LINE_DIMS + 1)]).toEqual([70, 70]);
  const bytes = (line: number) => {
    const first = request!.slotOffset + at(line, LINE_BEGIN);
    return [...arena.bytes.subarray(first, first + at(line, LINE_BYTES))];
  };
  expect([bytes(1), bytes(2)]).toEqual([[1, 2, 3, 4], Array(70).fill(0)]);
  await finish(1);
  await ended;
});

test('rows of a model with implicit state bring it', async () => {
  const { ended } = begin([sample('s')], true);
  expect(instance.open[0]!.state).toBe(STATE_GIVEN);
  await finish(1);
  await ended;
});

test('samples run one after another, each as often as it is to, and are counted, timed and logged', async () => {
  const { ended } = begin([sample('first', { executions: 2 }), sample('second', { requests: 2 })]);
  await finish(1000);
  expect([instance.open.length, lines]).toEqual([1, []]);
  await finish(2000);
  expect(lines).toEqual(["instance 'm_0' of model 'm' ran warmup sample 'first' in 3.0 ms"]);
  await finish(500);
  await ended;
  expect(lines.slice(1)).toEqual(["instance 'm_0' of model 'm' ran warmup sample 'second' in 0.5 ms"]);
  expect(statistics.warmups).toEqual([
    { instance: 'm_0', sample: 'first', executions: 2, us: 3020 },
    { instance: 'm_0', sample: 'second', executions: 1, us: 510 },
  ]);
  const { success, queue, compute_infer } = statistics.snapshot().inference_stats;
  expect(success).toEqual({ count: 4, ns: (1010 + 2010 + 2 * 510) * 1000 });
  expect(queue).toEqual({ count: 4, ns: 40_000 });
  expect(compute_infer).toEqual({ count: 4, ns: 4_000_000 });
  expect(arena.slots).toBe(0);
});

test('what fails is named, counted, and the last that runs', async () => {
  const { ended } = begin([sample('bad', { requests: 2 }), sample('never')]);
  for (const request of instance.open.splice(0)) request.fail(new ServerError('INTERNAL', 'no good'), 'BACKEND');
  await expect(ended).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: "failed to run warmup sample 'bad': no good; ",
  });
  expect([statistics.failures('BACKEND'), instance.open.length, arena.slots, lines]).toEqual([2, 0, 0, []]);
});

test('without memory for inputs or outputs it fails', async () => {
  const text = /^failed to run warmup sample 's': no tensor memory is left for model 'm'; raise /;
  await expect(begin([sample('s', { tensors: [{ ...zeros, bytes: 1e15 }] })]).ended).rejects.toThrow(text);
  instance.hasMemory = false;
  await expect(begin([sample('s')]).ended).rejects.toThrow(text);
  expect(arena.slots).toBe(0);
});

test('an instance that is stopped or dies runs no more of it', async () => {
  const { ended } = begin([sample('s', { executions: 1_000_000_000 }), sample('never')]);
  instance.state = 'stopped';
  await finish(1);
  await ended;
  expect([instance.open.length, arena.slots, lines, statistics.warmups]).toEqual([0, 0, [], []]);
});
