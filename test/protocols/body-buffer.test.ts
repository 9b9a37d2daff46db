import { expect, test } from 'vitest';
import { BodyBudget, BodyBuffer } from '../../src/protocols/body-buffer.js';

test('what a body has become counts instead of it, and is bounded as it was', () => {
  const budget = new BodyBudget(50_000);
  const body = new BodyBuffer(budget);
  body.append(Buffer.from('compressed'));
  const plain = Buffer.alloc(40_000, 'a');
  body.become(plain);
  expect([budget.used, body.view.equals(plain)]).toEqual([40_000, true]);
  expect(() => body.become(Buffer.alloc(50_001))).toThrow('try again later');
  body.clear();
  expect([budget.used, body.length]).toEqual([0, 0]);
});
