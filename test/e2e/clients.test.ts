import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { RawClient } from '../protocols/http/raw-client.js';
import { memoryUsed, metric } from './metrics.js';
import {
  ask,
  binaryOutputs,
  bytesOf,
  get,
  headOf,
  infer,
  manyBytes,
  oneNumber,
  outputsOf,
  post,
  simpleInputs,
  simpleOutputs,
} from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';
import { until } from './until.js';

const MEGABYTE = 1024 * 1024;

/** A model keeps up to four blocks of rows for the next requests: 1 KB each of `simple`, 64 bytes of `slow`. */
const KEPT_BYTES = 4 * (1024 + 64);

const large = (bytes: number) => infer('identity_uint8', manyBytes(bytes), { head: binaryOutputs });
const slow = infer('slow', oneNumber(1));

/** All clients of one test, and the server that they are to leave as they found it. */
class Visitors {
  server!: ServerProcess;
  /** Tensor memory in use while the server has nothing to do. */
  idle = 0;
  readonly #clients: RawClient[] = [];

  async connect(): Promise<RawClient> {
    const client = await RawClient.open(this.server.httpPort);
    this.#clients.push(client);
    return client;
  }

  connectAll(count: number): Promise<RawClient[]> {
    return Promise.all(Array.from({ length: count }, () => this.connect()));
  }

