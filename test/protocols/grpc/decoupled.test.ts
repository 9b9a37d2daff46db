import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { InferRequest } from '../../../src/backends/request.js';
import { BodyBudget } from '../../../src/protocols/body-buffer.js';
import { ConchEngine } from '../../../src/protocols/grpc/conch.js';
import type { PartsHolder } from '../../../src/protocols/grpc/engine.js';
import { GrpcJsEngine } from '../../../src/protocols/grpc/grpc-js.js';
import { InferEndpoint } from '../../../src/protocols/grpc/infer-endpoint.js';
import { HandClock } from '../../fakes/clock.js';
import { PuppetModel } from '../../fakes/puppet-model.js';
import { GrpcFixture, STREAM, status, UNARY } from './engine-fixture.js';
import { FakeCall } from './fake-call.js';
import { serverOf } from './idle-model.js';
import { streamResponses } from './real-server.js';
import { encodeRequest, type TwinRequest } from './twin.js';

vi.mock('../../../src/backends/worker-instance.js', () => import('../../fakes/puppet-worker.js'));

const EMPTY_FINAL = { triton_enable_empty_final_response: { bool_param: true } };

let clock: HandClock;
let many: PuppetModel;
let once: PuppetModel;
let endpoint: InferEndpoint;

beforeEach(async () => {
  clock = new HandClock();
  many = await PuppetModel.started({ name: 'many', clock });
  once = await PuppetModel.started({ name: 'once', isDecoupled: false, clock });
  endpoint = new InferEndpoint(serverOf(many, once), new BodyBudget(1 << 22));
});

/** Everything came back. */
afterEach(() => {
  for (const model of [many, once]) {
    for (const request of [...model.running]) end(model, request);
    expect([model.inFlight, model.planes!.live]).toEqual([0, 0]);
    model.planes!.close();
    expect(model.arena.slots).toBe(0);
  }
});

function end(model: PuppetModel, request: InferRequest): void {
  if (model.isDecoupled) model.finish(request);
  model.complete(request);
}

function requestTo(model: string, id: string, parameters = {}): Buffer {
  const inputs = [{ name: 'A', datatype: 'INT32', shape: [1] }];
  const request: TwinRequest = { model_name: model, id, inputs, parameters, raw_input_contents: [Buffer.alloc(4)] };
  return encodeRequest(request);
}

/** `id: values` of each message, with a full stop where it says that it is the last; errors as they are. */
function heard(messages: readonly Buffer[]): string[] {
  return streamResponses(messages).map(({ error_message, infer_response }) => {
    const { id, parameters, raw_output_contents } = infer_response;
    const values = (raw_output_contents ?? []).map((bytes) =>
      Array.from({ length: bytes.length / 4 }, (_, nth) => bytes.readInt32LE(nth * 4)).join(),
    );
    const isLast = parameters?.triton_final_response?.bool_param ?? false;
    return `${id}: ${error_message || values.join(';')}${isLast ? '.' : ''}`;
  });
}

function openStream(call = new FakeCall()): FakeCall {
  endpoint.openStream(call);
  return call;
}

function ask(call: FakeCall, model: PuppetModel, id: string, parameters = {}): InferRequest {
  call.owner.onMessage(call, requestTo(model.name, id, parameters));
  return model.running.at(-1)!;
}

