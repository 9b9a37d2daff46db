import { afterEach, describe, expect, test } from 'vitest';
import { BodyBudget } from '../../../src/protocols/body-buffer.js';
import { InferEndpoint } from '../../../src/protocols/grpc/infer-endpoint.js';
import { FakeCall } from './fake-call.js';
import { idleModel, inputText, serverOf } from './idle-model.js';
import { streamResponses } from './real-server.js';
import { encodeRequest, type TwinRequest } from './twin.js';

/** It has no instances: whatever reaches it is refused as UNAVAILABLE. */
const model = idleModel('m', 4, inputText('A', 'UINT8', '100000'));
const NO_INSTANCE = "no instance of model 'm' can be started; see the server's log for the reason";
const budget = new BodyBudget(1 << 22);
const endpoint = new InferEndpoint(serverOf(model), budget);

function request(id: string, bytes = 100_000): TwinRequest {
  const inputs = [{ name: 'A', datatype: 'UINT8', shape: [1, 100_000] }];
  return { model_name: 'm', id, inputs, raw_input_contents: [Buffer.alloc(bytes, 1)] };
}

function cut(message: Buffer, size = 16_384): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) pieces.push(message.subarray(at, at + size));
  return pieces;
}

function openUnary(): FakeCall {
  const call = new FakeCall();
  endpoint.openUnary(call);
  return call;
}

function openStream(metadata: Readonly<Record<string, string>> = {}): FakeCall {
  const call = new FakeCall(metadata);
  endpoint.openStream(call);
  return call;
}

function errorsOf(call: FakeCall): [string, string][] {
  return streamResponses(call.sent).map(({ error_message, infer_response }) => [infer_response.id, error_message]);
}

/** Nothing is kept for calls that are over. */
afterEach(() => {
  expect(budget.used).toBe(0);
  expect(model.planes!.live).toBe(0);
  expect(model.inFlight).toBe(0);
});

describe('a unary call in pieces', () => {
  test('reaches its model', () => {
    const call = openUnary();
    call.pieces(cut(encodeRequest(request('a'))));
    expect(call.ended).toBe(`14: ${NO_INSTANCE}`);
  });

  test('holds a slot from its first tensor byte on, and gives it back when its client goes', () => {
    const before = model.arena.used;
    const call = openUnary();
    call.pieces(cut(encodeRequest(request('a'))).slice(0, 2), false);
    expect(model.arena.used).toBeGreaterThan(before);
    call.owner.onCancel(call);
    expect(model.arena.used).toBe(before);
    expect(call.ended).toBe('');
  });

  test('is refused at the first byte of an entry of another size, and hears no more', () => {
    const call = openUnary();
    call.pieces(cut(encodeRequest(request('a', 90_000))));
    expect(call.ended).toBe(
      "3: [request id: a] input byte size mismatch for input 'A' for model 'm'. Expected 100000, got 90000",
    );
  });

  test('that collects too much is told to come again', () => {
    const call = openUnary();
    const typed = { ...request('a'), raw_input_contents: [], id: 'x'.repeat(5 << 20) };
    call.pieces(cut(encodeRequest(typed)));
    expect(call.ended).toMatch(/^14: request bodies in transfer hold .* try again later$/);
  });

  test('has one message', () => {
    const call = openUnary();
    call.pieces(cut(encodeRequest(request('a'))).slice(0, 2), false);
    call.owner.onHalfClose(call);
    expect(call.ended).toContain('no request message came');
  });
});

describe('a stream', () => {
  test('takes whole messages and pieces, and answers in order', () => {
    const call = openStream();
    call.pieces(cut(encodeRequest(request('1'))));
    call.owner.onMessage(call, encodeRequest({ ...request('2'), model_name: 'none' }));
    call.pieces(cut(encodeRequest(request('3', 90_000))));
    call.pieces(cut(encodeRequest(request('4'))));
    call.owner.onHalfClose(call);
    expect(errorsOf(call)).toEqual([
      ['1', NO_INSTANCE],
      ['2', "no model 'none'"],
      ['3', "[request id: 3] input byte size mismatch for input 'A' for model 'm'. Expected 100000, got 90000"],
      ['4', NO_INSTANCE],
    ]);
    expect(call.ended).toBe('0: ');
  });

  test('gives everything back when its client goes in the middle of a message', () => {
    const before = model.arena.used;
    const call = openStream();
    call.pieces(cut(encodeRequest(request('1'))).slice(0, 3), false);
    expect(model.arena.used).toBeGreaterThan(before);
    call.owner.onCancel(call);
    expect(model.arena.used).toBe(before);
  });

  test('reads no further while its client does not read, and goes on when it does', () => {
    const call = openStream();
    call.isWritable = false;
    for (const id of ['1', '2']) call.owner.onMessage(call, encodeRequest(request(id)));
    expect([call.sent.length, call.isPaused]).toEqual([0, true]);
    call.owner.onHalfClose(call);
    call.isWritable = true;
    call.owner.onDrain(call);
    expect(errorsOf(call).map(([id]) => id)).toEqual(['1', '2']);
    expect([call.isPaused, call.ended]).toEqual([false, '0: ']);
  });

  test('waits for so many requests at most', () => {
    const call = openStream();
    call.isWritable = false;
    const small = encodeRequest({ ...request('x'), model_name: 'none' });
    for (let nth = 0; nth < 3; nth++) call.owner.onMessage(call, small);
    call.owner.onCancel(call);
    expect(call.sent).toEqual([]);
    const fast = openStream();
    for (let nth = 0; nth < 2000; nth++) fast.owner.onMessage(fast, small);
    expect([fast.sent.length, fast.isPaused]).toEqual([2000, false]);
    fast.owner.onCancel(fast);
  });

  test('ends when the server goes down, after a message that is coming in', () => {
    const idle = openStream();
    const busy = openStream();
    const pieces = cut(encodeRequest(request('1')));
    busy.pieces(pieces.slice(0, 3), false);
    endpoint.drain();
    expect(idle.ended).toMatch(/^14: GRPC server is shutting down/);
    expect([busy.ended, busy.isPaused]).toEqual(['', true]);
    for (const piece of pieces.slice(3)) busy.owner.onPiece(busy, piece);
    busy.owner.onMessageEnd(busy);
    expect(errorsOf(busy)).toEqual([['1', NO_INSTANCE]]);
    expect(busy.ended).toMatch(/^14: GRPC server is shutting down/);
  });
});
