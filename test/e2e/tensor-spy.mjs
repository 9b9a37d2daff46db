// Loaded into the server with `node --import`, in each of its threads: a worker prints a line for each run of ONNX Runtime that
// says where the tensors lie that it is given. Written past the worker's own stdout, which flows only while its event loop turns.
// The copies that ONNX Runtime returns beside the memory it was told to write to are spoiled: they must not be looked at.
import { writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';

if (!isMainThread) {
  const { binding } = createRequire(process.argv[1])('onnxruntime-node/dist/binding.js');
  binding.InferenceSession = class extends binding.InferenceSession {
    run(feeds, fetches, options) {
      const results = super.run(feeds, fetches, options);
      for (const name of Object.keys(fetches)) if (fetches[name] !== null) results[name].data.fill(0);
      writeSync(1, `run: inputs ${placeOf(feeds)}, outputs ${placeOf(fetches)}\n`);
      return results;
    }
  };
}

function placeOf(tensors) {
  const places = Object.values(tensors).map((tensor) => {
    if (tensor === null) return 'of unknown size';
    return tensor.data.buffer instanceof SharedArrayBuffer ? 'shared' : 'private';
  });
  return [...new Set(places)].join(' and ');
}
