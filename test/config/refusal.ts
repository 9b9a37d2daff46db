import { ServerError } from '../../src/types/errors.js';

/** What `act` says against it, with its class; 'accepted' where it says nothing. */
export function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof ServerError) return error.toString();
    throw error;
  }
  return 'accepted';
}
