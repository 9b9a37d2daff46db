import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { InferRequest } from '../../src/backends/request.js';
import { checkRequest } from '../../src/core/check-request.js';
import type { AcceptedRequest, InferResponse, Responder } from '../../src/core/infer-response.js';
import { LatencyDetail } from '../../src/telemetry/latency-detail.js';
import { ModelStatistics } from '../../src/telemetry/statistics.js';
import type { ServerError } from '../../src/types/errors.js';
import type { InferHead } from '../../src/types/infer.js';
import { HandClock } from '../fakes/clock.js';
import { PuppetModel, type PuppetOptions } from '../fakes/puppet-model.js';

vi.mock('../../src/backends/worker-instance.js', () => import('../fakes/puppet-worker.js'));

const HEAD: InferHead = {
  id: '',
  sequenceId: 0,
  sequenceStart: false,
  sequenceEnd: false,
  priority: 0,
  timeoutUs: 0,
  inputs: [{ name: 'A', datatype: 'INT32', shape: [1], source: { kind: 'binary', byteSize: 4 } }],
  outputs: [],
  binaryOutput: true,
  parameters: new Map(),
};

/** A client: what it was told, and the answers it has not read. */
class Client implements Responder {
  readonly heard: string[] = [];
  readonly held: InferResponse[] = [];
  request!: AcceptedRequest;

  onResponse(response: InferResponse): void {
    this.heard.push(textOf(response));
    this.held.push(response);
  }

  onError(error: ServerError): void {
    this.heard.push(`${error.code} ${error.message}`);
  }

  read(): void {
    this.held.shift()?.release();
  }

  readAll(): void {
    while (this.held.length > 0) this.read();
  }

  leave(): void {
    this.request.cancel();
    this.readAll();
  }
}

function textOf(response: InferResponse): string {
  const end = response.isFinal ? '.' : '';
  if (response.isEmpty) return end;
  if (!response.hasOutput(0)) return `none${end}`;
  const { bytes, shape } = response.output(0);
  const values = Array.from({ length: shape[0]! }, (_, nth) => Buffer.from(bytes).readInt32LE(nth * 4));
  return `${values.join()}${end}`;
}

function submit(model: PuppetModel, client = new Client()): Client {
  const request = model.admit(checkRequest(model.name, model.tensors, HEAD), [4], client);
  client.request = request;
  request.submit();
  return client;
}

async function puppet(options: PuppetOptions = {}) {
  const clock = new HandClock();
  const model = await PuppetModel.started({ clock, ...options });
  return { clock, model, ask: () => submit(model) };
}

/** Everything was given back, and each request counted once. */
function expectOver(model: PuppetModel, requests: number): void {
  expect([model.planes!.live, model.inFlight]).toEqual([0, 0]);
  const { success, fail } = model.statistics.snapshot().inference_stats;
  expect(success.count + fail.count).toBe(requests);
  model.planes!.close();
  expect(model.arena.slots).toBe(0);
}

test('answers come as they are produced, and the last says so', async () => {
  const { model, ask } = await puppet();
  const client = ask();
  const [request] = model.running;
  model.answer(request!, [1]);
  model.answer(request!, [2, 3]);
  expect(client.heard).toEqual(['1', '2,3']);
  model.complete(request!);
  expect(model.inFlight).toBe(1);
  model.finish(request!);
  expect(client.heard).toEqual(['1', '2,3', '.']);
  client.readAll();
  expectOver(model, 1);
});

test('the inputs stay until the model has done with the request', async () => {
  const { model, ask } = await puppet();
  const client = ask();
  const [request] = model.running;
  model.answer(request!, [1], true);
  client.readAll();
  expect([model.planes!.live, model.inFlight]).toEqual([1, 1]);
  model.complete(request!);
  expectOver(model, 1);
});

test('what is not read is counted, and the model hears of each that is', async () => {
  const { model, ask } = await puppet();
  const client = ask();
  const [request] = model.running;
  let reads = 0;
  request!.watch({ onRead: () => reads++, onCancelled: () => {} });
  for (let value = 0; value < 3; value++) model.answer(request!, [value]);
  expect(request!.unread).toBe(3);
  client.read();
  expect([request!.unread, reads]).toEqual([2, 1]);
  client.leave();
  expect([request!.unread, request!.cancelled]).toEqual([0, true]);
  expect(reads).toBe(4);
});

test('what comes after a cancel is given back, and the request ends when its model is done', async () => {
  const { clock, model, ask } = await puppet();
  const client = ask();
  const [request] = model.running;
  model.answer(request!, [1]);
  client.leave();
  model.answer(request!, [2]);
  clock.advance(500);
  model.complete(request!);
  model.finish(request!);
  expect(client.heard).toEqual(['1']);
  expectOver(model, 1);
  expect(model.statistics.failures('CANCELED')).toBe(1);
  expect(model.statistics.snapshot().response_stats['1']!.cancel).toEqual({ count: 1, ns: 500_000 });
});

