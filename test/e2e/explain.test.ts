import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EnsembleExplanation, ModelExplanation } from '../../src/core/explanation.js';
import { BytesClient } from '../protocols/grpc/engine-fixture.js';
import { callGrpc } from './control.js';
import { Crowd } from './crowd.js';
import { chain, chainOutputs, chainSteps, ensembleFiles } from './ensembles.js';
import { ask, binaryOutputs, infer, oneNumber, outputsOf, post, simpleInputs } from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';
import { messageOf, SocketClient } from './socket-client.js';

const asked = { parameters: { conch_explain: true } };

onEachEngine((engine) => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await ServerProcess.start({
      engine,
      models: ['simple', 'delayed', 'sequence_direct', 'sequence_oldest', 'identity_int64', 'slow_queue'],
      edits: { slow_single: (text) => text.replace('dynamic_batching { }', '') },
      copies: { ...chainSteps, slow_single: 'slow' },
      files: ensembleFiles({ chain }),
    });
  });
  afterAll(() => server.stop());

  async function explained<Kind>(model: string, head: object = asked): Promise<Kind> {
    const answer = await ask(server.httpPort, infer(model, simpleInputs(1), { head }));
    const { parameters } = JSON.parse(String(answer.body));
    return JSON.parse(parameters.conch_explain);
  }

  test('an answer says where its time went', async () => {
    const { batch, total_us, queue_us, input_us, infer_us, output_us, answer_us, ...names } =
      await explained<ModelExplanation>('simple');
    expect(names).toEqual({ model: 'simple', version: '1', instance: 'simple_0' });
    expect(batch).toEqual({ rows: 1, requests: 1, ids: [], reason: 'idle_instance' });
    const parts = [queue_us, input_us, infer_us, output_us, answer_us];
    expect(parts.every((us) => Number.isInteger(us) && us >= 0)).toBe(true);
    // Each is rounded.
    expect(Math.abs(parts.reduce((sum, us) => sum + us, 0) - total_us)).toBeLessThanOrEqual(5);
  });

  test('with whom it was batched, and why the batch closed; who did not ask gets no more than ever', async () => {
    const requests = ['a', 'b', 'c', 'd'].map((id, nth) =>
      infer('delayed', oneNumber(nth), { head: { id, ...(nth === 1 ? asked : {}) } }),
    );
    const answers = await (await Crowd.ask(server, requests)).answers;
    const bodies = answers.map(({ body }) => JSON.parse(String(body)));
    expect(bodies.map(({ parameters }) => parameters !== undefined)).toEqual([false, true, false, false]);
    const { batch } = JSON.parse(bodies[1].parameters.conch_explain) as ModelExplanation;
    expect(batch).toMatchObject({ rows: 4, requests: 4, reason: 'preferred' });
    expect([...batch.ids].sort()).toEqual(['a', 'b', 'c', 'd']);
  });

  test('of an ensemble, its steps', async () => {
    const { steps, total_us, ...names } = await explained<EnsembleExplanation>('chain');
    expect(names).toEqual({ model: 'chain', version: '1' });
    expect(steps.map(({ model }) => model)).toEqual(['first', 'second', 'third']);
    expect(steps.reduce((sum, step) => sum + step.total_us, 0)).toBeLessThanOrEqual(total_us + steps.length);
  });

  test('binary answers have it too, again and again', async () => {
    for (let nth = 0; nth < 3; nth++) {
      const answer = await ask(
        server.httpPort,
        infer('chain', simpleInputs(nth), { head: { ...binaryOutputs, ...asked } }),
      );
      expect(String(answer.body)).toContain('conch_explain');
      expect(outputsOf(answer)).toEqual(chainOutputs(simpleInputs(nth)[0]!.data as number[], ones));
      const plain = await ask(server.httpPort, infer('chain', simpleInputs(nth), { head: binaryOutputs }));
      expect(String(plain.body)).not.toContain('conch_explain');
    }
  });

  test.each([
    ['slow_queue', ['end_of_queue']],
    ['slow_single', ['full', 'full', 'end_of_queue']],
  ])('%s: what waited for the instance says so, and only the last had nobody behind it', async (model, expected) => {
    const requests = ['', ...expected].map((_, nth) => infer(model, oneNumber(nth), { head: asked }));
    const answers = await (await Crowd.ask(server, requests)).answers;
    const reasons = answers.map(({ body }) => {
      const { parameters } = JSON.parse(String(body));
      return (JSON.parse(parameters.conch_explain) as ModelExplanation).batch.reason;
    });
    // Others may have come before the worker began with the first.
    expect(reasons.slice(1)).toEqual(expected);
  });

  test.each(['sequence_direct', 'sequence_oldest'])(
    'of %s: requests of sequences have their ids, and fillers are nobody',
    async (model) => {
      const tensor = { name: 'INPUT', datatype: 'INT32' as const, shape: [1, 1], data: [7] };
      const step = (id: number, flag: string) => {
        const parameters = { sequence_id: id, [flag]: true, conch_explain: true };
        return ask(server.httpPort, infer(model, [tensor], { head: { id: `r${id}`, parameters } }));
      };
      const explanationOf = ({ body }: { body: Buffer }) =>
        (JSON.parse(JSON.parse(String(body)).parameters.conch_explain) as ModelExplanation).batch;
      await step(1, 'sequence_start');
      // Of direct sequences this is in the second slot.
      const second = explanationOf(await step(2, 'sequence_start'));
      for (const id of [1, 2]) await step(id, 'sequence_end');
      const fillers = model === 'sequence_direct' ? { filler_rows: 1 } : {};
      expect(second).toEqual({ rows: 1, requests: 1, ids: ['r2'], reason: 'idle_instance', ...fillers });
    },
  );

  test.each([1, 50_000])('over generate, with %i numbers', async (count) => {
    const body = { INPUT0: new Array(count).fill(5), id: 'g', conch_explain: true };
    const generated = post('/v2/models/identity_int64/generate', JSON.stringify(body));
    const answer = JSON.parse(String((await ask(server.httpPort, generated)).body));
    expect(JSON.parse(answer.conch_explain).batch).toMatchObject({ rows: 1, requests: 1, ids: ['g'] });
    expect(answer.INPUT0).toBe(undefined);
    const events = post('/v2/models/simple/generate_stream', JSON.stringify(simple({ conch_explain: true })));
    expect(String((await ask(server.httpPort, events)).body)).toContain('\\"reason\\":\\"idle_instance\\"');
    const nested = post('/v2/models/simple/generate', JSON.stringify(simple({ parameters: { conch_explain: 1 } })));
    const refused = await ask(server.httpPort, nested);
    expect([refused.status, String(refused.body)]).toEqual([400, expect.stringContaining('conch_explain')]);
  });

  test('over WebSocket', async () => {
    const client = await SocketClient.open(server.httpPort, '/v2/models/simple/infer');
    client.send(messageOf(infer('simple', simpleInputs(1), { head: asked })));
    const [message] = await client.received(1);
    expect(String(message!.bytes)).toContain('conch_explain');
    client.webSocket.close();
  });

  test('it is yes or no', async () => {
    const answer = await ask(
      server.httpPort,
      infer('simple', simpleInputs(1), { head: { parameters: { conch_explain: 1 } } }),
    );
    expect(answer.status).toBe(400);
  });
});

