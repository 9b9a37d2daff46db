import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BytesClient } from '../protocols/grpc/engine-fixture.js';
import { openStream, type StreamResponse, streamResponses } from '../protocols/grpc/real-server.js';
import { RawClient } from '../protocols/http/raw-client.js';
import { memoryUsed } from './metrics.js';
import { bytesOf, outputsOf } from './requests.js';
import { step, stepMessage, viewOf } from './sequence-steps.js';
import { ServerProcess } from './server.js';
import { until } from './until.js';

/** What a sequence of these inputs must have answered last: the model, run alone. */
const twins: Readonly<Record<string, (inputs: readonly number[]) => (number | string)[]>> = {
  state_direct: (inputs) => [sum(inputs), inputs.length],
  state_oldest: (inputs) => [sum(inputs), inputs.length],
  state_file: (inputs) => [100 + sum(inputs), 1000 + inputs.length],
  state_nobatch: (inputs) => [sum(inputs), inputs.length],
  state_same_buffer: (inputs) => [sum(inputs)],
  state_growing_direct: (inputs) => [0, ...inputs],
  state_growing_oldest: (inputs) => [0, ...inputs],
  state_string: (inputs) => [`->${inputs.join('')}`],
};
const models = Object.keys(twins);
const outputOf = (model: string) => (model === 'state_same_buffer' ? 'STATE_OUT' : 'OUTPUT');

function sum(inputs: readonly number[]): number {
  return inputs.reduce((total, value) => total + value, 0);
}

/** Ends of sequences that are nobody's fault here; all others are bugs. */
const expected = [
  / was released \d+\.\d s ago \(/,
  / is ending \(/,
  /^sequence \d+ of model '\w+' has ended: instance '\w+' died, which had its state/,
  /^instance '\w+' of model '\w+' died while it ran this request/,
];

interface Plan {
  readonly model: string;
  readonly inputs: readonly number[];
  /** end: as it should. leave: nothing more is sent; the same id begins anew. hang up: the client goes while it waits for an answer. */
  readonly ending: 'end' | 'leave' | 'hang up';
}

const plan: fc.Arbitrary<Plan> = fc.record({
  model: fc.constantFrom(...models),
  inputs: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 12 }),
  ending: fc.constantFrom('end', 'end', 'end', 'end', 'leave', 'hang up'),
});
const plans = fc.array(fc.array(plan, { minLength: 1, maxLength: 6 }), { minLength: 24, maxLength: 24 });

let server: ServerProcess;
let nextId = 1;

beforeAll(async () => {
  const impatient = (text: string) =>
    text.replace('sequence_batching {', 'sequence_batching { max_sequence_idle_microseconds: 300000');
  const twice = (text: string) => impatient(text).replace('count: 1', 'count: 2');
  const edits = Object.fromEntries(models.map((model) => [model, impatient]));
  const nodeFlags = ['--import', fileURLToPath(new URL('mortal-workers.mjs', import.meta.url))];
  server = await ServerProcess.start({
    models,
    edits: { ...edits, state_oldest: twice, state_growing_direct: twice },
    nodeFlags,
  });
});

afterAll(() => server.stop());

class Tally {
  right = 0;
  ended = 0;

  /** False = the sequence is over before its time. */
  take(answer: { values: readonly unknown[] } | { error: string }, model: string, inputs: readonly number[]): boolean {
    if ('error' in answer) {
      expect(
        expected.some((pattern) => pattern.test(answer.error)),
        answer.error,
      ).toBe(true);
      this.ended++;
      return false;
    }
    expect([model, inputs, answer.values]).toEqual([model, inputs, twins[model]!(inputs)]);
    this.right++;
    return true;
  }
}

const flagsOf = (plan: Plan, nth: number) =>
  `${nth === 0 ? 's' : ''}${plan.ending === 'end' && nth === plan.inputs.length - 1 ? 'e' : ''}`;

/** One step after the other, over connections of HTTP. */
async function runOverHttp(list: readonly Plan[], tally: Tally): Promise<void> {
  let client = await RawClient.open(server.httpPort);
  let id = nextId++;
  for (const plan of list) {
    const { model, inputs, ending } = plan;
    for (let nth = 0; nth < inputs.length; nth++) {
      const bytes = bytesOf(step(model, id, { flags: flagsOf(plan, nth), inputs: [inputs[nth]!] }));
      if (ending === 'hang up' && nth === inputs.length - 1) {
        client.ask(bytes).catch(() => {});
        client.destroy();
        client = await RawClient.open(server.httpPort);
        // That request may come after whatever follows.
        id = nextId++;
        break;
      }
      const answer = (await client.ask(bytes))!;
      const read =
        answer.status === 200
          ? { values: outputsOf(answer)[outputOf(model)]! }
          : { error: (JSON.parse(answer.body.toString()) as { error: string }).error };
      if (!tally.take(read, model, inputs.slice(0, nth + 1))) break;
    }
  }
  client.destroy();
}