describe('an error', () => {
  test('as an answer ends the request, whatever its model says after it', async () => {
    const { model, ask } = await puppet();
    const client = ask();
    const [request] = model.running;
    model.answer(request!, [1]);
    model.respond(request!, { note: { error: { code: 'INVALID_ARGUMENT', message: 'no more' } } });
    expect([client.heard, request!.cancelled]).toEqual([['1', 'INVALID_ARGUMENT no more'], true]);
    model.answer(request!, [2]);
    model.complete(request!);
    model.finish(request!);
    client.readAll();
    expect(client.heard.length).toBe(2);
    expectOver(model, 1);
    expect(model.statistics.failures('BACKEND')).toBe(1);
  });

  test('of its execution ends it', async () => {
    const { model, ask } = await puppet();
    const client = ask();
    model.complete(model.running[0]!, { note: { error: { code: 'INTERNAL', message: 'thrown' } } });
    expect(client.heard).toEqual(['INTERNAL thrown']);
    expectOver(model, 1);
  });

  test('that ends its instance comes after the answers before it', async () => {
    const { model, ask } = await puppet();
    const client = ask();
    const [request] = model.running;
    model.answer(request!, [1]);
    model.complete(request!);
    model.fail(request!);
    client.readAll();
    expect(client.heard).toEqual(['1', 'INTERNAL it died']);
    expectOver(model, 1);
  });
});

test('with preserve_ordering the answers of a request wait until those before it have theirs', async () => {
  const { model, ask } = await puppet({ preserveOrdering: true });
  const clients = [ask(), ask(), ask()];
  const [first, second, third] = model.running;
  const end = (request: typeof first) => {
    model.finish(request!);
    model.complete(request!);
  };
  model.answer(second!, [2]);
  model.answer(third!, [3]);
  end(third);
  model.answer(first!, [1]);
  expect(clients.map(({ heard }) => heard)).toEqual([['1'], [], []]);
  end(first);
  expect(clients.map(({ heard }) => heard)).toEqual([['1', '.'], ['2'], []]);
  model.answer(second!, [22]);
  clients[1]!.leave();
  expect(clients.map(({ heard }) => heard)).toEqual([
    ['1', '.'],
    ['2', '22'],
    ['3', '.'],
  ]);
  end(second);
  for (const client of clients) client.readAll();
  expectOver(model, 3);
});

describe('a client that reads nothing', () => {
  test('is told so and cancelled after the time-out, and not before', async () => {
    const { clock, model, ask } = await puppet();
    const client = ask();
    const [request] = model.running;
    model.answer(request!, [1]);
    model.answer(request!, [2]);
    clock.advance(59e6);
    client.read();
    clock.advance(59e6);
    expect(request!.cancelled).toBe(false);
    clock.advance(1e6);
    expect(request!.cancelled).toBe(true);
    const text = "UNAVAILABLE no answer of model 'puppet' was read for 60 s (--response-timeout-secs)";
    expect(client.heard).toEqual(['1', '2', text]);
    client.readAll();
    model.finish(request!);
    model.complete(request!);
    expectOver(model, 1);
    expect(model.statistics.failures('CANCELED')).toBe(1);
    expect(clock.timers).toBe(0);
  });

  test('is asked whether it is to blame, where it can tell', async () => {
    const { clock, model } = await puppet();
    let isToBlame = false;
    const client = submit(model, Object.assign(new Client(), { onStalled: () => isToBlame }));
    const [request] = model.running;
    model.answer(request!, [1]);
    clock.advance(61e6);
    expect(request!.cancelled).toBe(false);
    isToBlame = true;
    clock.advance(60e6);
    expect([request!.cancelled, client.heard]).toEqual([true, ['1']]);
  });

  test('has all the time there is where it has read what there was, or where the time is 0', async () => {
    const { clock, model, ask } = await puppet();
    const client = ask();
    model.answer(model.running[0]!, [1]);
    client.readAll();
    clock.advance(600e6);
    expect([model.running[0]!.cancelled, clock.timers]).toEqual([false, 0]);
    const patient = await puppet({ responseTimeoutSecs: 0 });
    patient.ask();
    patient.model.answer(patient.model.running[0]!, [1]);
    expect(patient.clock.timers).toBe(0);
  });
});

test('counts its answers by their place', async () => {
  const { clock, model, ask } = await puppet();
  for (let nth = 0; nth < 2; nth++) {
    const client = ask();
    const [request] = model.running;
    clock.advance(10);
    model.answer(request!, [1]);
    clock.advance(20);
    model.finish(request!);
    model.complete(request!);
    client.readAll();
  }
  const none = { count: 0, ns: 0 };
  const { response_stats, inference_count } = model.statistics.snapshot();
  expect(response_stats).toEqual({
    '0': {
      compute_infer: { count: 2, ns: 6000 },
      compute_output: { count: 2, ns: 6000 },
      success: { count: 2, ns: 12_000 },
      fail: none,
      empty_response: none,
      cancel: none,
    },
    '1': {
      compute_infer: { count: 2, ns: 40_000 },
      compute_output: none,
      success: none,
      fail: none,
      empty_response: { count: 2, ns: 40_000 },
      cancel: none,
    },
  });
  expect(inference_count).toBe(2);
});

