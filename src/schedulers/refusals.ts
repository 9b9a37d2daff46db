import { ServerError } from '../types/errors.js';

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
