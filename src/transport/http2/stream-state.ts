/** Section 5.1. An idle stream has no object yet; nothing is ever reserved, as we do not push. A reset closes it. */
export type StreamState = 'open' | 'half-closed (local)' | 'half-closed (remote)' | 'closed';

/** END_STREAM was sent. */
export function afterEndSent(state: StreamState): StreamState {
  if (state === 'open') return 'half-closed (local)';
  return state === 'half-closed (remote)' ? 'closed' : state;
}

/** END_STREAM was received. */
export function afterEndReceived(state: StreamState): StreamState {
  if (state === 'open') return 'half-closed (remote)';
  return state === 'half-closed (local)' ? 'closed' : state;
}
