import { beforeEach, describe, expect, test } from 'vitest';
import type { InferResponse } from '../../../src/core/infer-response.js';
import type { HttpExchange } from '../../../src/protocols/http/engine.js';
import { GenerateEvents } from '../../../src/protocols/http/generate-events.js';
import { GenerateOnce } from '../../../src/protocols/http/generate-once.js';
import type { JsonPool } from '../../../src/protocols/json-pool.js';
import type { WriteGenerateTask } from '../../../src/protocols/json-tasks.js';
import { ServerError } from '../../../src/types/errors.js';
import { Deferred } from './engine-fixture.js';

/** Notes what it is told; `hasRoom` is what `write` gives. */
class Exchange {
  readonly calls: string[] = [];
  hasRoom = true;
  reply(status: number, headers: readonly string[], bytes: Uint8Array): void {
    this.calls.push(`reply ${status} ${headers[1]} ${Buffer.from(bytes)}`);
  }
  begin(status: number, headers: readonly string[]): void {
    this.calls.push(`begin ${status} ${headers.join(' ')}`);
  }
  write(bytes: Uint8Array): boolean {
    this.calls.push(`write ${Buffer.from(bytes)}`);
    return this.hasRoom;
  }
  end(): void {
    this.calls.push('end');
  }
}

/** The thread that writes large answers: it is done when it is told to. */
class Pool {
  readonly forms: string[] = [];
  #written = new Deferred<Uint8Array>();
  #failed = new Deferred<never>();

