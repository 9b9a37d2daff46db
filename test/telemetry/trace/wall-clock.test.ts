import { expect, test } from 'vitest';
import { WallClock } from '../../../src/telemetry/trace/wall-clock.js';

const day = 1_800_000_000_000_000_000n;

test('moments of the monotonic clock become times of day, to the nanosecond', () => {
  const clock = new WallClock(() => day);
  expect(clock.at(1_234_567_890)).toEqual([1_800_000_001, 234_567_890]);
});

test('it follows the truest measure, and the machine where its clock is set', () => {
  let offset = day;
  const clock = new WallClock(() => offset);
  const seen = [400_000n, 100_000n, 900_000n, -3_600_000_000_000n, 5_000_000_000n].map((change) => {
    offset = day + change;
    clock.adjust();
    const [seconds, ns] = clock.at(0);
    return BigInt(seconds) * 1_000_000_000n + BigInt(ns) - day;
  });
  expect(seen).toEqual([400_000n, 400_000n, 900_000n, -3_600_000_000_000n, 5_000_000_000n]);
});

test('it tells the time', () => {
  const [seconds] = new WallClock().at(Number(process.hrtime.bigint()));
  expect(Math.abs(seconds - Date.now() / 1000)).toBeLessThan(2);
});
