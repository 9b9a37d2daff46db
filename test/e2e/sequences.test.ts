import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { BytesClient } from '../protocols/grpc/engine-fixture.js';
import { openStream, streamResponses } from '../protocols/grpc/real-server.js';
import { RawClient } from '../protocols/http/raw-client.js';
import { metric } from './metrics.js';
import { ask, askJson, bytesOf, get, infer, outputsOf } from './requests.js';
import { askStep, errorOf, sequenceOutputs, step, stepMessage, viewOf } from './sequence-steps.js';
import { onEachEngine, ServerProcess } from './server.js';
import { until } from './until.js';

const models = ['simple', 'sequence_direct', 'sequence_oldest', 'sequence_string', 'sequence_old'];
/** Nothing is released because a machine is slow. */
const patient = (text: string) =>
  text.replace('sequence_batching {', 'sequence_batching { max_sequence_idle_microseconds: 600000000');
const impatient = (text: string) => text.replace('microseconds: 600000000', 'microseconds: 50000');
const single = (text: string) => patient(text).replace('max_candidate_sequences: 4', 'max_candidate_sequences: 1');

onEachEngine((engine) => {
  let server: ServerProcess;
  const clients: RawClient[] = [];

  beforeAll(async () => {
    const edits = Object.fromEntries(models.slice(1).map((model) => [model, patient]));
    server = await ServerProcess.start({ engine, models, edits });
  });

  // Sequences that are live do not hold up the end.
  afterAll(() => server.stop());

  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    // Each test begins without sequences.
    for (const model of models.slice(1)) {
      const { live } = await viewOf(server, model);
      for (const { sequence_id } of live) await askStep(server, model, sequence_id as number, { flags: 'e' });
    }
  });

  const run = (model: string, id: number | string | bigint, flags = '', inputs = [7]) =>
    askStep(server, model, id, { flags, inputs });

  test('START, END and READY are written by the server, from what the request says', async () => {
    const flags: unknown[] = [];
    for (const model of ['sequence_direct', 'sequence_oldest']) {
      for (const flag of ['s', '', 'e', 'se']) flags.push(sequenceOutputs(await run(model, 5, flag)).flags);
    }
    const once = [
      [1, 0, 1],
      [0, 0, 1],
      [0, 1, 1],
      [1, 1, 1],
    ];
    expect(flags).toEqual([...once, ...once]);
  });

  test('the correlation id is exact to 2^64 - 1, and cut to a narrower tensor', async () => {
    const ids = [1, 2 ** 53 - 1, 2n ** 53n, 2n ** 63n + 1n, 2n ** 64n - 1n];
    for (const id of ids) {
      expect(outputsOf(await run('sequence_direct', id, 'se')).ID).toEqual([String(id)]);
    }
    expect(outputsOf(await run('sequence_oldest', 2n ** 64n - 2n, 'se')).ID).toEqual([-2]);
    expect(errorOf(await run('sequence_direct', 2n ** 64n, 's'))).toMatch(/^400 Unable to parse 'sequence_id'/);
  });

  test('texts are ids too, of any length up to 128 bytes', async () => {
    for (const id of ['a', 'zwölf', 'x'.repeat(128), '5']) {
      const { ID } = outputsOf(await run('sequence_string', id, 's'));
      expect(ID).toEqual([id]);
      expect(outputsOf(await run('sequence_string', id, 'e', [1, 2, 3])).OUTPUT).toEqual([1, 2, 3]);
    }
    expect(errorOf(await run('sequence_string', 'x'.repeat(129), 's'))).toContain(
      'string correlation ID cannot be longer than 128 characters',
    );
  });

  test('an id of the other kind is refused by name, also to END', async () => {
    const tag = '400 [request id: <id_unknown>] sequence batching control';
    expect(errorOf(await run('sequence_direct', '5', 's'))).toBe(
      `${tag} 'CORRID' data-type is 'BYTES', but model 'sequence_direct' expects 'UINT64'`,
    );
    expect(errorOf(await run('sequence_string', 5, 's'))).toBe(
      `${tag} 'CORRID' data-type is 'UINT64', but model 'sequence_string' expects 'BYTES'`,
    );
  });

  test('Triton’s errors, with what happened to the sequence behind them', async () => {
    const of = "to model 'sequence_direct'";
    expect(errorOf(await run('sequence_direct', 0, 's'))).toBe(
      `400 inference request ${of} must specify a non-zero or non-empty correlation ID`,
    );
    const start = 'must specify the START flag on the first request of the sequence';
    expect(errorOf(await run('sequence_direct', 99))).toBe(`400 inference request for sequence 99 ${of} ${start}`);
    await run('sequence_direct', 98, 'se');
    expect(errorOf(await run('sequence_direct', 98))).toMatch(
      /START flag on the first request of the sequence; sequence 98 was released \d+\.\d s ago \(END flag\)$/,
    );
    const tensor = { name: 'INPUT', datatype: 'INT32' as const, shape: [2, 1], data: [1, 2] };
    const two = infer('sequence_direct', [tensor], { head: { parameters: { sequence_id: 1, sequence_start: true } } });
    expect(errorOf(await ask(server.httpPort, two))).toBe(
      `400 inference request ${of} must specify batch-size 1 due to requirements of sequence batcher`,
    );
  });

  test('a client cannot send a control', async () => {
    const tensor = (name: string) => ({ name, datatype: 'INT32' as const, shape: [1, 1], data: [1] });
    const head = { parameters: { sequence_id: 1, sequence_start: true } };
    const more = infer('sequence_direct', [tensor('INPUT'), tensor('START')], { head });
    expect(errorOf(await ask(server.httpPort, more))).toContain('expected 1 inputs but got 2 inputs');
    const instead = infer('sequence_direct', [tensor('START')], { head });
    expect(errorOf(await ask(server.httpPort, instead))).toContain("unexpected inference input 'START'");
    const { inputs } = await askJson(server.httpPort, get('/v2/models/sequence_direct'));
    expect(inputs.map(({ name }: { name: string }) => name)).toEqual(['INPUT']);
  });

  test('direct: a sequence keeps its row, and what is below it is filled up and counted', async () => {
    for (const id of [1, 2, 3]) await run('sequence_direct', id, 's');
    const before = await statsOf('sequence_direct');
    expect(sequenceOutputs(await run('sequence_direct', 3))).toMatchObject({ row: 2, rows: 3, ready: 1 });
    expect(sequenceOutputs(await run('sequence_direct', 1))).toMatchObject({ row: 0, rows: 1, ready: 1 });
    const after = await statsOf('sequence_direct');
    expect(after.sizes.get(3)! - (before.sizes.get(3) ?? 0)).toBe(1);
    expect([after.rows - before.rows, after.executions - before.executions]).toEqual([2, 2]);
  });

  test('direct with inputs of any shape: fillers have the shape of the request', async () => {
    await run('sequence_string', 'a', 's', [1, 2]);
    const second = await run('sequence_string', 'b', 's', [1, 2, 3]);
    expect(outputsOf(second).OUTPUT).toEqual([1, 2, 3]);
    expect(sequenceOutputs(second)).toMatchObject({ row: 1, rows: 2, ready: 1, flags: [1, 0, 1] });
  });

  test('oldest: no row is filled up', async () => {
    for (const id of [1, 2, 3]) await run('sequence_oldest', id, 's');
    expect(sequenceOutputs(await run('sequence_oldest', 3))).toMatchObject({ row: 0, rows: 1, ready: 1 });
  });

  test('the controls of r19.11: START and READY, no strategy', async () => {
    expect(outputsOf(await run('sequence_old', 1, 's')).OUTPUT).toEqual([117]);
    expect(outputsOf(await run('sequence_old', 1)).OUTPUT).toEqual([107]);
  });

  test.each(['sequence_direct', 'sequence_oldest'])('many sequences at once over gRPC streams: %s', async (model) => {
    const client = new BytesClient(server.grpcPort);
    const streams = Array.from({ length: 4 }, () => openStream(client));
    const steps = 50;
    for (let nth = 0; nth < steps; nth++) {
      const flags = `${nth === 0 ? 's' : ''}${nth === steps - 1 ? 'e' : ''}`;
      for (const [index, stream] of streams.entries()) {
        stream.send(stepMessage(model, 1000 + index, { flags, inputs: [nth] }));
      }
    }
    for (const stream of streams) stream.halfClose();
    for (const [index, stream] of streams.entries()) {
      const responses = streamResponses((await stream.outcome).messages);
      expect(responses.map(({ error_message }) => error_message).filter((text) => text !== '')).toEqual([]);
      const values = responses.map(({ infer_response }) => infer_response.raw_output_contents[0]!.readInt32LE());
      expect(values).toEqual(Array.from({ length: steps }, (_, nth) => nth));
      const ids = responses.map(({ infer_response }) => infer_response.raw_output_contents[2]!.readInt32LE());
      expect(new Set(ids)).toEqual(new Set([1000 + index]));
    }
    client.close();
    expect((await viewOf(server, model)).live).toEqual([]);
  });

  test('over gRPC an id is a text or any number of 64 bits, and errors have their status', async () => {
    const client = new BytesClient(server.grpcPort);
    const stream = openStream(client);
    for (const flags of ['s', '', 'e', '']) stream.send(stepMessage('sequence_direct', 2n ** 64n - 1n, { flags }));
    stream.send(stepMessage('sequence_string', 'zwölf', { flags: 's' }));
    stream.halfClose();
    const responses = streamResponses((await stream.outcome).messages);
    const ids = responses.map(({ infer_response }) => infer_response.raw_output_contents?.[2]);
    expect(ids.slice(0, 3)).toEqual(Array(3).fill(Buffer.alloc(8, 0xff)));
    expect(responses[3]!.error_message).toContain('inference request for sequence 18446744073709551615 to model');
    expect(ids[4]!.toString('utf8', 4)).toBe('zwölf');
    const unary = await client.unary('/inference.GRPCInferenceService/ModelInfer', stepMessage('sequence_direct', 4));
    expect([unary.code, unary.details]).toEqual([3, expect.stringContaining('must specify the START flag')]);
    client.close();
  });

  test('the live view tells of slots, candidates and the ended', async () => {
    const id = 2n ** 64n - 1n;
    await run('sequence_direct', id, 's');
    const raw = (await ask(server.httpPort, get('/v2/models/sequence_direct/versions/1/sequences'))).body.toString();
    expect(raw).toContain('"sequence_id":18446744073709551615,');
    const { live, ...head } = await viewOf(server, 'sequence_direct');
    expect(head).toMatchObject({
      model_name: 'sequence_direct',
      model_version: '1',
      strategy: 'direct',
      slots_per_instance: 4,
    });
    expect(live).toMatchObject([
      { state: 'slot', instance: 'sequence_direct_0_0', slot: 0, requests_done: 1, requests_queued: 0 },
    ]);
    await run('sequence_direct', id, 'e');
    const { ended } = await viewOf(server, 'sequence_direct');
    expect(ended[0]).toMatchObject({ reason: 'end', cause: 'END flag', requests_done: 2 });
    await run('sequence_oldest', 8, 's');
    expect((await viewOf(server, 'sequence_oldest')).live).toMatchObject([{ sequence_id: 8, state: 'candidate' }]);
    expect(errorOf(await ask(server.httpPort, get('/v2/models/simple/sequences')))).toBe(
      "400 model 'simple' has no sequence_batching, so it keeps no sequences",
    );
  });

  test('the server’s metadata names the extension', async () => {
    const { extensions } = await askJson(server.httpPort, get('/v2'));
    expect(extensions.slice(0, 2)).toEqual(['classification', 'sequence']);
  });

  test('metrics count sequences', async () => {
    const labels = { model: 'sequence_old' };
    const started = await metric(server, 'conch_sequences_started_total', labels);
    const ended = await metric(server, 'conch_sequences_ended_total', { ...labels, reason: 'end' });
    await run('sequence_old', 1, 's');
    expect(await metric(server, 'conch_sequences_live', { ...labels, place: 'slot' })).toBe(1);
    expect(await metric(server, 'conch_sequences_live', { ...labels, place: 'backlog' })).toBe(0);
    await run('sequence_old', 1, 'e');
    expect(await metric(server, 'conch_sequences_started_total', labels)).toBe(started + 1);
    expect(await metric(server, 'conch_sequences_ended_total', { ...labels, reason: 'end' })).toBe(ended + 1);
  });

  async function statsOf(model: string) {
    const { model_stats } = await askJson(server.httpPort, get(`/v2/models/${model}/stats`));
    const { inference_count, execution_count, batch_stats } = model_stats[0];
    const sizes = batch_stats as { batch_size: number; compute_infer: { count: number } }[];
    return {
      rows: inference_count as number,
      executions: execution_count as number,
      sizes: new Map(sizes.map(({ batch_size, compute_infer }) => [batch_size, compute_infer.count])),
    };
  }
});

