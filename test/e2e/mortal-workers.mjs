// Loaded into the server with `node --import`, in each of its threads: for each signal SIGUSR2, when `doomed` is printed, one batch that a
// worker is about to run ends its thread, as a crash would. With `?dooms=N` behind its URL, the first N do.
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';
import { SEALED } from '../../dist/src/memory/layout.js';

if (isMainThread) {
  const dooms = new Int32Array(new SharedArrayBuffer(4));
  dooms[0] = Number(new URL(import.meta.url).searchParams.get('dooms') ?? 0);
  setEnvironmentData('dooms', dooms);
  process.on('SIGUSR2', () => {
    Atomics.add(dooms, 0, 1);
    process.stdout.write('doomed\n');
  });
} else {
  const dooms = getEnvironmentData('dooms');
  const { compareExchange } = Atomics;
  const takeDoom = () => {
    for (let left = Atomics.load(dooms, 0); left > 0; left = Atomics.load(dooms, 0)) {
      if (compareExchange(dooms, 0, left, left - 1) === left) return true;
    }
    return false;
  };
  // A worker takes a batch by changing its state to SEALED.
  Atomics.compareExchange = (words, index, expected, value) => {
    const found = compareExchange(words, index, expected, value);
    const isTaken = value === SEALED && found === expected;
    if (isTaken && takeDoom()) process.exit(1);
    return found;
  };
}