/** A body of `generate`. */
function simple(more: object): object {
  return { INPUT0: ones, INPUT1: ones, ...more };
}

const ones = new Array(16).fill(1);

onEachEngine((engine) => {
  test('the header Server-Timing has it in milliseconds, where a flag asks', async () => {
    const server = await ServerProcess.start({
      engine,
      models: ['simple'],
      copies: chainSteps,
      files: ensembleFiles({ chain }),
      flags: ['--server-timing=true'],
    });
    const timingOf = async (model: string, head: object) => {
      const { headers, body } = await ask(server.httpPort, infer(model, simpleInputs(1), { head }));
      expect(String(body)).not.toContain('conch_explain');
      return headers.get('server-timing');
    };
    const parts = /^queue;dur=[\d.]+, input;dur=[\d.]+, infer;dur=[\d.]+, output;dur=[\d.]+, total;dur=[\d.]+$/;
    const steps = /^first;dur=[\d.]+, second;dur=[\d.]+, third;dur=[\d.]+, total;dur=[\d.]+$/;
    for (const head of [{}, binaryOutputs]) {
      for (let nth = 0; nth < 2; nth++) {
        expect(await timingOf('simple', head)).toMatch(parts);
        expect(await timingOf('chain', head)).toMatch(steps);
      }
    }
    await server.stop();
  });
});

describe.each(['conch', 'grpc-js'])('gRPC engine %s', (engine) => {
  test('an answer says where its time went', async () => {
    const server = await ServerProcess.start({ models: ['simple'], flags: [`--grpc-engine=${engine}`] });
    const client = new BytesClient(server.grpcPort);
    const tensor = (name: string) => ({
      name,
      datatype: 'INT32',
      shape: [1, 16],
      contents: { int_contents: new Array(16).fill(1) },
    });
    const answer = (await callGrpc(client, 'ModelInfer', {
      model_name: 'simple',
      inputs: [tensor('INPUT0'), tensor('INPUT1')],
      parameters: { conch_explain: { bool_param: true } },
    }).catch((error: unknown) => error)) as { parameters: Record<string, { string_param: string }> };
    expect(JSON.parse(answer.parameters.conch_explain!.string_param)).toMatchObject({
      model: 'simple',
      batch: { rows: 1 },
    });
    client.close();
    await server.stop();
  });
});
