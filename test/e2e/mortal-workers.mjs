// Loaded into the server with `node --import`, in each of its threads: after the signal SIGUSR2, when `doomed` is printed, the next
// batch that a worker is about to run ends its thread, as a crash would.
import { createRequire } from 'node:module';
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';

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
  const { binding } = createRequire(process.argv[1])('onnxruntime-node/dist/binding.js');
  binding.InferenceSession = class extends binding.InferenceSession {
    run(...feeds) {
      if (Atomics.compareExchange(fate, 0, DOOMED, ALIVE) === DOOMED) process.exit(1);
      return super.run(...feeds);
    }
  };
}