  leave(): void {
    for (const client of this.#clients.splice(0)) client.destroy();
  }

  /** Requests that no instance has begun. */
  pending(model: string): Promise<number> {
    return metric(this.server, 'nv_inference_pending_request_count', { model });
  }

  /** Nobody is connected, nothing waits or runs. */
  async isQuiet(): Promise<boolean> {
    if ((await metric(this.server, 'conch_http_connections')) > 0) return false;
    return (await this.pending('slow')) === 0;
  }

  /** Holds a test's requests against what the server held before it. To be called when it has nothing to do. */
  async settle(): Promise<void> {
    const request = bytesOf(infer('simple', simpleInputs(1)));
    const clients = await this.connectAll(40);
    await Promise.all(clients.map((client) => client.ask(request)));
    this.leave();
    await until('the server is quiet', () => this.isQuiet());
    this.idle = await memoryUsed(this.server);
  }

  /** All is given back. */
  async isAsBefore(): Promise<boolean> {
    if (!(await this.isQuiet())) return false;
    const used = await memoryUsed(this.server);
    return used <= this.idle + KEPT_BYTES;
  }

  async expectQuick(): Promise<void> {
    const client = await this.connect();
    for (let first = 0; first < 100; first++) {
      const answer = await client.ask(bytesOf(infer('simple', simpleInputs(first))));
      expect(outputsOf(answer!)).toEqual(simpleOutputs(first));
    }
    expect((await client.ask(bytesOf(large(100_000))))!.status).toBe(200);
    expect((await client.ask(bytesOf(get('/v2/health/ready'))))!.status).toBe(200);
  }
}

onEachEngine((engine) => {
  const visitors = new Visitors();
  const models = ['simple', 'slow', 'identity_uint8'];

  describe('a client that stalls', () => {
    beforeAll(async () => {
      visitors.server = await ServerProcess.start({ engine, models });
      await visitors.settle();
      return () => visitors.server.stop();
    });

    afterEach(async () => {
      visitors.leave();
      await until('all memory is given back', () => visitors.isAsBefore());
    });

    test('while it reads 16 MB blocks nobody, and gets every byte', async () => {
      const readers = await visitors.connectAll(4);
      const asked = bytesOf(large(16 * MEGABYTE));
      const answers = readers.map((reader) => {
        const answer = reader.ask(asked);
        reader.socket.pause();
        return answer;
      });
      await until(
        'the answers fill the sockets',
        async () => (await memoryUsed(visitors.server)) >= visitors.idle + 4 * 16 * MEGABYTE,
      );
      await visitors.expectQuick();
      for (const reader of readers) reader.socket.resume();
      const sent = manyBytes(16 * MEGABYTE)[0]!.data as Buffer;
      for (const answer of await Promise.all(answers)) {
        expect(answer!.body.subarray(-sent.length).equals(sent)).toBe(true);
      }
    });

    test.each([1000, 100_000, 16 * MEGABYTE])('in a body of %d bytes blocks nobody, and is answered', async (bytes) => {
      const writers = await visitors.connectAll(4);
      const whole = bytesOf(large(bytes));
      const half = Math.floor(whole.length / 2);
      for (const writer of writers) await writer.write(whole.subarray(0, half));
      await visitors.expectQuick();
      const answers = await Promise.all(writers.map((writer) => writer.ask(whole.subarray(half))));
      expect(answers.map((answer) => answer?.status)).toEqual([200, 200, 200, 200]);
    });

    test('in a head blocks nobody, and is answered', async () => {
      const client = await visitors.connect();
      const whole = bytesOf(infer('simple', simpleInputs(3)));
      await client.write(whole.subarray(0, 30));
      await visitors.expectQuick();
      expect(outputsOf((await client.ask(whole.subarray(30)))!)).toEqual(simpleOutputs(3));
    });
  });

  describe('a client that vanishes', () => {
    beforeAll(async () => {
      visitors.server = await ServerProcess.start({ engine, models });
      await visitors.settle();
      return () => visitors.server.stop();
    });

    afterEach(async () => {
      visitors.leave();
      await until('all memory is given back', () => visitors.isAsBefore());
      expect(outputsOf(await ask(visitors.server.httpPort, infer('slow', oneNumber(7))))).toEqual({ OUTPUT0: [7] });
      expect(outputsOf(await ask(visitors.server.httpPort, infer('simple', simpleInputs(7))))).toEqual(
        simpleOutputs(7),
      );
    });

    const parts: [string, Buffer, number][] = [
      ['in the head of its request', bytesOf(slow), 40],
      ['before the body', bytesOf(slow), headOf(slow).length],
      ['in a JSON body', bytesOf(slow), bytesOf(slow).length - 1],
      [
        'in a small binary body',
        bytesOf(infer('simple', simpleInputs(1))),
        bytesOf(infer('simple', simpleInputs(1))).length - 60,
      ],
      ['in the JSON of a large body', bytesOf(large(MEGABYTE)), headOf(large(MEGABYTE)).length + 20],
      ['in the tensors of a large body', bytesOf(large(MEGABYTE)), 700_000],
    ];

    test.each(parts)('%s leaves nothing behind', async (_, bytes, sent) => {
      for (const client of await visitors.connectAll(20)) {
        await client.write(bytes.subarray(0, sent));
        client.destroy();
      }
    });

    test('while it is waited for leaves nothing behind', async () => {
      const partly = await visitors.connectAll(20);
      await Promise.all(partly.map((client) => client.write(bytesOf(large(MEGABYTE)).subarray(0, 700_000))));
      await until(
        'tensors are written as they come',
        async () => (await memoryUsed(visitors.server)) >= visitors.idle + 20 * MEGABYTE,
      );
      for (const client of partly) client.destroy();
    });

    test('while its request waits or runs leaves nothing behind', async () => {
      const cancelled = () =>
        metric(visitors.server, 'nv_inference_request_failure', { model: 'slow', reason: 'CANCELED' });
      const before = await cancelled();
      const clients = await visitors.connectAll(24);
      for (const client of clients) await client.write(bytesOf(slow));
      await until('some requests wait', async () => (await visitors.pending('slow')) > 0);
      for (const client of clients) client.destroy();
      await until('those that waited are counted as cancelled', async () => (await cancelled()) > before);
    });

    test('while some of the requests in its batch stay leaves those alone', async () => {
      const clients = await visitors.connectAll(16);
      const answers = clients.map((client, index) => client.ask(bytesOf(infer('slow', oneNumber(index)))));
      await until('some requests wait', async () => (await visitors.pending('slow')) > 0);
      for (const [index, client] of clients.entries()) if (index % 3 === 0) client.destroy();
      const results = await Promise.all(answers);
      for (const [index, answer] of results.entries()) {
        if (index % 3 !== 0) expect(outputsOf(answer!)).toEqual({ OUTPUT0: [index] });
      }
    });

    test('while 16 MB are sent to it leaves nothing behind', async () => {
      const clients = await visitors.connectAll(3);
      for (const client of clients) {
        client.socket.pause();
        await client.write(bytesOf(large(16 * MEGABYTE)));
      }
      await until(
        'the answers wait',
        async () => (await memoryUsed(visitors.server)) >= visitors.idle + 3 * 16 * MEGABYTE,
      );
      for (const client of clients) client.destroy();
    });

    test('right after its last byte leaves nothing behind', async () => {
      for (const client of await visitors.connectAll(50)) {
        await client.write(bytesOf(infer('simple', simpleInputs(1), { head: binaryOutputs })));
        client.destroy();
      }
    });

    test('while its body is decompressed or its answer compressed leaves nothing behind', async () => {
      const body = Buffer.from(randomBytes(MEGABYTE).toString('hex'));
      const tensor = [
        { name: 'INPUT0', datatype: 'UINT8', shape: [1, body.length], data: body, binary: true },
      ] as const;
      const plain = infer('identity_uint8', tensor, { head: binaryOutputs, headers: { 'Accept-Encoding': 'gzip' } });
      const headers = { ...plain.headers, 'Content-Encoding': 'gzip' };
      const request = { ...plain, headers, body: gzipSync(plain.body) };
      const executed = () => metric(visitors.server, 'nv_inference_exec_count', { model: 'identity_uint8' });
      const before = await executed();
      const clients = await visitors.connectAll(6);
      await Promise.all(clients.map((client) => client.write(bytesOf(request))));
      for (const client of clients.slice(0, 3)) client.destroy();
      await until('the others are executed', async () => (await executed()) > before);
      for (const client of clients) client.destroy();
    });
  });

  describe('memory', () => {
    test('is bounded: over it a request is refused at once, and the server recovers', async () => {
      visitors.server = await ServerProcess.start({
        engine,
        models,
        flags: [`--tensor-memory-byte-size=${8 * MEGABYTE}`],
      });
      await visitors.settle();
      const bytes = bytesOf(large(MEGABYTE));
      const holders = await visitors.connectAll(5);
      for (const holder of holders) await holder.write(bytes.subarray(0, 700_000));
      await until(
        'the holders have their slots',
        async () => (await memoryUsed(visitors.server)) >= visitors.idle + 5 * MEGABYTE,
      );

      // Nobody finishes: what comes now is refused although its body is not complete.
      const refused = await visitors.connect();
      await refused.write(bytesOf(large(2 * MEGABYTE)).subarray(0, 700_000));
      const answer = (await refused.answer())!;
      expect(answer.status).toBe(429);
      expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
      expect(answer.headers.get('content-type')).toBe('application/json');
      expect(answer.body.toString()).toMatch(/--tensor-memory-byte-size/);
      refused.destroy();

      // Small requests still have room.
      await Promise.all(
        Array.from({ length: 50 }, async (_, first) => {
          const request = infer('simple', simpleInputs(first));
          expect(outputsOf(await ask(visitors.server.httpPort, request))).toEqual(simpleOutputs(first));
        }),
      );
      for (const holder of holders) expect((await holder.ask(bytes.subarray(700_000)))!.status).toBe(200);
      visitors.leave();
      await until('all memory is given back', () => visitors.isAsBefore());
      expect((await ask(visitors.server.httpPort, large(2 * MEGABYTE))).status).toBe(200);
      await visitors.server.stop();
    });

    test('is bounded whatever comes at once: each request is answered or refused by name', async () => {
      visitors.server = await ServerProcess.start({
        engine,
        models,
        flags: [`--tensor-memory-byte-size=${8 * MEGABYTE}`],
      });
      await visitors.settle();
      const answers = await Promise.all(
        (await visitors.connectAll(24)).map((client) => client.ask(bytesOf(large(MEGABYTE)))),
      );
      const statuses = new Set(answers.map((answer) => answer?.status));
      expect([...statuses].filter((status) => status !== 200 && status !== 429)).toEqual([]);
      expect(statuses).toContain(200);
      visitors.leave();
      await until('all memory is given back', () => visitors.isAsBefore());
      await visitors.expectQuick();
      visitors.leave();
      await visitors.server.stop();
    });

    test('of bodies of index requests whose clients vanish is given back', async () => {
      const flags = [`--tensor-memory-byte-size=${MEGABYTE}`];
      visitors.server = await ServerProcess.start({ engine, models, flags });
      const half = bytesOf(post('/v2/repository/index', '{"ready": true}')).subarray(0, -5);
      for (const client of await visitors.connectAll(70)) {
        await client.write(half);
        // The server has read that before this is answered.
        await visitors.isQuiet();
        client.destroy();
      }
      await until('the server is quiet', () => visitors.isQuiet());
      const client = await visitors.connect();
      const whole = bytesOf(infer('simple', simpleInputs(1)));
      await client.write(whole.subarray(0, -10));
      await visitors.isQuiet();
      const answer = (await client.ask(whole.subarray(-10)))!;
      visitors.leave();
      await visitors.server.stop();
      expect(answer.status).toBe(200);
    });
  });
});
