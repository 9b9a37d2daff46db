import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { DONE, NO_STATE } from '../../../src/memory/layout.js';
import { RingMemory, RingProducer } from '../../../src/memory/ring.js';
import type { RingWorkerData } from '../fixtures/ring-worker.js';
import type { Part, Running } from '../part.js';

const MAX_ENTRIES = 64;

/** Batches of the ring that are done are free again; the result is how many. */
function reap(ring: RingProducer): number {
  let reaped = 0;
  while (ring.inFlight > 0 && ring.stateOf(ring.oldest) === DONE) {
    ring.release();
    reaped++;
  }
  return reaped;
}

function begin(ring: RingProducer, entries: number): void {
  for (let entry = 0; entry < entries; entry++) ring.write(ring.next, entry, 0, entry, 1, NO_STATE);
  ring.open(0, 0, entries);
  ring.ring();
}

/** One batch, and the next when it is done: both threads sleep in between. */
async function oneByOne(ring: RingProducer, count: number): Promise<number> {
  let done = 0;
  while (done < count) {
    begin(ring, 1);
    for (;;) {
      const seen = ring.events;
      const reaped = reap(ring);
      done += reaped;
      if (reaped > 0) break;
      await ring.nextEvent(seen);
    }
  }
  return done;
}

/** As many batches as the ring has places for, always. */
async function full(ring: RingProducer, count: number, entries: number): Promise<number> {
  let begun = 0;
  let done = 0;
  while (done < count) {
    const seen = ring.events;
    done += reap(ring);
    while (begun < count && !ring.full) {
      begin(ring, entries);
      begun++;
    }
    if (ring.inFlight > 0 && ring.stateOf(ring.oldest) !== DONE) await ring.nextEvent(seen);
  }
  return done;
}

type Drive = (ring: RingProducer, count: number) => Promise<number>;

/** With a worker thread at the other end. */
async function handingOver(drive: Drive): Promise<Running> {
  const workerData: RingWorkerData = { buffer: RingMemory.create(MAX_ENTRIES), maxEntries: MAX_ENTRIES };
  const worker = new Worker(new URL('../fixtures/ring-worker.js', import.meta.url), { workerData });
  await once(worker, 'online');
  const ring = new RingProducer(new RingMemory(workerData.buffer, MAX_ENTRIES));
  assert.equal(await drive(ring, 100), 100);
  return {
    burst: (count) => drive(ring, count),
    tearDown: async () => {
      const end = once(worker, 'exit');
      ring.stop();
      await end;
    },
  };
}

export const parts: readonly Part[] = [
  {
    name: 'ring/round-trip',
    about: 'a batch of one goes to a worker thread and is seen to be done; both sleep in between',
    setUp: () => handingOver(oneByOne),
  },
  {
    name: 'ring/batches',
    about: 'a batch of one, while the ring is kept full',
    setUp: () => handingOver((ring, count) => full(ring, count, 1)),
  },
  {
    name: 'ring/batches-64',
    about: 'the same with batches of 64',
    setUp: () => handingOver((ring, count) => full(ring, count, MAX_ENTRIES)),
  },
];
