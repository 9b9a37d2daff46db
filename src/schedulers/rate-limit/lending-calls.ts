import type { CallEvent, CallReply } from '../../backends/call-protocol.js';
import type { CallSession } from '../../backends/instance.js';
import type { InferRequest } from '../../backends/request.js';

/** Who waits for other models, and is not to keep from them what they need. */
export interface Lender {
  beginWait(): void;
  endWait(): void;
}

/** The calls of an instance that lends what it holds while one of them is open. */
export class LendingCalls implements CallSession {
  readonly #session: CallSession;
  readonly #lender: Lender;
  readonly #open: Set<number>;

  private constructor(session: CallSession, lender: Lender, open: Set<number>) {
    this.#session = session;
    this.#lender = lender;
    this.#open = open;
  }

  static open(
    lender: Lender,
    open: (post: (replies: readonly CallReply[]) => void) => CallSession,
    post: (replies: readonly CallReply[]) => void,
  ): CallSession {
    const ids = new Set<number>();
    const session = open((replies) => {
      for (const reply of replies) if (isLast(reply)) endCall(ids, reply.id, lender);
      post(replies);
    });
    return new LendingCalls(session, lender, ids);
  }

  take(event: CallEvent, caller: InferRequest | null): void {
    if (event.kind === 'submit') {
      this.#open.add(event.id);
      this.#lender.beginWait();
    } else if (event.kind === 'cancel') endCall(this.#open, event.id, this.#lender);
    this.#session.take(event, caller);
  }

  close(): void {
    for (const id of this.#open) endCall(this.#open, id, this.#lender);
    this.#session.close();
  }
}

function isLast(reply: CallReply): boolean {
  return reply.kind === 'error' || (reply.kind === 'answer' && reply.answer.isFinal);
}

function endCall(open: Set<number>, id: number, lender: Lender): void {
  if (open.delete(id)) lender.endWait();
}
