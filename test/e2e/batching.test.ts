import { beforeAll, describe, expect, test } from 'vitest';
import { RawClient } from '../protocols/http/raw-client.js';
import { Crowd } from './crowd.js';
import { metric } from './metrics.js';
import {
  ask,
  askJson,
  binaryOutputs,
  bytesOf,
  get,
  type HttpRequest,
  infer,
  oneNumber,
  outputsOf,
  simpleInputs,
  simpleOutputs,
} from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';
import { until } from './until.js';

/** For requests that are to wait for one another: nothing happens because the delay has passed. */
const patient = (text: string) =>
  text.replace('max_queue_delay_microseconds: 200000', 'max_queue_delay_microseconds: 60000000');

onEachEngine((engine) => {
  let server: ServerProcess;

  beforeAll(async () => {
    server = await ServerProcess.start({
      engine,
      models: ['simple', 'simple_b64', 'slow', 'slow_priority', 'slow_queue', 'slow_timeout', 'delayed', 'ordered'],
      edits: { delayed: patient },
    });
    return () => server.stop();
  });

  interface Batches {
    readonly requests: number;
    readonly rows: number;
    readonly executions: number;
    /** Executions by number of rows. */
    readonly sizes: ReadonlyMap<number, number>;
  }

  async function batchesOf(model: string): Promise<Batches> {
    const { model_stats } = await askJson(server.httpPort, get(`/v2/models/${model}/stats`));
    const { inference_count, execution_count, inference_stats, batch_stats } = model_stats[0];
    const sizes = batch_stats as { batch_size: number; compute_infer: { count: number } }[];
    return {
      requests: inference_stats.success.count,
      rows: inference_count,
      executions: execution_count,
      sizes: new Map(sizes.map(({ batch_size, compute_infer }) => [batch_size, compute_infer.count])),
    };
  }

  const pending = (model: string) => metric(server, 'nv_inference_pending_request_count', { model });
  const numbered = (model: string, count: number, head: object = {}): HttpRequest[] =>
    Array.from({ length: count }, (_, index) => infer(model, oneNumber(index), { head }));

  async function expectOwnAnswers(crowd: Crowd): Promise<void> {
    const answers = await crowd.answers;
    expect(answers.map(outputsOf)).toEqual(answers.map((_, index) => ({ OUTPUT0: [index] })));
  }

  describe('without dynamic batching', () => {
    test('each request is an execution of its own', async () => {
      const crowd = await Crowd.ask(
        server,
        Array.from({ length: 20 }, (_, first) => infer('simple', simpleInputs(first))),
      );
      const answers = await crowd.answers;
      expect(answers.map(outputsOf)).toEqual(answers.map((_, first) => simpleOutputs(first)));
      expect(await batchesOf('simple')).toMatchObject({ requests: 20, executions: 20, sizes: new Map([[1, 20]]) });
    });
  });

  describe('with dynamic batching', () => {
    test('many clients share executions, and statistics add up', async () => {
      const clients = await Promise.all(Array.from({ length: 32 }, () => RawClient.open(server.httpPort)));
      const each = 50;
      await Promise.all(
        clients.map(async (client, index) => {
          for (let nth = 0; nth < each; nth++) {
            const first = index * 1000 + nth;
            const answer = await client.ask(bytesOf(infer('simple_b64', simpleInputs(first), { head: binaryOutputs })));
            expect(outputsOf(answer!)).toEqual(simpleOutputs(first));
          }
          client.destroy();
        }),
      );
      const { requests, rows, executions, sizes } = await batchesOf('simple_b64');
      expect([requests, rows]).toEqual([32 * each, 32 * each]);
      expect(executions).toBeLessThan(requests);
      expect(Math.max(...sizes.keys())).toBeGreaterThan(1);
      expect(sum(sizes.values())).toBe(executions);
      expect(sum([...sizes].map(([size, count]) => size * count))).toBe(rows);
    });

    test('says why its batches are as large as they are', async () => {
      for (let nth = 0; nth < 3; nth++) await ask(server.httpPort, infer('simple_b64', simpleInputs(nth)));
      const report = await askJson(server.httpPort, get('/v2/models/simple_b64/batching'));
      const { executions } = await batchesOf('simple_b64');
      expect(report).toMatchObject({ model_name: 'simple_b64', model_version: '1' });
      const counts = Object.values(report.batches_by_reason as Record<string, number>);
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(executions);
      expect(report.batches_by_reason.idle_instance).toBeGreaterThan(0);
      expect(report.sentences.join(' ')).toMatch(/^\d+ batches ran, with .* ran at once because an instance was idle/);
      expect((await ask(server.httpPort, get('/v2/models/missing/batching'))).status).toBe(404);
    });

    test('requests that wait together run together', async () => {
      await expectOwnAnswers(await Crowd.ask(server, numbered('slow', 12)));
      const { rows, executions, sizes } = await batchesOf('slow');
      expect(rows).toBe(12);
      // Batches of four, but for the first, which waits for nobody, and what that leaves.
      expect(executions).toBeLessThan(12);
      expect(sizes.get(4)).toBeGreaterThan(0);
    });

    test('a preferred size is waited for, and sent as soon as it is there', async () => {
      const three = await Crowd.ask(server, numbered('delayed', 3));
      await until('three requests wait', async () => (await pending('delayed')) === 3);
      expect(await batchesOf('delayed')).toMatchObject({ executions: 0 });
      const fourth = await Crowd.ask(server, numbered('delayed', 1));
      await expectOwnAnswers(three);
      await expectOwnAnswers(fourth);
      expect(await batchesOf('delayed')).toMatchObject({ rows: 4, sizes: new Map([[4, 1]]) });
    });

    test('the memory of requests that wait is theirs until they are answered', async () => {
      const bytes = (kind: string, state: string) =>
        metric(server, 'conch_plane_bytes', { model: 'delayed', kind, state });
      const three = await Crowd.ask(server, numbered('delayed', 3));
      await until('three requests wait', async () => (await pending('delayed')) === 3);
      // A row is one FP32.
      expect(await bytes('input', 'in_use')).toBe(12);
      expect(await bytes('input', 'reserved')).toBeGreaterThan(0);
      expect(await bytes('output', 'in_use')).toBe(0);
      await expectOwnAnswers(await Crowd.ask(server, numbered('delayed', 1)));
      await expectOwnAnswers(three);
      await until('nothing is in use', async () => (await bytes('input', 'in_use')) === 0);
      await until('all outputs are sent', async () => (await bytes('output', 'in_use')) === 0);
      expect(await bytes('output', 'reserved')).toBe(0);
    });

    test('those that wait and whose clients vanish are not in the batch', async () => {
      const before = await batchesOf('delayed');
      const gone = await Crowd.ask(server, numbered('delayed', 2));
      const stays = await Crowd.ask(server, numbered('delayed', 1));
      await until('three requests wait', async () => (await pending('delayed')) === 3);
      for (const client of gone.clients) client.destroy();
      await expect(gone.answers).rejects.toThrow('closed without an answer');
      await until('only one still waits', async () => (await pending('delayed')) === 1);
      await expectOwnAnswers(await Crowd.ask(server, numbered('delayed', 3)));
      await expectOwnAnswers(stays);
      expect((await batchesOf('delayed')).rows).toBe(before.rows + 4);
    });

    test('requests of several rows are batched by rows', async () => {
      const rowsOf = (rows: number, first: number): HttpRequest => {
        const data = Array.from({ length: rows }, (_, row) => first + row);
        return infer('delayed', [{ name: 'INPUT0', datatype: 'FP32', shape: [rows, 1], data }]);
      };
      const before = await batchesOf('delayed');
      const answers = await (await Crowd.ask(server, [rowsOf(3, 10), rowsOf(1, 20)])).answers;
      expect(answers.map(outputsOf)).toEqual([{ OUTPUT0: [10, 11, 12] }, { OUTPUT0: [20] }]);
      const after = await batchesOf('delayed');
      expect([after.rows - before.rows, after.executions - before.executions]).toEqual([4, 1]);
      const tooMany = await ask(server.httpPort, rowsOf(9, 0));
      expect([tooMany.status, tooMany.body.toString()]).toEqual([400, expect.stringContaining('must be <= 8')]);
    });

    test('the order of requests is kept where it is asked for, whoever leaves', async () => {
      for (let round = 0; round < 10; round++) {
        const leaving = await Crowd.ask(server, numbered('ordered', 40));
        const staying = await Crowd.ask(server, numbered('ordered', 40));
        for (const client of leaving.clients) client.destroy();
        await expectOwnAnswers(staying);
      }
    });
  });

  describe('the queue', () => {
    test('serves priorities first', async () => {
      // Three batches keep the instance busy until all others have come.
      const busy = await Crowd.ask(server, numbered('slow_priority', 12, { parameters: { priority: 1 } }));
      const levels = [3, 3, 3, 3, 0, 0, 2, 2, 1, 1, 1, 1];
      const requests = levels.map((priority) =>
        infer('slow_priority', oneNumber(1), { head: { parameters: { priority } } }),
      );
      const crowd = await Crowd.ask(server, requests);
      await Promise.all([busy.answers, crowd.answers]);
      const order = crowd.arrivals.map((index) => levels[index]!);
      // Levels that follow one another may share a batch, 1 and 3 cannot: four of level 2, and of no level, are between them.
      expect(order.lastIndexOf(1)).toBeLessThan(order.indexOf(3));
    });

    test('refuses what is too much for it, at once', async () => {
      const answers = await (await Crowd.ask(server, numbered('slow_queue', 12))).answers;
      const refused = answers.filter(({ status }) => status !== 200);
      expect(refused.length).toBeGreaterThan(0);
      for (const { status, body } of refused) {
        expect([status, body.toString()]).toEqual([503, expect.stringContaining('Exceeds maximum queue size')]);
      }
      for (const [index, answer] of answers.entries()) {
        if (answer.status === 200) expect(outputsOf(answer)).toEqual({ OUTPUT0: [index] });
      }
      expect(refused.length).toBeLessThan(12);
    });

    test('refuses what has waited too long', async () => {
      const reason = { model: 'slow_timeout', reason: 'REJECTED' };
      const rejected = () => metric(server, 'nv_inference_request_failure', reason);
      const before = await rejected();
      const answers = await (await Crowd.ask(server, numbered('slow_timeout', 16))).answers;
      const late = answers.filter(({ status }) => status !== 200);
      expect(late.length).toBeGreaterThan(0);
      expect(late.length).toBeLessThan(16);
      for (const { status, body } of late) {
        expect([status, JSON.parse(body.toString())]).toEqual([503, { error: 'Request timeout expired' }]);
      }
      expect((await rejected()) - before).toBe(late.length);
    });
  });

  test('what has waited too long is served after the others where its model says so', async () => {
    const delay = await ServerProcess.start({
      engine,
      models: ['slow_timeout'],
      edits: { slow_timeout: (text) => text.replace('REJECT', 'DELAY') },
    });
    await expectOwnAnswers(await Crowd.ask(delay, numbered('slow_timeout', 12)));
    await delay.stop();
  });
});

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, number) => total + number, 0);
}
