/** What follows the head of an answer, handed on a slice at a time. */
export interface AnswerBody {
  /** No byte is there now. */
  readonly isEmpty: boolean;
  /** Nothing will be added. */
  readonly isWhole: boolean;
  /** At most `maxBytes` of the next bytes, which must not change before they are written; not when it is empty. */
  take(maxBytes: number): Uint8Array;
}
