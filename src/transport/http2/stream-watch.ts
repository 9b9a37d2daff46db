import type { Stream } from './open-stream.js';

/** Less than this in the time allowed is no progress: neither a body sent nor an answer read byte by byte holds a stream open. */
const PROGRESS_BYTES = 1024;

export interface StreamTimeouts {
  /** For the next kilobyte of a body that the client owes; 0 = any time. */
  readonly bodyMs: number;
  /** For the client to open its windows for the next kilobyte of an answer; 0 = any time. */
  readonly stallMs: number;
}

/** What is the client's fault and what is not. */
export interface StreamCircumstances {
  /** The connection's window is open to the client. */
  readonly canReceive: boolean;
  /** The socket takes what we write. */
  readonly canSend: boolean;
}

/** Looks at an open stream from time to time: why it is to be reset, or null. */
export function watchStream(
  stream: Stream,
  nowMs: number,
  timeouts: StreamTimeouts,
  circumstances: StreamCircumstances,
): string | null {
  if (isBodySlow(stream, nowMs, timeouts.bodyMs, circumstances.canReceive)) {
    return `less than ${PROGRESS_BYTES} bytes of a body came in ${timeouts.bodyMs} ms`;
  }
  if (isAnswerStalled(stream, nowMs, timeouts.stallMs, circumstances.canSend)) {
    return `less than ${PROGRESS_BYTES} bytes of an answer were taken in ${timeouts.stallMs} ms`;
  }
  return null;
}

function isBodySlow(stream: Stream, nowMs: number, limitMs: number, canReceive: boolean): boolean {
  const owes = stream.state !== 'half-closed (remote)' && stream.awaitsBody && !stream.isEnding;
  const isWaiting = limitMs > 0 && owes && canReceive && stream.receiveWindow.left > 0;
  if (!isWaiting) stream.receivedMarkMs = -1;
  else if (stream.receivedMarkMs < 0 || stream.receivedBytes - stream.receivedMark >= PROGRESS_BYTES) {
    stream.receivedMark = stream.receivedBytes;
    stream.receivedMarkMs = nowMs;
  }
  return isWaiting && nowMs - stream.receivedMarkMs >= limitMs;
}

function isAnswerStalled(stream: Stream, nowMs: number, limitMs: number, canSend: boolean): boolean {
  const isWaiting = limitMs > 0 && stream.queuedBytes > 0 && canSend;
  if (!isWaiting) stream.sentMarkMs = -1;
  else if (stream.sentMarkMs < 0 || stream.sentBytes - stream.sentMark >= PROGRESS_BYTES) {
    stream.sentMark = stream.sentBytes;
    stream.sentMarkMs = nowMs;
  }
  return isWaiting && nowMs - stream.sentMarkMs >= limitMs;
}
