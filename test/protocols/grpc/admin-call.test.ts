import { expect, test } from 'vitest';
import type { InferenceServer } from '../../../src/core/server.js';
import { BodyBudget } from '../../../src/protocols/body-buffer.js';
import { AdminCall, unaryMethod } from '../../../src/protocols/grpc/admin-call.js';
import { FakeCall } from './fake-call.js';

const LOAD = '/inference.GRPCInferenceService/RepositoryModelLoad';

/** A load takes a while: each message of a call would begin one, however few calls may be open. */
test('a second message ends a call, and begins nothing', async () => {
  let begun = 0;
  const answered = Promise.resolve({});
  const method = unaryMethod(LOAD, () => {
    begun++;
    return answered;
  });
  const call = new FakeCall();
  call.owner = new AdminCall(null as unknown as InferenceServer, method, new BodyBudget(1 << 20));
  const message = Buffer.alloc(0);
  call.owner.onMessage(call, message);
  call.owner.onMessage(call, message);
  await answered;
  expect([begun, call.ended, call.sent]).toEqual([1, `12: a second request message came for ${call.path}`, []]);
});
