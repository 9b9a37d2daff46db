import type { GrpcCallOwner } from './engine.js';

/** Before the handler has said who owns a call. */
export const nobody: GrpcCallOwner = {
  onMessage: () => {},
  onMessageBegin: () => {},
  onPiece: () => {},
  onMessageEnd: () => {},
  onHalfClose: () => {},
  onCancel: () => {},
  onDrain: () => {},
};
