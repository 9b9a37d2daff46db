import { ServerError } from '../types/errors.js';

/** What was accepted cannot run: there is no room for what it would answer. */
export function outOfOutputs(model: string): ServerError {
  return new ServerError(
    'RESOURCE_EXHAUSTED',
    `no tensor memory is left for the outputs of model '${model}'; raise --tensor-memory-byte-size or send fewer requests at once`,
  );
}

/** Triton's text. */
export function stopping(): ServerError {
  return new ServerError(
    'UNAVAILABLE',
    'Server is stopping, scheduler for model has stopped accepting new inference requests',
  );
}

/** Waiting would be for ever. */
export function unavailable(model: string): ServerError {
  return new ServerError(
    'UNAVAILABLE',
    `no instance of model '${model}' can be started; see the server's log for the reason`,
  );
}
