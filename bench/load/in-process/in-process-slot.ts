import type { AcceptedRequest, InferResponse, Responder } from '../../../src/core/infer-response.js';
import type { ServedModel } from '../../../src/core/served-model.js';
import { buildReply } from '../../../src/protocols/infer-reply.js';
import { asServerError, type ServerError } from '../../../src/types/errors.js';
import type { Answer, Failure, WireUser } from '../wires/wire.js';
import type { CheckedRequest, InProcessRequest } from './in-process-request.js';

const NOTHING = Buffer.alloc(0);

/** One request at a time. */
export class InProcessSlot implements Responder {
  readonly #slot: number;
  readonly #user: WireUser;
  readonly #answer: Answer = {
    isFinal: true,
    isEmpty: false,
    failure: null,
    firstByteMs: 0,
    bytes: NOTHING,
    start: 0,
    end: 0,
    jsonBytes: -1,
  };
  /** null = there is none. */
  #request: AcceptedRequest | null = null;
  #sentMs = 0;
  /** Somebody looks at the outputs. */
  #isRead = false;
  #refusal: Failure | null = null;
  #isClosed = false;

  constructor(slot: number, user: WireUser) {
    this.#slot = slot;
    this.#user = user;
  }

  /** Throws a ServerError where the request is refused at once: then no answer comes. */
  begin(
    model: ServedModel,
    { plan, sizes }: CheckedRequest,
    { step, head }: InProcessRequest,
    sequenceId: number,
  ): void {
    const { sequenceStart, sequenceEnd } = head;
    const request = model.admit(plan, sizes, this, { sequenceId, sequenceStart, sequenceEnd });
    const { bytes } = request.model.arena;
    for (let nth = 0; nth < sizes.length; nth++) bytes.set(step.inputs[nth]!.bytes, request.inputBegin(nth));
    this.#request = request;
    this.#sentMs = performance.now();
    this.#isRead = step.expected !== null;
    try {
      request.submit();
    } catch (error) {
      // It has given everything back.
      this.#request = null;
      throw error;
    }
  }

  onResponse(response: InferResponse): void {
    const answer = this.#answer;
    answer.isFinal = response.isFinal;
    answer.isEmpty = response.isEmpty;
    answer.failure = null;
    this.#write(response);
    response.release();
    this.#tell();
  }

  onError(error: ServerError): void {
    this.#fail(failureOf(error));
  }

  refuse(error: unknown): void {
    this.#refusal = failureOf(asServerError(error));
  }

  tellRefusal(): void {
    const refusal = this.#refusal!;
    this.#refusal = null;
    this.#fail(refusal);
  }

  endIfSentBefore(ms: number): void {
    if (this.#request === null || this.#sentMs >= ms) return;
    this.#request.cancel();
    this.#fail({ kind: 'timeout', message: 'no final answer came in time (--request-timeout-ms)' });
  }

  close(): void {
    this.#isClosed = true;
    const request = this.#request;
    this.#request = null;
    request?.cancel();
  }

  #fail(failure: Failure): void {
    const answer = this.#answer;
    answer.isFinal = true;
    answer.isEmpty = false;
    answer.failure = failure;
    this.#put(NOTHING, -1);
    this.#tell();
  }

  /** As the body of an answer over HTTP. */
  #write(response: InferResponse): void {
    if (!this.#isRead || response.isEmpty) {
      this.#put(NOTHING, -1);
      return;
    }
    const { headBytes, parts } = buildReply(response, null, '');
    this.#put(Buffer.concat(parts), headBytes);
  }

  #put(bytes: Buffer, jsonBytes: number): void {
    this.#answer.bytes = bytes;
    this.#answer.end = bytes.length;
    this.#answer.jsonBytes = jsonBytes;
  }

  #tell(): void {
    if (this.#isClosed) return;
    if (this.#answer.isFinal) this.#request = null;
    this.#answer.firstByteMs = performance.now();
    this.#user.onAnswer(this.#slot, this.#answer);
  }
}

/** The model itself was found: one that it calls was not. */
function failureOf({ code, message }: ServerError): Failure {
  const remedy = code === 'NOT_FOUND' ? '; --load-model NAME loads it too' : '';
  return { kind: code, message: `${message}${remedy}` };
}