describe('a stream', () => {
  test('has the answers of a decoupled model as they come, and all others in their order', () => {
    const call = openStream();
    const a = ask(call, many, 'a');
    const first = ask(call, once, '1');
    const b = ask(call, many, 'b');
    const second = ask(call, once, '2');
    const int = (value: number) => ({ outputs: [{ shape: [1], bytes: Buffer.from(Int32Array.of(value).buffer) }] });
    once.complete(second, int(2));
    many.answer(b, [1]);
    many.answer(a, [2]);
    many.answer(b, [3, 4], true);
    once.complete(first, int(1));
    many.answer(a, [5], true);
    expect(heard(call.sent)).toEqual(['b: 1', 'a: 2', 'b: 3,4.', '1: 1.', '2: 2.', 'a: 5.']);
  });

  test('leaves out the outputs that a model did not make, and has its parameters', () => {
    const call = openStream();
    const request = ask(call, many, 'a');
    many.answer(request, [7], false, {
      flag: true,
      count: -3,
      far: { int64: '-9007199254740993' },
      ratio: 0.5,
      text: '',
    });
    const [{ infer_response }] = streamResponses(call.sent) as unknown as [{ infer_response: object }];
    expect(JSON.parse(JSON.stringify(infer_response))).toMatchObject({
      model_name: 'many',
      model_version: '1',
      outputs: [{ name: 'Y', datatype: 'INT32', shape: ['1'] }],
      parameters: {
        triton_final_response: { bool_param: false },
        flag: { bool_param: true },
        count: { int64_param: '-3' },
        far: { int64_param: '-9007199254740993' },
        ratio: { double_param: 0.5 },
        text: { string_param: '' },
      },
    });
  });

  test('tells of the end without outputs only where that was asked for', () => {
    const call = openStream();
    const [quiet, loud] = [ask(call, many, 'quiet'), ask(call, many, 'loud', EMPTY_FINAL)];
    for (const request of [quiet, loud]) {
      many.answer(request, [1]);
      many.finish(request);
    }
    expect(heard(call.sent)).toEqual(['quiet: 1', 'loud: 1', 'loud: .']);
    const { infer_response } = streamResponses(call.sent).at(-1)!;
    // As the client wrote it: the latest.
    expect([infer_response.model_name, infer_response.model_version]).toEqual(['many', '']);
    call.owner.onHalfClose(call);
    expect(call.ended).toBe('0: ');
  });

  test('has errors among the answers, and stays', () => {
    const call = openStream();
    const request = ask(call, many, 'a');
    many.answer(request, [1]);
    many.respond(request, { note: { error: { code: 'UNAVAILABLE', message: 'tired' } } });
    call.owner.onMessage(call, encodeRequest({ model_name: 'many', id: 'b' }));
    const again = ask(call, many, 'c');
    many.answer(again, [2], true);
    const messages = heard(call.sent);
    expect(messages[2]).toContain('expected 1 inputs but got 0 inputs');
    expect([...messages.slice(0, 2), messages[3]]).toEqual(['a: 1', 'a: tired.', 'c: 2.']);
    expect(call.ended).toBe('');
  });

  test('ends with the first error of a model where the client says so', () => {
    const call = openStream(new FakeCall({ triton_grpc_error: 'true' }));
    const [a, b] = [ask(call, many, 'a'), ask(call, many, 'b')];
    many.answer(a, [1]);
    many.fail(a, 'it broke');
    expect([heard(call.sent), call.ended, b.cancelled]).toEqual([['a: 1'], '13: it broke', true]);
  });

  test('ends when its last request does', () => {
    const call = openStream();
    const request = ask(call, many, 'a');
    call.owner.onHalfClose(call);
    many.answer(request, [1]);
    expect(call.ended).toBe('');
    many.finish(request);
    expect(call.ended).toBe('0: ');
  });

  test('holds the answers that its client does not take, and takes turns when it does', () => {
    const call = openStream();
    call.isWritable = false;
    const [a, b] = [ask(call, many, 'a'), ask(call, many, 'b')];
    for (let value = 0; value < 2; value++) for (const request of [a, b]) many.answer(request, [value]);
    expect([call.sent, call.isPaused, a.unread, b.unread]).toEqual([[], true, 2, 2]);
    call.isWritable = true;
    call.owner.onDrain(call);
    expect(heard(call.sent)).toEqual(['a: 0', 'b: 0', 'a: 1', 'b: 1']);
    expect([call.isPaused, a.unread, b.unread]).toEqual([false, 0, 0]);
  });

  test('cancels all its requests when its client goes', () => {
    const call = openStream();
    call.isWritable = false;
    const [a, b] = [ask(call, many, 'a'), ask(call, many, 'b')];
    many.answer(a, [1]);
    call.owner.onCancel(call);
    expect([a.cancelled, b.cancelled, a.unread]).toEqual([true, true, 0]);
    many.answer(a, [2]);
    expect(call.sent).toEqual([]);
  });

  test('is cut off when its client takes nothing for too long, and only then', () => {
    const call = openStream();
    const other = openStream();
    call.isWritable = false;
    const [a, b] = [ask(call, many, 'a'), ask(call, once, 'b')];
    many.answer(a, [1]);
    many.answer(ask(other, many, 'c'), [1]);
    clock.advance(59e6);
    expect(call.ended).toBe('');
    clock.advance(1e6);
    expect([a.cancelled, b.cancelled]).toEqual([true, true]);
    expect(call.ended).toBe('14: cut: the client took no answer for too long (--response-timeout-secs)');
    expect(other.ended).toBe('');
  });

  test('is cut off by views that nobody takes, also when all was sent', () => {
    let holder: PartsHolder | null = null;
    class SlowCall extends FakeCall {
      override sendParts(_parts: readonly Uint8Array[], of: PartsHolder): void {
        holder = of;
      }
      override cut(): void {
        this.ended = 'cut';
        holder!.onPartsReleased();
      }
    }
    const call = openStream(new SlowCall());
    const request = ask(call, many, 'a');
    many.answer(request, new Array(1 << 15).fill(0), true);
    call.owner.onHalfClose(call);
    expect([call.ended, request.unread]).toEqual(['0: ', 1]);
    clock.advance(60e6);
    expect([call.ended, request.unread]).toEqual(['cut', 0]);
  });
});

