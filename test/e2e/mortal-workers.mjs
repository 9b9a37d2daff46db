// Loaded into the server with `node --import`, in each of its threads: after the signal SIGUSR2, when `doomed` is printed, the next
// batch that a worker is about to run ends its thread, as a crash would.
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';
import { SEALED } from '../../dist/src/memory/layout.js';

const ALIVE = 0;
const DOOMED = 1;

if (isMainThread) {
  const fate = new Int32Array(new SharedArrayBuffer(4));
  setEnvironmentData('fate', fate);
  process.on('SIGUSR2', () => {
    Atomics.store(fate, 0, DOOMED);
    process.stdout.write('doomed\n');
  });
} else {
  const fate = getEnvironmentData('fate');
  const { compareExchange } = Atomics;
  // A worker takes a batch by changing its state to SEALED.
  Atomics.compareExchange = (words, index, expected, value) => {
    const found = compareExchange(words, index, expected, value);
    const isTaken = value === SEALED && found === expected;
    if (isTaken && compareExchange(fate, 0, DOOMED, ALIVE) === DOOMED) process.exit(1);
    return found;
  };
}
