import { setTimeout as pause } from 'node:timers/promises';

/** Asks again and again until `condition` holds. The deadline is there to end a broken test, not to measure anything. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`this did not come true in 20 s: ${what}`);
    await pause(5);
  }
}
