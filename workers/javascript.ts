import type { JavaScriptSettings } from '../src/backends/javascript-protocol.js';
import type { InstanceInit, WorkerMessage } from '../src/backends/worker-protocol.js';
import { asServerError, ServerError } from '../src/types/errors.js';
import { BatchLoop } from './javascript/batch-loop.js';
import { contextOf, logTo } from './javascript/context.js';
import type { JavaScriptModel, ModelContext } from './javascript/model-api.js';
import { loadModule, traceOf } from './javascript/module.js';

/** Entry point of an instance whose model is written in JavaScript: piscina runs it once, for the instance's whole life. */
export async function runInstance(init: InstanceInit<JavaScriptSettings>): Promise<void> {
  const end = new AbortController();
  const log = logTo(init);
  const tell = (message: WorkerMessage) => init.port.postMessage(message);
  let model: JavaScriptModel;
  try {
    model = await start(init.settings.modelPath, contextOf(init, end.signal));
  } catch (error) {
    const { code, message } = asServerError(error);
    tell({ kind: 'failed', code, message });
    return;
  }
  tell({ kind: 'ready' });
  await new BatchLoop(init, model, (text) => log.error(text)).serve();
  end.abort();
  await finalize(model, init.settings.finalizeTimeoutMs).catch((error) =>
    log.error(`finalize() failed: ${traceOf(error)}`),
  );
}

async function start(modelPath: string, context: ModelContext): Promise<JavaScriptModel> {
  const model = await loadModule(modelPath);
  try {
    await model.initialize?.(context);
  } catch (error) {
    context.log.error(`initialize() failed: ${traceOf(error)}`);
    throw new ServerError('INTERNAL', `initialize() failed: ${asServerError(error).message}`);
  }
  return model;
}

async function finalize(model: JavaScriptModel, timeoutMs: number): Promise<void> {
  if (model.finalize === undefined) return;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it did not end within ${timeoutMs / 1000} s`)), timeoutMs);
  });
  await Promise.race([model.finalize(), late]).finally(() => clearTimeout(timer));
}