/** All sequences of a client at once on one stream, interleaved step by step, nothing waited for. */
async function runOverStream(client: BytesClient, list: readonly Plan[], tally: Tally): Promise<void> {
  const stream = openStream(client);
  const sequences = list.map((plan) => ({ plan, id: nextId++ }));
  const sent: { plan: Plan; id: number; nth: number }[] = [];
  for (let nth = 0; nth < 12; nth++) {
    for (const { plan, id } of sequences) {
      if (nth >= plan.inputs.length) continue;
      const isLast = nth === plan.inputs.length - 1;
      // Nobody hangs up here: what is left open would hold the answers behind it until it is released.
      const flags = `${nth === 0 ? 's' : ''}${isLast ? 'e' : ''}`;
      stream.send(stepMessage(plan.model, id, { flags, inputs: [plan.inputs[nth]!] }));
      sent.push({ plan, id, nth });
    }
  }
  stream.halfClose();
  const responses = streamResponses((await stream.outcome).messages);
  expect(responses.length).toBe(sent.length);
  const broken = new Set<number>();
  for (const [index, { plan, id, nth }] of sent.entries()) {
    const inputs = plan.inputs.slice(0, nth + 1);
    const isRight = tally.take(valuesOf(responses[index]!, plan.model), plan.model, inputs);
    // Once it is broken nothing of it may be answered as if it was not.
    expect(broken.has(id) && isRight).toBe(false);
    if (!isRight) broken.add(id);
  }
}

function valuesOf({ error_message, infer_response }: StreamResponse, model: string) {
  if (error_message !== '') return { error: error_message };
  const index = infer_response.outputs.findIndex(({ name }) => name === outputOf(model));
  const raw = Buffer.from(infer_response.raw_output_contents[index]!);
  if (model === 'state_string') return { values: [raw.toString('utf8', 4)] };
  return { values: [...new Int32Array(new Uint8Array(raw).buffer)] };
}

/** Every sequence is over and all memory is back. */
async function isQuiet(idleBytes: number): Promise<void> {
  for (const model of models) {
    await until(`the sequences of ${model} are over`, async () => (await viewOf(server, model)).live.length === 0);
  }
  await until('all memory is given back', async () => (await memoryUsed(server)) <= idleBytes);
}

async function runAll(
  lists: readonly (readonly Plan[])[],
  disturb: (isOver: () => boolean) => Promise<void>,
): Promise<Tally> {
  const tally = new Tally();
  const client = new BytesClient(server.grpcPort);
  let isOver = false;
  const disturbance = disturb(() => isOver);
  await Promise.all(
    lists.map((list, index) => (index % 3 === 0 ? runOverStream(client, list, tally) : runOverHttp(list, tally))),
  );
  isOver = true;
  await disturbance;
  client.close();
  return tally;
}

/** Blocks of rows and fillers that models keep for the next requests. */
const KEPT_BYTES = 64 * 1024 * models.length;

test('many sequences, however they mix and end, answer what each would alone', async () => {
  const idle = await memoryUsed(server);
  await fc.assert(
    fc.asyncProperty(plans, async (lists) => {
      const tally = await runAll(lists, async () => {});
      const steps = lists.flat().reduce((count, { inputs }) => count + inputs.length, 0);
      // Some may be released on a slow machine; hardly all.
      expect(tally.right).toBeGreaterThan(steps / 3);
    }),
    { numRuns: 6, endOnFailure: true },
  );
  await isQuiet(idle + KEPT_BYTES);
}, 120_000);

const died = () => server.main.output.match(/ died: /g)?.length ?? 0;

test('also where workers die in between: nothing goes on from a state that is lost', async () => {
  const idle = await memoryUsed(server);
  await fc.assert(
    fc.asyncProperty(plans, async (lists) => {
      const tally = await runAll(lists, async (isOver) => {
        for (let deaths = 0; deaths < 3 && !isOver(); deaths++) {
          const before = died();
          server.signal('SIGUSR2');
          await until('a worker died', () => died() > before || isOver());
        }
      });
      expect(tally.right).toBeGreaterThan(0);
    }),
    { numRuns: 4, endOnFailure: true },
  );
  await isQuiet(idle + KEPT_BYTES);
}, 120_000);
