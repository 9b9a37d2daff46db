import { expect, test } from 'vitest';
import { planeBytes } from '../../src/core/plane-bytes.js';
import { Arena } from '../../src/memory/arena.js';
import { RowPlanes } from '../../src/memory/planes.js';

const owners = () => ({ input: { kind: 'input' }, output: { kind: 'output' } }) as const;

test('each model has the slots that were taken for it, and its rows of its blocks', () => {
  const arena = new Arena(1 << 16);
  const of = [owners(), owners()] as const;
  const planes = new RowPlanes(arena, [64, 128], 4, of[0].input);
  const models = of.map((own, nth) => ({ arena, planes: nth === 0 ? planes : null, tensors: { owners: own } }));
  const bytes = () => planeBytes(models as unknown as Parameters<typeof planeBytes>[0]);
  const nothing = { inUse: 0, reserved: 0 };
  expect(bytes()).toEqual([
    { input: nothing, output: nothing },
    { input: nothing, output: nothing },
  ]);

  const row = planes.take(3);
  const large = arena.takeInput(640, of[0].input)!;
  const [running, read] = [arena.take(256, of[1].output)!, arena.take(512, of[1].output)!];
  read.readers = 2;
  arena.take(64);
  expect(bytes()).toEqual([
    { input: { inUse: 3 * 192 + 640, reserved: 192 }, output: nothing },
    { input: nothing, output: { inUse: 512, reserved: 256 } },
  ]);

  planes.give(row, 3);
  for (const slot of [running, large, read]) arena.give(slot);
  expect(bytes()).toEqual([
    { input: { inUse: 0, reserved: 4 * 192 }, output: nothing },
    { input: nothing, output: nothing },
  ]);
});
