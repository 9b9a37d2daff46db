import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Crowd } from './crowd.js';
import { ask, infer, manyBytes, oneNumber, outputsOf } from './requests.js';
import { ServerProcess } from './server.js';

const spy = fileURLToPath(new URL('tensor-spy.mjs', import.meta.url));
const sharesTensors = Number.parseInt(process.versions.node, 10) >= 22;

/** What the spy saw while `model` was under this load. */
async function runsOf(model: string, load: (server: ServerProcess) => Promise<void>): Promise<Set<string>> {
  const edits = model === 'delayed' ? { delayed: patient } : {};
  const server = await ServerProcess.start({ models: [model], edits, nodeFlags: ['--import', spy] });
  await load(server);
  await server.stop();
  return new Set(server.main.stdout.match(/^run: .*$/gm));
}

/** Batches are sent when four requests are there, not because a delay has passed. */
function patient(config: string): string {
  return config.replace('max_queue_delay_microseconds: 200000', 'max_queue_delay_microseconds: 60000000');
}

/** Batches of four requests whose rows lie one behind the other. */
async function batches(server: ServerProcess): Promise<void> {
  for (let batch = 0; batch < 5; batch++) {
    const requests = Array.from({ length: 4 }, (_, index) => infer('delayed', oneNumber(batch + index)));
    const answers = await (await Crowd.ask(server, requests)).answers;
    expect(answers.map(outputsOf)).toEqual(requests.map((_, index) => ({ OUTPUT0: [batch + index] })));
  }
}

async function variable(server: ServerProcess): Promise<void> {
  expect((await ask(server.httpPort, infer('identity_uint8', manyBytes(100_000)))).status).toBe(200);
}

test.runIf(sharesTensors)(
  'tensors lie in shared memory from the socket to the backend and back (Node >= 22)',
  async () => {
    expect(await runsOf('delayed', batches)).toEqual(new Set(['run: inputs shared, outputs shared']));
  },
);

test.runIf(sharesTensors)('an input of variable size is not copied either (Node >= 22)', async () => {
  const runs = new Set(['run: inputs shared, outputs of unknown size']);
  expect(await runsOf('identity_uint8', variable)).toEqual(runs);
});

test.skipIf(sharesTensors)('the backend is given copies (Node 20: it refuses shared memory)', async () => {
  expect(await runsOf('delayed', batches)).toEqual(new Set(['run: inputs private, outputs private']));
});
