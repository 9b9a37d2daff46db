/** Times are milliseconds; 0 = any time. */
export interface ConnectionTimeouts {
  /** From the accepted socket to SETTINGS acknowledged. */
  readonly handshakeMs: number;
  /** For the rest of a field section, or of another frame but DATA, that has begun. */
  readonly headMs: number;
  /** Without an open stream, until the client is told to go. */
  readonly idleMs: number;
  /** Without a byte from the client, until it is asked by PING. */
  readonly keepaliveMs: number;
  /** For the answer to that PING: any byte is one. */
  readonly keepaliveTimeoutMs: number;
  /** For the socket to take something of what we write. */
  readonly stallMs: number;
  /** From the accepted socket until the client is told to go, some of them up to a tenth earlier lest all go at once. */
  readonly maxAgeMs: number;
  /** For the requests that are open then. */
  readonly maxAgeGraceMs: number;
  /** For the client to acknowledge that we are shutting down, until its later streams are ignored. */
  readonly drainMs: number;
}

/** What is known of a connection; times on the same clock as `nowMs`. */
export interface ConnectionView {
  readonly isEstablished: boolean;
  /** The client is told to go, and may not know yet. */
  readonly isDraining: boolean;
  /** The client is told to go. */
  readonly isGoing: boolean;
  readonly streamCount: number;
  /** Written, and not taken by the socket. */
  readonly waitingBytes: number;
  readonly openedMs: number;
  /** From when its age counts. */
  readonly bornMs: number;
  readonly receivedMs: number;
  /** When the last stream ended, or the connection began. */
  readonly idleSinceMs: number;
  /** When the socket last took something, or had nothing to take. */
  readonly writtenMs: number;
  readonly drainingSinceMs: number;
  /** Since when the rest of something is awaited; -1 = it is not. */
  readonly awaitingSinceMs: number;
  /** -1 = no PING is out. */
  readonly pingedMs: number;
}

export type ConnectionVerdict =
  | 'fine'
  | 'no handshake'
  | 'slow head'
  | 'idle'
  | 'ping'
  | 'no answer'
  | 'does not read'
  | 'too old'
  | 'grace is over'
  | 'drained long enough';

/** Looks at a connection from time to time: what is to be done about it. */
export function watchConnection(view: ConnectionView, nowMs: number, timeouts: ConnectionTimeouts): ConnectionVerdict {
  const isOver = (sinceMs: number, limitMs: number) => limitMs > 0 && nowMs - sinceMs >= limitMs;
  if (!view.isEstablished && isOver(view.openedMs, timeouts.handshakeMs)) return 'no handshake';
  if (view.awaitingSinceMs >= 0 && isOver(view.awaitingSinceMs, timeouts.headMs)) return 'slow head';
  if (view.waitingBytes > 0 && isOver(view.writtenMs, timeouts.stallMs)) return 'does not read';
  if (view.isDraining && isOver(view.drainingSinceMs, timeouts.drainMs)) return 'drained long enough';
  if (isOver(view.bornMs, timeouts.maxAgeMs)) {
    if (!view.isGoing) return 'too old';
    if (isOver(view.drainingSinceMs, timeouts.maxAgeGraceMs)) return 'grace is over';
  }
  if (view.pingedMs >= 0) return isUnanswered(view, isOver, timeouts) ? 'no answer' : 'fine';
  if (view.streamCount === 0 && !view.isGoing && isOver(view.idleSinceMs, timeouts.idleMs)) return 'idle';
  return isOver(view.receivedMs, timeouts.keepaliveMs) ? 'ping' : 'fine';
}

function isUnanswered(
  view: ConnectionView,
  isOver: (sinceMs: number, limitMs: number) => boolean,
  timeouts: ConnectionTimeouts,
): boolean {
  return view.receivedMs < view.pingedMs && isOver(view.pingedMs, timeouts.keepaliveTimeoutMs);
}
