import type { InferResponse } from '../../core/infer-response.js';
import { ServerError } from '../../types/errors.js';
import { generateJson } from '../generate-reply.js';
import type { HttpExchange } from './engine.js';
import type { GenerateAnswers } from './generate-call.js';
import { JSON_HEADERS, replyBytes, replyError } from './reply.js';

/** `generate`: exactly one answer of the model is the answer. */
export class GenerateOnce implements GenerateAnswers {
  readonly #exchange: HttpExchange;
  #id = '';
  /** The answer, while it is not known whether others follow. */
  #text: Uint8Array | null = null;

  constructor(exchange: HttpExchange) {
    this.#exchange = exchange;
  }

  begin(id: string): void {
    this.#id = id;
  }

  take(response: InferResponse): boolean {
    const { isFinal } = response;
    try {
      if (!response.isEmpty) this.#takeText(response);
      if (isFinal) this.#send();
      return true;
    } catch (error) {
      replyError(this.#exchange, error);
      return false;
    } finally {
      response.release();
    }
  }

  takeError(error: ServerError): void {
    replyError(this.#exchange, error);
  }

  goOn(): boolean {
    return true;
  }

  drop(): void {
    this.#text = null;
  }

  #takeText(response: InferResponse): void {
    if (this.#text !== null) throw notOne();
    const text = generateJson(response, this.#id);
    // It is valid until another answer is written.
    this.#text = response.isFinal ? text : text.slice();
  }

  #send(): void {
    if (this.#text === null) throw notOne();
    replyBytes(this.#exchange, 200, JSON_HEADERS, this.#text);
  }
}

/** Triton gives it the status of the first answer, 200 (fact sheet 1.12). */
function notOne(): ServerError {
  return new ServerError(
    'INTERNAL',
    'generate expects model to produce exactly 1 response, use generate stream for model that generates various number of responses',
  );
}
