import type { AnswerPlace, CallEvent, CallHead } from '../../src/backends/call-protocol.js';
import type { ErrorCode } from '../../src/types/errors.js';
import { writeInput } from './call-head.js';
import { CalledAnswer } from './called-answer.js';
import type { CalledInput } from './model-api.js';

/** Why a call has no answer. */
export class CallFailure {
  readonly code: ErrorCode;
  readonly message: string;

  constructor(code: ErrorCode, message: string) {
    this.code = code;
    this.message = message;
  }

  /** Made where the author's code waits, so that its stack leads there. */
  toError(): Error {
    return Object.assign(new Error(this.message), { code: this.code });
  }
}

/** What comes of waiting: an answer, or null = there are no more, or a failure. */
export type CallOutcome = CalledAnswer | CallFailure | null;

/** Who makes calls. */
export interface CallHost {
  readonly arena: Uint8Array;
  tell(event: CallEvent): void;
  /** An answer is not read any more where its model left it. */
  released(call: OpenCall, answer: CalledAnswer, number: number): void;
  /** Nothing will be told of the call any more. */
  forget(call: OpenCall): void;
  /** The answer is given to the author: false = it must be copied first. */
  lend(call: OpenCall, answer: CalledAnswer): boolean;
}

/** A call whose last answer is not there yet, or not taken. */
export class OpenCall {
  readonly id: number;
  readonly #host: CallHost;
  readonly #head: CallHead;
  /** Null = they are written. */
  #inputs: readonly CalledInput[] | null;
  readonly #answers: CalledAnswer[] = [];
  /** Behind the answers: null = nothing. */
  #failure: CallFailure | null = null;
  #isOver = false;
  #resolve: ((outcome: CallOutcome) => void) | null = null;
  readonly #signals: AbortSignal[] = [];

  /** @param caller the key of the request on whose behalf it is; -1 = it is of none */
  constructor(id: number, host: CallHost, caller: number, head: CallHead, inputs: readonly CalledInput[]) {
    this.id = id;
    this.#host = host;
    this.#head = head;
    this.#inputs = inputs;
    host.tell({ kind: 'call', id, caller, head });
  }

  /** Its inputs are still to be read. */
  get isUnsent(): boolean {
    return this.#inputs !== null && !this.#isOver;
  }

  get model(): string {
    return this.#head.model;
  }

  /** The call is cancelled when this is aborted. */
  follow(signal: AbortSignal): void {
    if (signal.aborted) this.#onAbort();
    if (this.#isOver) return;
    signal.addEventListener('abort', this.#onAbort);
    this.#signals.push(signal);
  }

  /** One after the other. */
  next(): Promise<CallOutcome> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#serve();
    });
  }

  onPlace(begins: readonly number[]): void {
    const inputs = this.#inputs!;
    this.#inputs = null;
    try {
      for (const [nth, input] of inputs.entries()) {
        writeInput(input, this.#head.inputs[nth]!.byteSize, this.#host.arena, begins[nth]!);
      }
    } catch (error) {
      // What was checked is not what is there now.
      this.cancel(new CallFailure('INVALID_ARGUMENT', `the data of the call changed before it was sent: ${error}`));
      return;
    }
    this.#host.tell({ kind: 'submit', id: this.id });
  }

  onAnswer(place: AnswerPlace): void {
    const { number, isFinal, isEmpty } = place;
    const answer: CalledAnswer = new CalledAnswer(place, this.#host.arena, () => {
      this.#host.released(this, answer, number);
    });
    if (!isEmpty) this.#answers.push(answer);
    if (isFinal) this.#close();
    this.#serve();
    if (isFinal) this.#keepRest();
  }

  onError(code: ErrorCode, message: string): void {
    this.#failure = new CallFailure(code, message);
    this.#close();
    this.#serve();
    this.#keepRest();
  }

  /** Nobody waits for more; whoever does is told why. */
  cancel(why = new CallFailure('CANCELLED', `the call of model '${this.model}' was cancelled`)): void {
    if (this.#isOver) return;
    this.#failure = why;
    this.#answers.length = 0;
    this.#close();
    this.#host.tell({ kind: 'cancel', id: this.id });
    this.#serve();
  }

  readonly #onAbort = (): void => this.cancel();

  #close(): void {
    this.#isOver = true;
    for (const signal of this.#signals) signal.removeEventListener('abort', this.#onAbort);
    this.#host.forget(this);
  }

  #serve(): void {
    const resolve = this.#resolve;
    const answer = this.#answers[0];
    if (resolve === null || (answer === undefined && !this.#isOver)) return;
    this.#resolve = null;
    this.#answers.shift();
    if (answer !== undefined && !this.#host.lend(this, answer)) answer.own();
    resolve(answer ?? this.#failure);
  }

  /** Nobody may ever ask for them: they must not keep memory of the arena. */
  #keepRest(): void {
    for (const answer of this.#answers) answer.own();
  }
}
