import { Socket } from 'node:net';

/** The first `end` bytes are what came. They are overwritten when the call returns. */
export type TakeBytes = (bytes: Buffer, end: number) => void;

/**
 * Reads an accepted connection into `buffer`, which all connections of a server may share, and returns the socket to use instead of
 * `accepted`. `net` has the option `onread` for this, but only for sockets that one makes oneself; so one is made around the handle of
 * the accepted one, which nobody has read from (`pauseOnConnect`). It saves the stream machinery and a buffer of 64 KiB for each read:
 * half the time of a small request, a third of that of a large one. Where a Node has no such handle, and for TLS, the usual events are
 * taken: `end` bytes of a buffer of their own.
 */
export function receive(accepted: Socket, buffer: Buffer, take: TakeBytes): Socket {
  const { _handle: handle } = accepted as { _handle?: { readStart?: unknown } };
  if (accepted.constructor !== Socket || typeof handle?.readStart !== 'function') {
    accepted.on('data', (bytes: Buffer) => take(bytes, bytes.length));
    return accepted.resume();
  }
  const callback = (end: number): boolean => {
    // Whoever listens keeps what it gets, and may be slower than the client: false stops reading.
    if (socket.isReleased) return socket.push(Buffer.from(buffer.subarray(0, end)));
    take(buffer, end);
    return true;
  };
  // `handle` is not in the types.
  const options = { handle, allowHalfOpen: accepted.allowHalfOpen, onread: { buffer, callback } };
  const socket = new ReceivedSocket(options);
  return socket;
}

/** Undoes `receive`, which returned `socket`: it is read by its events, as any other, and what comes waits in it until somebody listens. */
export function release(socket: Socket): void {
  if (socket instanceof ReceivedSocket) socket.isReleased = true;
  else socket.removeAllListeners('data');
  // As if nobody had listened yet: a paused one would stay so when somebody does, a flowing one would lose what comes before.
  (socket as { readableFlowing: boolean | null }).readableFlowing = null;
}

class ReceivedSocket extends Socket {
  isReleased = false;
}