/** What may happen on one stream; `nth` picks a request, the newest first. */
const action = fc.record({
  kind: fc.constantFrom('many', 'once', 'answer', 'answer', 'answer', 'end', 'end', 'fail', 'block', 'free'),
  nth: fc.nat(4),
});

test('whatever happens, each request hears all its answers in order, and those that are answered once in the order of all', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 100 }), async (actions) => {
      const call = openStream();
      const requests: { id: string; model: PuppetModel; request: InferRequest; expected: string[]; isOver: boolean }[] =
        [];
      let values = 0;
      const act = (kind: string, of: (typeof requests)[number]): void => {
        const { id, model, request, expected } = of;
        if (of.isOver) return;
        of.isOver = kind !== 'answer';
        const value = ++values;
        if (kind === 'fail') {
          expected.push(`${id}: it died.`);
          model.fail(request);
        } else if (model === once) {
          of.isOver = true;
          expected.push(`${id}: ${value}.`);
          once.complete(request, { outputs: [{ shape: [1], bytes: Buffer.from(Int32Array.of(value).buffer) }] });
        } else if (kind === 'answer') {
          expected.push(`${id}: ${value}`);
          many.answer(request, [value]);
        } else {
          expected.push(`${id}: ${value}.`);
          many.answer(request, [value], true);
          many.complete(request);
        }
      };
      for (const { kind, nth } of actions) {
        if (kind === 'many' || kind === 'once') {
          const model = kind === 'many' ? many : once;
          const id = `${requests.length}`;
          requests.push({ id, model, request: ask(call, model, id), expected: [], isOver: false });
        } else if (kind === 'block') {
          call.isWritable = false;
        } else if (kind === 'free') {
          call.isWritable = true;
          call.owner.onDrain(call);
        } else if (requests.length > 0) {
          act(kind, requests[Math.max(0, requests.length - 1 - nth)]!);
        }
      }
      for (const of of requests) act('end', of);
      call.isWritable = true;
      call.owner.onDrain(call);
      call.owner.onHalfClose(call);
      const messages = heard(call.sent);
      const of = (id: string) => messages.filter((text) => text.startsWith(`${id}: `));
      for (const { id, expected } of requests) expect(of(id)).toEqual(expected);
      const inOrder = requests.filter(({ model }) => model === once).flatMap(({ expected }) => expected);
      expect(messages.filter((text) => inOrder.includes(text))).toEqual(inOrder);
      expect([messages.length, call.ended]).toEqual([requests.flatMap(({ expected }) => expected).length, '0: ']);
    }),
  );
});