  async writeGenerate({ form }: WriteGenerateTask): Promise<Uint8Array> {
    this.forms.push(form);
    return Promise.race([this.#written.promise, this.#failed.promise.then((error) => Promise.reject(error))]);
  }

  async write(text: string): Promise<void> {
    this.#written.resolve(Buffer.from(text));
    this.#written = new Deferred();
    await settled();
  }

  async fail(error: ServerError): Promise<void> {
    this.#failed.resolve(error as never);
    await settled();
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

interface ResponseKind {
  readonly isFinal?: boolean;
  readonly isEmpty?: boolean;
  readonly isLarge?: boolean;
  readonly datatype?: 'UINT8' | 'BF16';
}

let exchange: Exchange;
let pool: Pool;
/** Times that the request was given up. */
let cancels: number;
const call = { cancel: () => void cancels++, noteRefusal: () => {} };

const newOnce = () => new GenerateOnce(exchange as unknown as HttpExchange, pool as unknown as JsonPool);
const newEvents = () => new GenerateEvents(exchange as unknown as HttpExchange, pool as unknown as JsonPool);
/** Numbers of the responses that were released, in that order. */
let released: number[];

/** A response whose only output is its number, as often as makes it large. */
function response(
  nth: number,
  { isFinal = false, isEmpty = false, isLarge = false, datatype = 'UINT8' }: ResponseKind = {},
) {
  const count = isLarge ? 300_000 : datatype === 'BF16' ? 2 : 1;
  return {
    model: { name: 'm', version: 1, arena: {} },
    plan: { outputs: [{}] },
    parameters: null,
    isFinal,
    isEmpty,
    hasOutput: () => true,
    output: () => ({ name: 'N', datatype, shape: [isLarge ? count : 1], bytes: new Uint8Array(count).fill(nth) }),
    release: () => released.push(nth),
  } as unknown as InferResponse;
}

const json = (nth: number) => `{"N":${nth},"id":"i","model_name":"m","model_version":"1"}`;
const event = (nth: number) => `write data: ${json(nth)}\n\n`;
const errorEvent = (text: string) => `write data: {"error":"${text}"}\n\n`;
const began = 'begin 200 Content-Type text/event-stream; charset=utf-8';
const notOne =
  'reply 500 application/json {"error":"generate expects model to produce exactly 1 response, use generate stream for model that generates various number of responses"}';

beforeEach(() => {
  exchange = new Exchange();
  pool = new Pool();
  cancels = 0;
  released = [];
});

describe('generate', () => {
  let once: GenerateOnce;

  beforeEach(() => {
    once = newOnce();
    once.begin('i', call);
  });

  test('answers with the only response, whether that is the final one or an empty one follows', () => {
    once.take(response(1, { isFinal: true }));
    expect([exchange.calls, released]).toEqual([[`reply 200 application/json ${json(1)}`], [1]]);
    exchange.calls.length = 0;
    const other = newOnce();
    other.begin('i', call);
    other.take(response(2));
    expect([exchange.calls, released]).toEqual([[], [1, 2]]);
    // Another answer is written meanwhile.
    once.take(response(9, { isFinal: true }));
    exchange.calls.length = 0;
    other.take(response(3, { isFinal: true, isEmpty: true }));
    expect(exchange.calls).toEqual([`reply 200 application/json ${json(2)}`]);
  });

  test('refuses none, and a second response as soon as it comes', () => {
    once.take(response(1, { isFinal: true, isEmpty: true }));
    expect([exchange.calls, released]).toEqual([[notOne], [1]]);
    const other = newOnce();
    other.begin('i', call);
    exchange.calls.length = 0;
    other.take(response(2));
    other.take(response(3));
    expect([exchange.calls, released, cancels]).toEqual([[notOne], [1, 2, 3], 2]);
  });

  test('answers with the error of its class', () => {
    once.takeError(new ServerError('UNAVAILABLE', 'gone'));
    expect(exchange.calls).toEqual(['reply 503 application/json {"error":"gone"}']);
  });

  test('refuses what has no JSON', () => {
    once.take(response(1, { isFinal: true, datatype: 'BF16' }));
    expect(exchange.calls[0]).toContain('reply 400 application/json {"error":"sending BF16 data via JSON');
    expect(released).toEqual([1]);
  });

  test('has a large response written by another thread, and releases it then', async () => {
    once.take(response(1, { isLarge: true }));
    once.take(response(2, { isFinal: true, isEmpty: true }));
    expect([exchange.calls, released, pool.forms]).toEqual([[], [2], ['json']]);
    await pool.write('large');
    expect([exchange.calls, released]).toEqual([['reply 200 application/json large'], [2, 1]]);
  });

  test('is answered once where it fails while another thread writes', async () => {
    once.take(response(1, { isLarge: true }));
    once.takeError(new ServerError('INTERNAL', 'broken'));
    await pool.write('large');
    expect([exchange.calls, released]).toEqual([['reply 500 application/json {"error":"broken"}'], [1]]);
  });

  test('of a client that is gone while another thread writes is released when that is done', async () => {
    once.take(response(1, { isLarge: true, isFinal: true }));
    once.drop();
    expect(released).toEqual([]);
    await pool.write('large');
    expect([exchange.calls, released]).toEqual([[], [1]]);
  });
});

describe('generate_stream', () => {
  let events: GenerateEvents;

  beforeEach(() => {
    events = newEvents();
    events.begin('i', call);
  });

  test('is an event for each response, and the empty final one ends it', () => {
    for (const nth of [1, 2]) events.take(response(nth));
    events.take(response(3, { isFinal: true, isEmpty: true }));
    expect([exchange.calls, released]).toEqual([
      [began, event(1), event(2), 'end'],
      [1, 2, 3],
    ]);
  });

  test('may be one event, or none', () => {
    events.take(response(1, { isFinal: true }));
    const other = newEvents();
    other.take(response(2, { isFinal: true, isEmpty: true }));
    expect(exchange.calls).toEqual([began, event(1), 'end', began, 'end']);
    expect(released).toEqual([1, 2]);
  });

  test('has the status of its first event', () => {
    events.takeError(new ServerError('UNAVAILABLE', 'gone'));
    const status = 'begin 503 Content-Type text/event-stream; charset=utf-8';
    expect(exchange.calls).toEqual([status, errorEvent('gone'), 'end']);
    const other = newEvents();
    other.begin('i', call);
    exchange.calls.length = 0;
    other.take(response(1));
    other.takeError(new ServerError('INTERNAL', 'broken'));
    expect(exchange.calls).toEqual([began, event(1), errorEvent('broken'), 'end']);
  });

  test('says when to come again where a bound of ours is reached', () => {
    events.takeError(new ServerError('RESOURCE_EXHAUSTED', 'full'));
    expect(exchange.calls[0]).toBe('begin 429 Content-Type text/event-stream; charset=utf-8 Retry-After 1');
  });

  test('keeps the response that filled the connection, and those behind it, until there is room', () => {
    exchange.hasRoom = false;
    for (const nth of [1, 2, 3]) events.take(response(nth));
    expect([exchange.calls, released]).toEqual([[began, event(1)], []]);
    events.goOn();
    expect([exchange.calls.slice(2), released]).toEqual([[event(2)], [1]]);
    exchange.hasRoom = true;
    events.goOn();
    expect([exchange.calls.slice(3), released]).toEqual([[event(3)], [1, 3, 2]]);
    events.take(response(4, { isFinal: true, isEmpty: true }));
    expect(exchange.calls.slice(4)).toEqual(['end']);
  });

  test('keeps the order where the model goes on as soon as a response is released', () => {
    const next = response(2);
    const first = { ...response(1), release: () => void events.take(next) };
    exchange.hasRoom = false;
    events.take(first);
    events.take(response(3));
    exchange.hasRoom = true;
    events.goOn();
    expect(exchange.calls).toEqual([began, event(1), event(3), event(2)]);
  });

  test('has its final response and its error behind those that wait', () => {
    exchange.hasRoom = false;
    events.take(response(1));
    events.take(response(2));
    events.takeError(new ServerError('INTERNAL', 'broken'));
    expect(exchange.calls.length).toBe(2);
    events.goOn();
    expect(exchange.calls.length).toBe(3);
    events.goOn();
    expect(exchange.calls.slice(2)).toEqual([event(2), errorEvent('broken'), 'end']);
    expect(released).toEqual([1, 2]);
  });

  test('may end while the connection is full; what it holds is released when all was sent', () => {
    exchange.hasRoom = false;
    events.take(response(1, { isFinal: true }));
    expect([exchange.calls, released]).toEqual([[began, event(1), 'end'], []]);
    events.drop();
    expect(released).toEqual([1]);
  });

  test('lets go of everything once when its client is gone', () => {
    exchange.hasRoom = false;
    for (const nth of [1, 2, 3]) events.take(response(nth));
    events.drop();
    events.drop();
    expect(released).toEqual([1, 2, 3]);
  });

  test('ends with an error where a response has no JSON, and wants nothing more', () => {
    events.take(response(1));
    events.take(response(2, { datatype: 'BF16' }));
    expect(exchange.calls.slice(1, 2)).toEqual([event(1)]);
    expect(exchange.calls[2]).toContain('write data: {"error":"sending BF16 data via JSON');
    expect([exchange.calls[3], released, cancels]).toEqual(['end', [1, 2], 1]);
  });

  describe('with a large response, which another thread writes', () => {
    test('has those that follow behind it', async () => {
      events.take(response(1));
      events.take(response(2, { isLarge: true }));
      events.take(response(3));
      events.take(response(4, { isFinal: true, isEmpty: true }));
      expect([exchange.calls, released, pool.forms]).toEqual([[began, event(1)], [1], ['event']]);
      await pool.write('large');
      expect(exchange.calls.slice(2)).toEqual(['write large', event(3), 'end']);
      expect(released).toEqual([1, 2, 3, 4]);
    });

    test('keeps it until there is room', async () => {
      exchange.hasRoom = false;
      events.take(response(1, { isLarge: true }));
      events.take(response(2, { isFinal: true }));
      await pool.write('large');
      expect([exchange.calls, released]).toEqual([[began, 'write large'], []]);
      events.goOn();
      expect([exchange.calls.slice(2), released]).toEqual([[event(2), 'end'], [1]]);
      events.drop();
      expect(released).toEqual([1, 2]);
    });

    test('has an error behind it', async () => {
      events.take(response(1, { isLarge: true }));
      events.takeError(new ServerError('INTERNAL', 'broken'));
      await pool.write('large');
      expect(exchange.calls).toEqual([began, 'write large', errorEvent('broken'), 'end']);
    });

    test('releases it when the thread is done, where the client is gone', async () => {
      events.take(response(1, { isLarge: true }));
      events.take(response(2));
      events.drop();
      expect(released).toEqual([2]);
      await pool.write('large');
      expect([exchange.calls, released]).toEqual([[], [2, 1]]);
    });

    test('ends with an error where the thread has one', async () => {
      events.take(response(1, { isLarge: true }));
      events.take(response(2));
      await pool.fail(new ServerError('INVALID_ARGUMENT', 'no JSON'));
      const status = 'begin 400 Content-Type text/event-stream; charset=utf-8';
      expect([exchange.calls, cancels]).toEqual([[status, errorEvent('no JSON'), 'end'], 1]);
      events.drop();
      expect(released).toEqual([1, 2]);
    });
  });
});
