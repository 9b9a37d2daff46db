import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { ProbeOrder, ProbeReport } from '../../src/backends/javascript-protocol.js';
import { asServerError, invalid } from '../../src/types/errors.js';
import type { ModelConfig } from './model-api.js';
import { loadModule, traceOf } from './module.js';

/** Entry point of the thread that looks at a model's module before anything of it is loaded, and ends. */
async function probe({ modelPath, configJson }: ProbeOrder): Promise<ProbeReport> {
  try {
    const model = await loadModule(modelPath);
    if (configJson === '' || model.configure === undefined) return { kind: 'good', completedJson: '' };
    const returned = await complete(() => model.configure!(JSON.parse(configJson) as ModelConfig));
    return { kind: 'good', completedJson: returned === undefined ? '' : JSON.stringify(returned) };
  } catch (error) {
    return { kind: 'bad', message: asServerError(error).message };
  }
}

async function complete(configure: () => unknown): Promise<unknown> {
  let returned: unknown;
  try {
    returned = await configure();
  } catch (error) {
    throw invalid(`configure() failed: ${traceOf(error)}`);
  }
  if (returned === undefined || (typeof returned === 'object' && returned !== null && !Array.isArray(returned))) {
    return returned;
  }
  throw invalid(`configure() must return an object of configuration fields, found ${JSON.stringify(returned)}`);
}

const port = parentPort as MessagePort;
port.postMessage(await probe(workerData as ProbeOrder));
