import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { InferRequest } from '../../../src/backends/request.js';
import type { HttpEngine } from '../../../src/protocols/http/engine.js';
import { NetEngine } from '../../../src/protocols/http/net.js';
import { UwsEngine } from '../../../src/protocols/http/uws.js';
import { loadUws } from '../../../src/protocols/http/uws-binary.js';
import type { JsonPool } from '../../../src/protocols/json-pool.js';
import type { WriteTask } from '../../../src/protocols/json-tasks.js';
import { write } from '../../../src/protocols/json-thread.js';
import { SocketService } from '../../../src/protocols/ws/service.js';
import { HandClock } from '../../fakes/clock.js';
import { PuppetModel } from '../../fakes/puppet-model.js';
import { serverOf } from '../grpc/idle-model.js';
import { EngineFixture, plain } from '../http/engine-fixture.js';
import { type Message, TestClient, until } from './socket-fixture.js';

vi.mock('../../../src/backends/worker-instance.js', () => import('../../fakes/puppet-worker.js'));

const limits = {
  maxMessageBytes: 1 << 20,
  maxUnsentBytes: 1 << 16,
  maxInFlight: 100,
  idleTimeoutMs: 0,
  pingIntervalMs: 0,
  maxConnections: 100,
  maxInputBytes: 1 << 20,
};

/** Writes in this thread, but not at once. */
const pool = {
  async write(task: WriteTask): Promise<Uint8Array> {
    await new Promise((resolve) => setImmediate(resolve));
    const outcome = write(task);
    if ('error' in outcome) throw new Error(outcome.error.message);
    return new Uint8Array(outcome.result);
  },
} as JsonPool;

const uws = loadUws();
const engines: [string, () => HttpEngine][] = [['net', () => new NetEngine()]];
if (typeof uws !== 'string') engines.push(['uws', () => new UwsEngine(uws)]);

interface Answer {
  readonly id: string;
  readonly error?: string;
  readonly status?: number;
  readonly parameters?: object;
  readonly outputs: readonly { readonly name: string; readonly data?: readonly number[] }[];
}

function answerOf({ bytes, isText }: Message): Answer {
  const json = isText ? bytes : bytes.subarray(4, 4 + bytes.readUInt32LE(0));
  return JSON.parse(json.toString()) as Answer;
}

/** `id: values`, with a full stop where it says that it is the last; errors as they are. */
function textOf(message: Message): string {
  const { id, error, status, parameters, outputs } = answerOf(message);
  if (error !== undefined) return `${id}: ${status} ${error}`;
  const isLast = (parameters as { triton_final_response: boolean }).triton_final_response;
  return `${id}: ${outputs.map(({ data }) => data!.join()).join(';')}${isLast ? '.' : ''}`;
}

