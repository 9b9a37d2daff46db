import type { Part, Running } from './part.js';

/** A sample is at least so long: what a clock cannot see is small against it. */
export const SAMPLE_MS = 20;
/** Before the first sample: V8 has optimized by then, also what allocates much. */
const WARM_UP_MS = 300;

/** Nanoseconds of one operation, as each sample has them. */
export interface Measured {
  readonly opsPerSample: number;
  readonly samplesNs: readonly number[];
}

/** Runs `count` operations; the result is the milliseconds that they took: of CPU for steps, else of the clock. */
export type Timed = (count: number) => Promise<number>;

/** Sets the part up, measures it and tears it down, whatever happens. */
export async function measurePart(part: Part, samples: number): Promise<Measured> {
  const running = await part.setUp();
  try {
    return await sampled(timedRun(part.name, running), samples);
  } finally {
    await running.tearDown?.();
  }
}

/** @param run finds out by itself how many operations a sample needs to last SAMPLE_MS */
export async function sampled(run: Timed, samples: number): Promise<Measured> {
  const opsPerSample = await calibrated(run);
  const samplesNs: number[] = [];
  for (let sample = 0; sample < samples; sample++) samplesNs.push(((await run(opsPerSample)) * 1e6) / opsPerSample);
  return { opsPerSample, samplesNs };
}

/** Operations that last SAMPLE_MS, counted while the code grows warm. */
async function calibrated(run: Timed): Promise<number> {
  let count = 1;
  for (let spentMs = 0; spentMs < WARM_UP_MS; ) {
    const ms = await run(count);
    spentMs += ms;
    if (ms < SAMPLE_MS) count *= 2;
  }
  for (;;) {
    const ms = await run(count);
    if (ms >= SAMPLE_MS) return count;
    count = Math.ceil(count * Math.min(2, (1.1 * SAMPLE_MS) / ms));
  }
}

/**
 * Steps are timed by the CPU time of the process, GC on other threads included: that a shared machine runs somebody else meanwhile does not
 * count. What waits for another thread is timed by the clock.
 */
function timedRun(name: string, running: Running): Timed {
  const isBurst = 'burst' in running;
  const work = isBurst ? running.burst : stepLoop(name, running.step);
  const now = isBurst ? () => performance.now() : cpuMs;
  return async (count) => {
    const begin = now();
    const sum = await work(count);
    const ms = now() - begin;
    if (!Number.isFinite(sum)) throw new Error(`${name}: the results add up to ${sum}: expected numbers`);
    return ms;
  };
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * The loop around one part. V8 keeps what it learns of a call with the text of the loop, so each part has a text of its own: in a loop that all
 * share, the second part and all behind it would not be inlined.
 */
function stepLoop(name: string, step: (nth: number) => number): (count: number) => number {
  const text = `// ${name}
let sum = 0;
for (let nth = 0; nth < count; nth++) sum += step(nth);
return sum;`;
  const loop = new Function('step', 'count', text) as (step: (nth: number) => number, count: number) => number;
  return (count) => loop(step, count);
}
