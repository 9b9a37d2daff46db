import { ERROR_CLASS } from '../memory/layout.js';
import { type RingMemory, readText } from '../memory/ring.js';
import { type ErrorCode, ServerError } from '../types/errors.js';
import { ERROR_CLASSES } from './worker-protocol.js';

/** What the worker wrote into the batch whose words begin at `base`. */
export function batchError(memory: RingMemory, base: number): ServerError {
  const code: ErrorCode = ERROR_CLASSES[memory.words[base + ERROR_CLASS]!] ?? 'INTERNAL';
  return new ServerError(code, readText(memory, base));
}

/** There is no room for the inputs of a request: it is refused at once, and may succeed later. */
export function outOfMemory(model: string): ServerError {
  return noMemory(`model '${model}'`);
}

/** What was accepted cannot run, or ran: there is no room for what it answers. */
export function outOfOutputs(model: string): ServerError {
  return noMemory(`the outputs of model '${model}'`);
}

function noMemory(whose: string): ServerError {
  return new ServerError(
    'RESOURCE_EXHAUSTED',
    `no tensor memory is left for ${whose}; raise --tensor-memory-byte-size or send fewer requests at once`,
  );
}

export function died(model: string, instance: string, reason: string, isRestarted: boolean): ServerError {
  const next = isRestarted ? '; the instance is being restarted' : '';
  return new ServerError(
    'INTERNAL',
    `instance '${instance}' of model '${model}' died while it ran this request: ${reason}${next}`,
  );
}

export function diedEarly(model: string, instance: string): ServerError {
  return new ServerError('INTERNAL', `instance '${instance}' of model '${model}' died before it served`);
}
