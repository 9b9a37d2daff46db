import { Fifo } from '../../base/fifo.js';
import type { InferResponse } from '../../core/infer-response.js';
import { asServerError, type ServerError } from '../../types/errors.js';
import { errorEvent, generateEvent } from '../generate-reply.js';
import { httpStatus } from '../status.js';
import type { HttpExchange } from './engine.js';
import type { GenerateAnswers } from './generate-call.js';
import { errorHeaders } from './reply.js';

const EVENT_HEADERS: readonly string[] = ['Content-Type', 'text/event-stream; charset=utf-8'];

/**
 * `generate_stream`: each answer of the model is an event, and the first one decides on the status. An answer is released when the
 * client's connection has room for more, so that a client that does not read slows the model down.
 */
export class GenerateEvents implements GenerateAnswers {
  readonly #exchange: HttpExchange;
  #id = '';
  #hasBegun = false;
  /** Written while there was no room for more. */
  #written: InferResponse | null = null;
  /** They came while there was no room. */
  readonly #waiting = new Fifo<InferResponse>();
  /** Behind those that wait. */
  #error: ServerError | null = null;

  constructor(exchange: HttpExchange) {
    this.#exchange = exchange;
  }

  begin(id: string): void {
    this.#id = id;
  }

  take(response: InferResponse): boolean {
    if (this.#written === null) return this.#write(response);
    this.#waiting.push(response);
    return true;
  }

  takeError(error: ServerError): void {
    if (this.#written === null) this.#writeError(error);
    else this.#error = error;
  }

  goOn(): boolean {
    const written = this.#written;
    this.#written = null;
    const isWanted = this.#writeWaiting();
    written?.release();
    return isWanted;
  }

  drop(): void {
    this.#written?.release();
    this.#written = null;
    while (this.#waiting.length > 0) this.#waiting.shift().release();
  }

  #writeWaiting(): boolean {
    while (this.#written === null && this.#waiting.length > 0) {
      if (!this.#write(this.#waiting.shift())) return false;
    }
    if (this.#error !== null && this.#written === null) this.#writeError(this.#error);
    return true;
  }

  /** False = it cannot be written, which is an event too: the last one. */
  #write(response: InferResponse): boolean {
    let hasRoom = true;
    try {
      if (!response.isEmpty) hasRoom = this.#event(200, EVENT_HEADERS, generateEvent(response, this.#id));
    } catch (error) {
      response.release();
      this.#writeError(asServerError(error));
      return false;
    }
    const { isFinal } = response;
    if (hasRoom) response.release();
    else this.#written = response;
    if (isFinal) this.#end();
    return true;
  }

  #writeError(error: ServerError): void {
    this.#error = null;
    this.#event(httpStatus[error.code], errorHeaders(error, EVENT_HEADERS), errorEvent(error));
    this.#exchange.end();
  }

  #event(status: number, headers: readonly string[], text: Uint8Array): boolean {
    this.#begin(status, headers);
    return this.#exchange.write(text);
  }

  #begin(status: number, headers: readonly string[]): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#exchange.begin(status, headers);
  }

  /** Where there was no answer at all it is empty. */
  #end(): void {
    this.#begin(200, EVENT_HEADERS);
    this.#exchange.end();
  }
}