test('an error is counted with the time since the answer before it, and as computed', async () => {
  const { clock, model, ask } = await puppet();
  ask();
  const [request] = model.running;
  model.answer(request!, [1]);
  clock.advance(30);
  model.respond(request!, { note: { error: { code: 'INTERNAL', message: 'no more' } } });
  const none = { count: 0, ns: 0 };
  const failed = { count: 1, ns: 30_000 };
  expect(model.statistics.snapshot().response_stats['1']).toEqual({
    compute_infer: failed,
    compute_output: none,
    success: none,
    fail: failed,
    empty_response: none,
    cancel: none,
  });
  model.complete(request!);
});

test('the first answer of each is observed, whenever the last comes', async () => {
  const detail = new LatencyDetail({ firstResponseBoundsMs: [1], quantiles: null }, () => 0);
  const { clock, model, ask } = await puppet({ statistics: new ModelStatistics(detail) });
  const client = ask();
  const [request] = model.running;
  clock.advance(500);
  model.answer(request!, [1]);
  clock.advance(5000);
  model.answer(request!, [2], true);
  model.complete(request!);
  client.readAll();
  expect([detail.firstResponseMs!.count, detail.firstResponseMs!.countOf(0)]).toEqual([1, 1]);
});

/** What may happen to a request; `request` picks one of those there are. */
const action = fc.record({
  kind: fc.constantFrom('ask', 'answer', 'error', 'finish', 'complete', 'fail', 'leave', 'read', 'read'),
  nth: fc.nat(3),
});

/** What one client must hear: everything in order until the final answer, an error, or until it left. */
class Twin {
  readonly expected: string[] = [];
  isClosed = false;
  isAnswered = false;
  isExecuted = false;
  hasLeft = false;
  readonly client: Client;
  readonly request: InferRequest;

  constructor(client: Client, request: InferRequest) {
    this.client = client;
    this.request = request;
  }

  get isOver(): boolean {
    return this.isAnswered && this.isExecuted;
  }

  hears(text: string, isLast: boolean): void {
    if (!this.isClosed) this.expected.push(text);
    this.isClosed ||= isLast;
  }
}

test.each([false, true])(
  'whatever happens, each answer is heard once and all memory comes back (ordered: %s)',
  async (preserveOrdering) => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 80 }), async (actions) => {
        const { model, ask } = await puppet({ preserveOrdering });
        const twins: Twin[] = [];
        let values = 0;
        const act = (kind: string, twin: Twin): void => {
          const { request, client } = twin;
          if (kind === 'read') client.read();
          if (kind === 'leave' && !twin.hasLeft) {
            twin.hasLeft = true;
            twin.isClosed = true;
            client.leave();
          }
          if (twin.isOver) return;
          if (kind === 'answer' && !twin.isAnswered) {
            twin.hears(`${++values}`, false);
            model.answer(request, [values]);
          } else if (kind === 'error' && !twin.isAnswered) {
            twin.hears('INTERNAL e', true);
            model.respond(request, { note: { error: { code: 'INTERNAL', message: 'e' } } });
          } else if (kind === 'finish' && !twin.isAnswered) {
            twin.hears('.', true);
            twin.isAnswered = true;
            model.finish(request);
          } else if (kind === 'complete' && !twin.isExecuted) {
            twin.isExecuted = true;
            model.complete(request);
          } else if (kind === 'fail') {
            twin.hears('INTERNAL it died', true);
            twin.isAnswered = true;
            twin.isExecuted = true;
            model.fail(request);
          }
        };
        for (const { kind, nth } of actions) {
          if (kind === 'ask') {
            const client = ask();
            twins.push(new Twin(client, model.running.at(-1)!));
          } else if (twins.length > 0) {
            act(kind, twins[Math.max(0, twins.length - 1 - nth)]!);
          }
        }
        for (const twin of twins) for (const kind of ['finish', 'complete']) act(kind, twin);
        for (const { client } of twins) client.readAll();
        for (const { client, expected, hasLeft } of twins) {
          // What waited for its turn when the client left is not heard.
          expect(client.heard).toEqual(hasLeft ? expected.slice(0, client.heard.length) : expected);
          if (hasLeft && !preserveOrdering) expect(client.heard).toEqual(expected);
        }
        for (const { request } of twins) expect(request.unread).toBe(0);
        const { success, fail } = model.statistics.snapshot().inference_stats;
        expect(success.count + fail.count).toBe(twins.length);
        model.planes!.close();
        expect(model.arena.slots).toBe(0);
      }),
    );
  },
);