describe.each(engines)('answers of a decoupled model over the engine %s', (_, makeEngine) => {
  let clock: HandClock;
  let model: PuppetModel;
  let service: SocketService;
  let fixture: EngineFixture;
  const clients: TestClient[] = [];

  beforeEach(async () => {
    clock = new HandClock();
    model = await PuppetModel.started({ clock });
    service = new SocketService(serverOf(model), limits, [], pool);
    const noHttp = (exchange: Parameters<Parameters<HttpEngine['listen']>[1]>[0]) =>
      exchange.reply(404, plain, Buffer.of());
    fixture = await EngineFixture.start(makeEngine(), noHttp, {}, service);
  });

  afterEach(async () => {
    for (const { webSocket } of clients.splice(0)) webSocket.terminate();
    await fixture.stop();
    service.stop();
    for (const request of [...model.running]) {
      model.finish(request);
      model.complete(request);
    }
    expect([model.inFlight, model.planes!.live]).toEqual([0, 0]);
    model.planes!.close();
    expect(model.arena.slots).toBe(0);
  });

  async function connect(query = ''): Promise<TestClient> {
    const client = new TestClient(`ws://127.0.0.1:${fixture.listener.port}/v2/models/puppet/infer${query}`, []);
    clients.push(client);
    await new Promise((resolve) => client.webSocket.once('open', resolve));
    return client;
  }

  async function ask(client: TestClient, id: string, parameters = {}): Promise<InferRequest> {
    const count = model.running.length;
    const inputs = [{ name: 'A', datatype: 'INT32', shape: [1], data: [1] }];
    client.send(JSON.stringify({ id, parameters, inputs }));
    await until(() => model.running.length > count);
    return model.running[count]!;
  }

  async function heard(client: TestClient, count: number): Promise<string[]> {
    return (await client.received(count)).map(textOf);
  }

  test('come as they are produced, with the id of their request, and say which is the last', async () => {
    const client = await connect();
    const [a, b] = [await ask(client, 'a'), await ask(client, 'b')];
    model.answer(a, [1], false, { note: 'x' });
    model.answer(b, [2]);
    model.answer(a, [3, 4], true);
    model.answer(b, [5], true);
    expect(await heard(client, 4)).toEqual(['a: 1', 'b: 2', 'a: 3,4.', 'b: 5.']);
    expect(answerOf(client.messages[0]!)).toEqual({
      id: 'a',
      model_name: 'puppet',
      model_version: '1',
      parameters: { note: 'x', triton_final_response: false },
      outputs: [{ name: 'Y', datatype: 'INT32', shape: [1], data: [1] }],
    });
  });

  test('are in the order of the requests where that was asked for', async () => {
    const client = await connect('?ordered=1');
    const [a, b] = [await ask(client, 'a'), await ask(client, 'b')];
    model.answer(b, [2]);
    model.answer(a, [1]);
    clock.advance(61e6);
    expect(b.cancelled).toBe(false);
    model.finish(a);
    model.answer(b, [3], true);
    expect(await heard(client, 3)).toEqual(['a: 1', 'b: 2', 'b: 3.']);
  });

  test('end without outputs only where that was asked for', async () => {
    const client = await connect();
    const quiet = await ask(client, 'quiet');
    const loud = await ask(client, 'loud', { triton_enable_empty_final_response: true });
    model.finish(quiet);
    model.finish(loud);
    expect(await heard(client, 1)).toEqual(['loud: .']);
    expect(service.counts).toMatchObject({ inFlight: 0, received: 2, sent: 1 });
  });

  test('end with an error, or with a cancel of the client', async () => {
    const client = await connect();
    const [a, b] = [await ask(client, 'a'), await ask(client, 'b')];
    model.answer(a, [1]);
    model.fail(a, 'it broke');
    model.answer(b, [2]);
    expect(await heard(client, 3)).toEqual(['a: 1', 'a: 500 it broke', 'b: 2']);
    client.send('{"cancel":"b"}');
    expect((await heard(client, 4))[3]).toBe('b: 499 the request was cancelled');
    expect(b.cancelled).toBe(true);
    model.answer(b, [3]);
    expect(model.inFlight).toBe(1);
  });

  test('come whole and in their order at any size, as JSON and as bytes', async () => {
    const client = await connect();
    const sizes = [1, 30_000, 200_000, 2, 100_000, 3];
    for (const binary_data_output of [false, true]) {
      client.messages.length = 0;
      const request = await ask(client, 'a', { binary_data_output });
      for (const [nth, size] of sizes.entries()) model.answer(request, new Array(size).fill(nth));
      model.finish(request);
      model.complete(request);
      const messages = await client.received(sizes.length);
      for (const [nth, size] of sizes.entries()) {
        const { bytes, isText } = messages[nth]!;
        const { data } = answerOf(messages[nth]!).outputs[0]!;
        expect(isText).toBe(!binary_data_output);
        if (isText) expect([data!.length, data![0], data!.at(-1)]).toEqual([size, nth, nth]);
        else
          expect([bytes.readInt32LE(bytes.length - size * 4), bytes.readInt32LE(bytes.length - 4)]).toEqual([nth, nth]);
      }
      await until(() => model.inFlight === 0);
    }
  });

  test.each([64, 1 << 16])(
    'of %d numbers hold their model up while its client reads nothing, which is cut off',
    async (size) => {
      const UNREAD_MAX = 4;
      const client = await connect();
      const request = await ask(client, 'a', { binary_data_output: true });
      client.webSocket.pause();
      const answerAll = () => {
        while (request.unread < UNREAD_MAX && !request.cancelled) model.answer(request, new Array(size).fill(7));
      };
      request.watch({ onRead: answerAll, onCancelled: () => {} });
      answerAll();
      await until(() => request.unread === UNREAD_MAX);
      expect(model.arena.used).toBeLessThan(UNREAD_MAX * size * 4 + (1 << 16));
      clock.advance(60e6);
      expect(request.cancelled).toBe(true);
      await until(() => request.unread === 0);
      client.webSocket.resume();
      expect((await client.ended()).code).toBe(1006);
    },
  );
});