test('a request of one message is refused before it takes memory', () => {
  const call = new FakeCall();
  endpoint.openUnary(call);
  call.owner.onMessage(call, requestTo('many', 'a'));
  expect(call.ended).toBe(`12: ModelInfer RPC doesn't support models with decoupled transaction policy`);
  const large = new FakeCall();
  endpoint.openUnary(large);
  large.pieces([requestTo('many', 'a')]);
  expect(large.ended).toBe(call.ended);
});

describe.each([
  ['conch', () => new ConchEngine()],
  ['grpc-js', () => new GrpcJsEngine()],
])('over the engine %s', (name, makeEngine) => {
  let fixture: GrpcFixture;

  beforeEach(async () => {
    fixture = await GrpcFixture.start(makeEngine(), (call) => {
      if (call.path === UNARY) endpoint.openUnary(call);
      else endpoint.openStream(call);
    });
  });

  afterEach(() => fixture.stop());

  /** The `count`-th request that reaches the model. */
  async function arrived(count = 1): Promise<InferRequest> {
    await vi.waitUntil(() => many.running.length >= count);
    return many.running[count - 1]!;
  }

  test('answers of all sizes come whole, and the stream ends when its requests do', async () => {
    const stream = fixture.client().open(STREAM);
    stream.send(requestTo('many', 'a', EMPTY_FINAL));
    stream.halfClose();
    const request = await arrived();
    const sizes = [1, 100, 1 << 15, 1 << 18];
    for (const [nth, size] of sizes.entries()) many.answer(request, new Array(size).fill(nth));
    many.finish(request);
    const { messages, code } = await stream.outcome;
    expect(code).toBe(status.OK);
    const outputs = streamResponses(messages).map(({ infer_response }) => infer_response.raw_output_contents ?? []);
    expect(outputs.slice(0, -1).map(([bytes]) => [bytes!.length / 4, bytes!.readInt32LE(0), bytes!.at(-4)])).toEqual(
      sizes.map((size, nth) => [size, nth, nth]),
    );
    expect(outputs.at(-1)).toEqual([]);
  });

  test('a unary call is refused', async () => {
    const { code, details } = await fixture.client().unary(UNARY, requestTo('many', 'a'));
    expect([code, details]).toEqual([
      status.UNIMPLEMENTED,
      "ModelInfer RPC doesn't support models with decoupled transaction policy",
    ]);
  });

  test.each([64, 1 << 16])(
    'a model that answers for ever is held up by a client that reads nothing: %d numbers',
    async (size) => {
      const UNREAD_MAX = 4;
      const stream = fixture.client().open(STREAM);
      stream.pause();
      stream.send(requestTo('many', 'a'));
      const request = await arrived();
      let given = 0;
      const answerAll = () => {
        while (request.unread < UNREAD_MAX && !request.cancelled) many.answer(request, new Array(size).fill(++given));
      };
      request.watch({ onRead: answerAll, onCancelled: () => {} });
      answerAll();
      await vi.waitUntil(() => request.unread === UNREAD_MAX);
      expect(many.arena.used).toBeLessThan(UNREAD_MAX * size * 4 + (1 << 16));
      clock.advance(60e6);
      expect(request.cancelled).toBe(true);
      // What the socket was given is its own until it is written.
      await vi.waitUntil(() => request.unread === 0);
      stream.resume();
      const { code } = await stream.outcome;
      expect(code).toBe(name === 'conch' ? status.RESOURCE_EXHAUSTED : status.UNAVAILABLE);
    },
  );
});
