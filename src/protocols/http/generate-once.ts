import type { InferResponse } from '../../core/infer-response.js';
import { ServerError } from '../../types/errors.js';
import { type GenerateAnswer, generateAnswer, generateJson } from '../generate-reply.js';
import type { JsonPool } from '../json-pool.js';
import { isLargeAnswer, writeLargeAnswer } from '../large-generate.js';
import type { HttpExchange } from './engine.js';
import type { Asker, GenerateAnswers } from './generate-call.js';
import { JSON_HEADERS, replyBytes, replyError } from './reply.js';

/** `generate`: exactly one response of the model is the answer. */
export class GenerateOnce implements GenerateAnswers {
  readonly #exchange: HttpExchange;
  readonly #pool: JsonPool;
  #id = '';
  #call: Asker | null = null;
  #hasResponse = false;
  /** Of that response, as soon as it is written. */
  #text: Uint8Array | null = null;
  /** No other response follows. */
  #isComplete = false;
  /** Answered, or never will be. */
  #isOver = false;

  constructor(exchange: HttpExchange, pool: JsonPool) {
    this.#exchange = exchange;
    this.#pool = pool;
  }

  begin(id: string, call: Asker): void {
    this.#id = id;
    this.#call = call;
  }

  take(response: InferResponse): void {
    const isSecond = !response.isEmpty && this.#hasResponse;
    this.#hasResponse ||= !response.isEmpty;
    this.#isComplete = response.isFinal;
    if (isSecond || !this.#hasResponse) {
      response.release();
      this.#refuse(notOne());
    } else if (response.isEmpty) {
      response.release();
      this.#send();
    } else {
      this.#write(response);
    }
  }

  takeError(error: ServerError): void {
    this.#fail(error);
  }

  goOn(): void {}

  drop(): void {
    this.#isOver = true;
    this.#text = null;
  }

  #write(response: InferResponse): void {
    const answer = generateAnswer(response, this.#id);
    if (isLargeAnswer(answer)) {
      void this.#writeLarge(response, answer);
      return;
    }
    try {
      const text = generateJson(answer);
      // It is valid until another answer is written.
      this.#text = response.isFinal ? text : text.slice();
      this.#send();
    } catch (error) {
      this.#refuse(error);
    } finally {
      response.release();
    }
  }

  async #writeLarge(response: InferResponse, answer: GenerateAnswer): Promise<void> {
    try {
      const text = await writeLargeAnswer(this.#pool, answer, 'json', response.model.arena.buffer);
      if (this.#isOver) return;
      this.#text = text;
      this.#send();
    } catch (error) {
      this.#refuse(error);
    } finally {
      response.release();
    }
  }

  /** As soon as the text is there, and it is known that no other follows. */
  #send(): void {
    if (this.#isComplete && this.#text !== null) replyBytes(this.#exchange, 200, JSON_HEADERS, this.#text);
  }

  /** What its model answered cannot be its answer. */
  #refuse(error: unknown): void {
    if (!this.#isOver) this.#call!.noteRefusal(error);
    this.#fail(error);
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#call!.cancel();
    replyError(this.#exchange, error);
  }
}

/** Triton gives it the status of the first response, 200 (fact sheet 1.12). */
function notOne(): ServerError {
  return new ServerError(
    'INTERNAL',
    'generate expects model to produce exactly 1 response, use generate stream for model that generates various number of responses',
  );
}
