import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { findLibrary } from '../../src/backends/onnxruntime.js';
import { OrtLibrary } from '../../workers/ort-library.js';

/** Collects garbage, and lets finalizers run. */
async function collect(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  for (let round = 0; round < 5; round++) {
    gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test.skipIf(process.platform !== 'linux')('the library stays in memory when garbage is collected', async () => {
  const library = OrtLibrary.at(findLibrary());
  await collect();
  expect(readFileSync('/proc/self/maps', 'utf8')).toContain('libonnxruntime.so');
  expect(library.make('CreateSessionOptions')).not.toBeNull();
});
