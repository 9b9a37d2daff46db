import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { outputsOf } from './requests.js';
import { askStep, errorOf, viewOf } from './sequence-steps.js';
import { ServerProcess } from './server.js';
import { until } from './until.js';

const models = ['state_direct', 'state_oldest', 'state_file', 'state_growing_direct', 'state_string', 'state_fails'];
const patient = (text: string) =>
  text.replace('sequence_batching {', 'sequence_batching { max_sequence_idle_microseconds: 600000000');
const overwriting = (text: string) =>
  patient(text).replace('use_same_buffer_for_input_output: false', 'use_same_buffer_for_input_output: true');
const mortalWorkers = fileURLToPath(new URL('mortal-workers.mjs', import.meta.url));

let server: ServerProcess;

const run = (model: string, id: number, flags: string, input: number) =>
  askStep(server, model, id, { flags, inputs: [input] });
const output = async (...step: Parameters<typeof run>) => outputsOf(await run(...step)).OUTPUT;

describe('implicit state', () => {
  beforeAll(async () => {
    const edits = Object.fromEntries(models.map((model) => [model, patient]));
    server = await ServerProcess.start({ models, edits });
  });

  afterAll(() => server.stop());

  test('begins with zeros, or with what the configuration says', async () => {
    expect(await output('state_direct', 1, 's', 5)).toEqual([5, 1]);
    expect(await output('state_oldest', 1, 's', 5)).toEqual([5, 1]);
    expect(await output('state_file', 1, 's', 5)).toEqual([105, 1001]);
    expect(await output('state_string', 1, 's', 5)).toEqual(['->5']);
    expect(await output('state_growing_direct', 1, 's', 5)).toEqual([0, 5]);
  });

  test('is each sequence’s own, and begins anew with START', async () => {
    for (const model of ['state_direct', 'state_oldest']) {
      await run(model, 2, 's', 1);
      await run(model, 3, 's', 10);
      expect(await output(model, 2, '', 2)).toEqual([3, 2]);
      expect(await output(model, 3, '', 20)).toEqual([30, 2]);
      expect(await output(model, 3, 's', 7)).toEqual([7, 1]);
      expect(await output(model, 2, 'e', 3)).toEqual([6, 3]);
      // Whoever gets that slot next finds nothing in it.
      expect(await output(model, 4, 's', 1)).toEqual([1, 1]);
    }
  });

  test('can be an output too', async () => {
    await run('state_direct', 5, 's', 4);
    expect(outputsOf(await run('state_direct', 5, 'e', 4)).STATE_OUT).toEqual([8, 2]);
  });

  test('has the shape that the last step left', async () => {
    await run('state_growing_direct', 6, 's', 1);
    await run('state_growing_direct', 7, 's', 2);
    expect(await output('state_growing_direct', 6, '', 3)).toEqual([0, 1, 3]);
    expect(await output('state_growing_direct', 6, '', 5)).toEqual([0, 1, 3, 5]);
    expect(await output('state_growing_direct', 7, 'e', 4)).toEqual([0, 2, 4]);
    expect(await output('state_growing_direct', 6, 'se', 9)).toEqual([0, 9]);
  });

  test('is what it was where a step fails', async () => {
    await run('state_fails', 8, 's', 3);
    expect(errorOf(await run('state_fails', 8, '', 50))).toMatch(/^500 onnx runtime error/);
    expect(await output('state_fails', 8, '', 4)).toEqual([7]);
  });
});

describe('where there is no state any more', () => {
  beforeAll(async () => {
    const edits = { state_fails: overwriting, state_oldest: patient };
    const nodeFlags = ['--import', mortalWorkers];
    server = await ServerProcess.start({ models: ['state_fails', 'state_oldest'], edits, nodeFlags });
  });

  afterAll(() => server.stop());

  test('because a failed step wrote over it, the sequence is over', async () => {
    await run('state_fails', 1, 's', 3);
    expect(errorOf(await run('state_fails', 1, '', 50))).toMatch(/^500 onnx runtime error/);
    expect(errorOf(await run('state_fails', 1, '', 4))).toMatch(
      /START flag on the first request of the sequence; sequence 1 was released .* \(an execution failed and left no state\)$/,
    );
    expect(await output('state_fails', 1, 's', 4)).toEqual([4]);
  });

  test('because the instance died, its sequences are over, and the next begin well', async () => {
    for (const id of [1, 2, 3]) await run('state_oldest', id, 's', id);
    const doomed = server.main.printed(/^doomed$/m);
    server.signal('SIGUSR2');
    await doomed;
    expect(errorOf(await run('state_oldest', 1, '', 1))).toMatch(
      /^500 instance 'state_oldest_0_0' of model 'state_oldest' died while it ran/,
    );
    await until('its sequences are over', async () => (await viewOf(server, 'state_oldest')).live.length === 0);
    const { ended } = await viewOf(server, 'state_oldest');
    expect(ended.map(({ reason, cause }) => [reason, cause])).toEqual(
      Array(3).fill(['died', "instance 'state_oldest_0_0' died"]),
    );
    expect(errorOf(await run('state_oldest', 2, '', 1))).toMatch(
      /; sequence 2 was released \d+\.\d s ago \(instance 'state_oldest_0_0' died\)$/,
    );
    // It waits for the instance that comes back.
    expect(await output('state_oldest', 2, 's', 6)).toEqual([6, 1]);
    expect(await output('state_oldest', 2, 'e', 6)).toEqual([12, 2]);
  });
});
