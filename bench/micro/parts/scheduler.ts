import assert from 'node:assert/strict';
import { type BatchPolicy, NOTHING_OPEN, type PendingView, planBatch } from '../../../src/schedulers/batch-plan.js';
import { DynamicScheduler } from '../../../src/schedulers/dynamic.js';
import { OPEN_POLICY, RequestQueue } from '../../../src/schedulers/request-queue.js';
import { CountingInstance } from '../fixtures/counting-instance.js';
import { IdleRequest } from '../fixtures/idle-request.js';
import type { Part, Running } from '../part.js';

const MAX_ROWS = 64;
const REQUESTS = 1024;

const plain: BatchPolicy = { maxRows: MAX_ROWS, preferred: [MAX_ROWS], delayUs: 0, single: false };
const delayed: BatchPolicy = { ...plain, preferred: [16, 32, MAX_ROWS], delayUs: 1000 };

function waiting(length: number): PendingView {
  return { length, rowsAt: () => 1, keyAt: () => '' };
}

/** One decision over so many requests of one row each. */
function planning(policy: BatchPolicy, length: number, take: number): Running {
  const pending = waiting(length);
  const step = (nth: number): number => planBatch(policy, NOTHING_OPEN, pending, nth & 127).take;
  assert.equal(step(0), take);
  return { step };
}

/** @param prefetch a batch grows while another one runs; else all wait in the queue */
function scheduling(policy: BatchPolicy, prefetch: boolean): Running {
  const instance = new CountingInstance(MAX_ROWS);
  const levels = { levels: 0, defaultLevel: 1, defaultPolicy: OPEN_POLICY, levelPolicies: new Map() };
  const clock = { nowUs: () => 0, after: () => () => {} };
  const pool = { instances: [instance], isAvailable: true };
  const settings = { policy, prefetch, model: 'm' };
  const scheduler = new DynamicScheduler(settings, new RequestQueue(levels), pool, clock);
  const requests = Array.from({ length: REQUESTS }, (_, nth) => new IdleRequest(nth % MAX_ROWS));
  const step = (nth: number): number => {
    scheduler.enqueue(requests[nth & (REQUESTS - 1)]!, 0);
    if (nth % MAX_ROWS === MAX_ROWS - 1) {
      instance.turn();
      scheduler.run();
    }
    return instance.openRows;
  };
  for (let nth = 0; nth < 10 * MAX_ROWS; nth++) step(nth);
  for (let turn = 0; turn < 8; turn++) {
    instance.turn();
    scheduler.run();
  }
  assert.equal(instance.doneRows, 10 * MAX_ROWS);
  return { step };
}

export const parts: readonly Part[] = [
  { name: 'scheduler/plan-1', about: 'planBatch with one request waiting', setUp: () => planning(plain, 1, 1) },
  { name: 'scheduler/plan-64', about: 'planBatch with 64 waiting', setUp: () => planning(plain, 64, 64) },
  {
    name: 'scheduler/plan-delay-40',
    about: 'planBatch with 40 waiting, sizes 16, 32 and 64 preferred, and a delay',
    setUp: () => planning(delayed, 40, 32),
  },
  {
    name: 'scheduler/join',
    about: 'a request is enqueued and joins the open batch; each 64th ends a batch',
    setUp: () => scheduling(plain, true),
  },
  {
    name: 'scheduler/queue',
    about: 'a request is enqueued and waits until the batch before it has ended; each 64th ends one',
    setUp: () => scheduling(plain, false),
  },
  {
    name: 'scheduler/queue-delay',
    about: 'the same with preferred sizes and a delay',
    setUp: () => scheduling(delayed, false),
  },
];
