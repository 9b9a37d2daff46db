import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { invalid } from '../types/errors.js';
import type { ProbeOrder, ProbeReport } from './javascript-protocol.js';

const worker = fileURLToPath(new URL('../../workers/javascript/probe.js', import.meta.url));

/** Loading a module and its own configuration takes less, or the model is not going to be loaded. */
const TIMEOUT_MS = 60_000;

/**
 * Looks at a model's module in a thread of its own, which has ended when the result is there: the fields that its `configure` returns, as JSON; '' =
 * none. Throws INVALID_ARGUMENT that says why the module cannot be used.
 * @param configJson given to `configure`; '' = it is not to be called
 */
export async function probeModule(model: string, modelPath: string, configJson: string): Promise<string> {
  const order: ProbeOrder = { modelPath, configJson };
  const thread = new Worker(worker, { workerData: order });
  let timer: NodeJS.Timeout | undefined;
  const report = await new Promise<ProbeReport>((resolve) => {
    const bad = (message: string) => resolve({ kind: 'bad', message });
    timer = setTimeout(() => bad(`its module was not loaded within ${TIMEOUT_MS / 1000} s`), TIMEOUT_MS);
    thread.once('message', resolve);
    thread.once('error', (error) => bad(`its module threw while it was loaded: ${(error as Error).message}`));
    thread.once('exit', (code) => bad(`its module ended the thread with code ${code} while it was loaded`));
  });
  clearTimeout(timer);
  await thread.terminate();
  if (report.kind === 'good') return report.completedJson;
  throw invalid(`model '${model}': ${report.message}`);
}
