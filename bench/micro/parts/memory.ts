import assert from 'node:assert/strict';
import { Arena, type Slot } from '../../../src/memory/arena.js';
import { RowPlanes } from '../../../src/memory/planes.js';
import type { Part, Running } from '../part.js';

const ARENA_BYTES = 64 << 20;
const LIVE_SLOTS = 256;
const SIZES = 1 << 16;
const BATCH_ROWS = 64;

function takingOne(): Running {
  const arena = new Arena(ARENA_BYTES);
  const step = (): number => {
    const slot = arena.take(4096)!;
    const { bytes } = slot;
    arena.give(slot);
    return bytes;
  };
  assert.equal(step(), 4096);
  assert.equal(arena.used, 0);
  return { step };
}

/** Sizes from 64 bytes to 128 KiB, always the same ones; enough that the arena never comes round to where it was. */
function sizes(): number[] {
  let state = 12345;
  return Array.from({ length: SIZES }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return 64 << Math.min(state >>> 28, 11);
  });
}

function churning(): Running {
  const arena = new Arena(ARENA_BYTES);
  const wanted = sizes();
  const live: Slot[] = Array.from({ length: LIVE_SLOTS }, (_, nth) => arena.take(wanted[nth]!)!);
  const step = (nth: number): number => {
    const place = (nth * 89) & (LIVE_SLOTS - 1);
    arena.give(live[place]!);
    const slot = arena.take(wanted[nth & (SIZES - 1)]!)!;
    live[place] = slot;
    return slot.bytes;
  };
  for (let nth = 0; nth < 10_000; nth++) step(nth);
  assert.equal(arena.slots, LIVE_SLOTS);
  return { step };
}

/** Two inputs of 64 bytes, as the model `simple` has them. A row goes back when so many others were taken behind it. */
function takingRows(live: number): Running {
  const planes = new RowPlanes(new Arena(ARENA_BYTES), [64, 64], BATCH_ROWS);
  const rows = Array.from({ length: live }, () => planes.take(1));
  const step = (nth: number): number => {
    const place = nth % live;
    planes.give(rows[place]!, 1);
    const row = planes.take(1);
    rows[place] = row;
    return row;
  };
  for (let nth = 0; nth < 10_000; nth++) step(nth);
  assert.equal(planes.live, live);
  return { step };
}

export const parts: readonly Part[] = [
  { name: 'memory/arena', about: 'a slot of 4 KiB is taken and given back', setUp: takingOne },
  {
    name: 'memory/arena-churn',
    about: 'one of 256 slots is given back and one of another size taken: 64 bytes to 128 KiB',
    setUp: churning,
  },
  { name: 'memory/planes', about: 'a row is given back and one taken, one live', setUp: () => takingRows(1) },
  { name: 'memory/planes-64', about: 'the same with 64 live', setUp: () => takingRows(BATCH_ROWS) },
];
