import type { AnswerBody } from './answer-body.js';
import type { Refusal } from './refusal.js';

/** One request and its answer, as its connection sees it. Each is told `onSent` or `onAborted`, once. */
export interface Http1Exchange {
  /** An answer that waits for those before it. Belongs to `Answers`. */
  held: HeldAnswer | null;
  /** It has its place among the answers: the handler may run. */
  run(): void;
  /** `bytes` are valid during the call. */
  onBody(bytes: Uint8Array, isLast: boolean): void;
  /** The rest of its body cannot be read. It may still answer, and the connection closes then. */
  onRefused(refusal: Refusal): void;
  /** Of an answer that is written piece by piece: all that was there was handed on, and more may come. */
  onRoom(): void;
  /** The answer was handed on to its last byte: views are free again. */
  onSent(): void;
  /** It can be answered no more: views are free again. */
  onAborted(): void;
}

export interface HeldAnswer {
  /** The head, and what was copied. */
  readonly start: Uint8Array;
  /** What follows; null = nothing. */
  readonly body: AnswerBody | null;
}

/** The answer to bytes that are no request: it is there from the beginning. */
export class FinalAnswer implements Http1Exchange {
  held: HeldAnswer | null;

  constructor(bytes: Uint8Array) {
    this.held = { start: bytes, body: null };
  }

  run(): void {}
  onBody(): void {}
  onRefused(): void {}
  onRoom(): void {}
  onSent(): void {}
  onAborted(): void {}
}
