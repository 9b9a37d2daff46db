import type { JavaScriptSettings } from '../src/backends/javascript-protocol.js';
import type { InstanceInit, WorkerMessage } from '../src/backends/worker-protocol.js';
import { asServerError, ServerError } from '../src/types/errors.js';
import { AnswerChannel } from './javascript/answer-channel.js';
import { BatchLoop } from './javascript/batch-loop.js';
import { Calls } from './javascript/calls.js';
import { contextOf, logTo } from './javascript/context.js';
import type { JavaScriptModel, ModelContext } from './javascript/model-api.js';
import { loadModule, traceOf } from './javascript/module.js';

/** Entry point of an instance whose model is written in JavaScript: piscina runs it once, for the instance's whole life. */
export async function runInstance(init: InstanceInit<JavaScriptSettings>): Promise<void> {
  const end = new AbortController();
  const log = logTo(init);
  const calls = new Calls(init);
  const tell = (message: WorkerMessage) => init.port.postMessage(message);
  let model: JavaScriptModel;
  try {
    model = await start(init.settings.modelPath, contextOf(init, calls, end.signal));
  } catch (error) {
    const { code, message } = asServerError(error);
    tell({ kind: 'failed', code, message });
    return;
  }
  const { isDecoupled, finalizeTimeoutMs } = init.settings;
  const channel = new AnswerChannel(init.port);
  const loop = new BatchLoop(init, { model, channel, calls, isDecoupled, onError: (text) => log.error(text) });
  tell({ kind: 'ready' });
  await loop.serve();
  end.abort();
  await within(finalizeTimeoutMs, channel.idle()).catch(() => {});
  await within(finalizeTimeoutMs, finalize(model)).catch((error) => log.error(`finalize() failed: ${traceOf(error)}`));
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

async function finalize(model: JavaScriptModel): Promise<void> {
  await model.finalize?.();
}

/** Rejects where `done` is not there in time. */
async function within(timeoutMs: number, done: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it did not end within ${timeoutMs / 1000} s`)), timeoutMs);
  });
  await Promise.race([done, late]).finally(() => clearTimeout(timer));
}
