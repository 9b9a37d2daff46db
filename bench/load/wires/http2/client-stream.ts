import type { AnswerFields } from './answer-fields.js';

/** One stream at a time, used again for the next; its owner hears what comes on it. */
export abstract class ClientStream {
  /** 0 = none is open. */
  id = 0;
  /** What the server still takes; below 0 where it took back what it had allowed (RFC 9113, 6.9.2). */
  sendWindow = 0;
  /** Received since the window was opened last. */
  received = 0;
  /** Of the body: what waits for windows, and whether the body ends behind it. */
  readonly pieces: Buffer[] = [];
  /** Of the first of them: what is sent. */
  sentBytes = 0;
  endsBehind = false;

  /** `bytes[start, end)` is valid during the call. */
  abstract onData(bytes: Buffer, start: number, end: number): void;
  /** The head of the answer, or its trailers. */
  abstract onFields(fields: AnswerFields): void;
  /** It is over, without trailers where none came before. */
  abstract onEnd(): void;
  /** The server gave it up (RST_STREAM); it is over. */
  abstract onReset(code: number): void;
  /** The server has not looked at it and never will; it is over, and may be tried anew (GOAWAY). */
  abstract onRefused(): void;
}
