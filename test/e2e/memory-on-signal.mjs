// Loaded into the server with `node --expose-gc --import`: after the signal SIGUSR2 it collects garbage and prints what is left.
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  process.on('SIGUSR2', () => {
    globalThis.gc();
    // What the first collection found to be finalized is gone after the second.
    setImmediate(() => {
      globalThis.gc();
      const { heapUsed, external, rss } = process.memoryUsage();
      process.stdout.write(`memory: ${heapUsed + external} live, ${rss} resident\n`);
    });
  });
}
