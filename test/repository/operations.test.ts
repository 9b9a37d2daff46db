import { expect, test } from 'vitest';
import { Operations } from '../../src/repository/operations.js';

function hold() {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { held, release };
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test('operations run one after another, in order, and each has its result', async () => {
  const operations = new Operations();
  const { held, release } = hold();
  const began: string[] = [];
  const first = operations.run(async () => {
    began.push('first');
    await held;
    return 1;
  });
  const second = operations.run(async () => {
    began.push('second');
    return 2;
  });
  await settled();
  expect(began).toEqual(['first']);
  release();
  expect(await Promise.all([first, second])).toEqual([1, 2]);
  expect(began).toEqual(['first', 'second']);
});

test('one that fails does not keep the next from running', async () => {
  const operations = new Operations();
  const first = operations.run(async () => {
    throw new Error('no');
  });
  const second = operations.run(async () => 2);
  await expect(first).rejects.toThrow('no');
  expect(await second).toBe(2);
});

test('what runs or waits is outdated by name, what comes later is not, and still waits for it', async () => {
  const operations = new Operations();
  const { held, release } = hold();
  const signals: AbortSignal[] = [];
  const operation = async (signal: AbortSignal) => {
    signals.push(signal);
    if (signals.length === 1) await held;
  };
  const all = [operations.run(operation), operations.run(operation)];
  await settled();
  operations.supersede();
  all.push(operations.run(operation));
  await settled();
  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  release();
  await Promise.all(all);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, false]);
});

test('it is idle when all that was begun until then is over, failed or not', async () => {
  const operations = new Operations();
  await operations.idle();
  const { held, release } = hold();
  const failing = operations.run(async () => {
    await held;
    throw new Error('no');
  });
  let isIdle = false;
  const idle = operations.idle().then(() => {
    isIdle = true;
  });
  await settled();
  expect(isIdle).toBe(false);
  release();
  await expect(failing).rejects.toThrow('no');
  await idle;
  expect(isIdle).toBe(true);
});
