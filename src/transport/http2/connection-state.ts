import { assert } from '../../base/assert.js';

/**
 * preface: the client has not said its magic words and SETTINGS yet.
 * open: requests are taken.
 * draining: GOAWAY is sent but names no last stream; the client may not know yet, so requests are still taken (6.8).
 * closing: GOAWAY named the last stream; later ones are ignored, those open are finished.
 * closed: nothing is read any more. What is in the output is still to be written.
 */
export type ConnectionState = 'preface' | 'open' | 'draining' | 'closing' | 'closed';

const transitions: Record<ConnectionState, readonly ConnectionState[]> = {
  preface: ['open', 'closed'],
  open: ['draining', 'closed'],
  draining: ['closing', 'closed'],
  closing: ['closed'],
  closed: [],
};

export function checkTransition(from: ConnectionState, to: ConnectionState): void {
  assert(transitions[from].includes(to), `a connection that is ${from} cannot become ${to}`);
}