describe('with one slot', () => {
  let server: ServerProcess;

  beforeAll(async () => {
    const flags = ['--sequence-max-backlog=2'];
    const edits = { sequence_oldest: single, sequence_string: (text: string) => impatient(patient(text)) };
    server = await ServerProcess.start({ models: ['sequence_oldest', 'sequence_string'], edits, flags });
    return () => server.stop();
  });

  const backlog = async () => (await viewOf(server, 'sequence_oldest')).live.filter(({ state }) => state === 'backlog');
  const waits = (count: number) => until(`${count} sequences wait`, async () => (await backlog()).length === count);

  test('the next sequence waits for the end of the one before, and the backlog is bounded', async () => {
    await askStep(server, 'sequence_oldest', 1, { flags: 's' });
    const waiting = [askStep(server, 'sequence_oldest', 2, { flags: 'se' })];
    await waits(1);
    waiting.push(askStep(server, 'sequence_oldest', 3, { flags: 'se' }));
    await waits(2);
    expect(await backlog()).toMatchObject([
      { sequence_id: 2, position: 0, requests_done: 0, requests_queued: 1 },
      { sequence_id: 3, position: 1 },
    ]);
    expect(errorOf(await askStep(server, 'sequence_oldest', 4, { flags: 's' }))).toMatch(
      /^503 all sequence slots of model 'sequence_oldest' are taken and 2 sequences wait for one; .*--sequence-max-backlog/,
    );
    await askStep(server, 'sequence_oldest', 1, { flags: 'e' });
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200]);
  });

  test('a sequence that gets no slot in time fails, and counts as rejected', async () => {
    await askStep(server, 'sequence_oldest', 1, { flags: 's' });
    const late = await askStep(server, 'sequence_oldest', 2, { flags: 's', timeoutUs: 20_000 });
    expect(errorOf(late)).toBe('503 timeout of the corresponding sequence has been expired');
    const labels = { model: 'sequence_oldest', reason: 'REJECTED' };
    expect(await metric(server, 'nv_inference_request_failure', labels)).toBe(1);
    await askStep(server, 'sequence_oldest', 1, { flags: 'e' });
  });

  test('a client that goes away takes its waiting sequence along', async () => {
    await askStep(server, 'sequence_oldest', 1, { flags: 's' });
    const client = await RawClient.open(server.httpPort);
    client.ask(bytesOf(step('sequence_oldest', 2, { flags: 's' }))).catch(() => {});
    await waits(1);
    client.destroy();
    await waits(0);
    const { ended } = await viewOf(server, 'sequence_oldest');
    expect(ended[0]).toMatchObject({ sequence_id: 2, reason: 'cancelled', cause: 'a request of it was cancelled' });
    await askStep(server, 'sequence_oldest', 1, { flags: 'e' });
  });

  test('a stream that is cancelled takes its waiting sequences along', async () => {
    await askStep(server, 'sequence_oldest', 1, { flags: 's' });
    const client = new BytesClient(server.grpcPort);
    const stream = openStream(client);
    for (const flags of ['s', '', '']) stream.send(stepMessage('sequence_oldest', 2, { flags }));
    await waits(1);
    stream.cancel();
    await waits(0);
    client.close();
    await askStep(server, 'sequence_oldest', 1, { flags: 'e' });
  });

  test('a sequence that idles is released, and whoever goes on with it is told so', async () => {
    await askStep(server, 'sequence_string', 'idle', { flags: 's' });
    await until('it is released', async () => (await viewOf(server, 'sequence_string')).live.length === 0);
    expect(errorOf(await askStep(server, 'sequence_string', 'idle'))).toMatch(
      /the sequence; sequence idle was released \d+\.\d s ago \(idle longer than 50000 us\)$/,
    );
  });
});
