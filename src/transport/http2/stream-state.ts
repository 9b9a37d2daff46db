/** Section 5.1. An idle stream has no object yet; nothing is ever reserved, as we do not push. */
export type StreamState = 'open' | 'half-closed (local)' | 'half-closed (remote)' | 'closed';

type StreamEvent = 'END_STREAM sent' | 'END_STREAM received' | 'reset';

const transitions: Record<StreamState, Record<StreamEvent, StreamState>> = {
  open: {
    'END_STREAM sent': 'half-closed (local)',
    'END_STREAM received': 'half-closed (remote)',
    reset: 'closed',
  },
  'half-closed (local)': {
    'END_STREAM sent': 'half-closed (local)',
    'END_STREAM received': 'closed',
    reset: 'closed',
  },
  'half-closed (remote)': {
    'END_STREAM sent': 'closed',
    'END_STREAM received': 'half-closed (remote)',
    reset: 'closed',
  },
  closed: { 'END_STREAM sent': 'closed', 'END_STREAM received': 'closed', reset: 'closed' },
};

export function nextState(state: StreamState, event: StreamEvent): StreamState {
  return transitions[state][event];
}
