import { Fifo } from '../../base/fifo.js';
import type { InferResponse } from '../../core/infer-response.js';
import { asServerError, type ServerError } from '../../types/errors.js';
import { errorEvent, type GenerateAnswer, generateAnswer, generateEvent } from '../generate-reply.js';
import type { JsonPool } from '../json-pool.js';
import { isLargeAnswer, writeLargeAnswer } from '../large-generate.js';
import { httpStatus } from '../status.js';
import type { HttpExchange } from './engine.js';
import type { Asker, GenerateAnswers } from './generate-call.js';
import { errorHeaders } from './reply.js';

const EVENT_HEADERS: readonly string[] = ['Content-Type', 'text/event-stream; charset=utf-8'];

/**
 * `generate_stream`: each response of the model is an event, and the first one decides on the status. A response is released when the
 * client's connection has room for more, so that a client that does not read slows the model down.
 */
export class GenerateEvents implements GenerateAnswers {
  readonly #exchange: HttpExchange;
  readonly #pool: JsonPool;
  #id = '';
  #call: Asker | null = null;
  #hasBegun = false;
  /** No other is begun before it is done: another thread writes it, or it is written and there is no room for more. */
  #current: InferResponse | null = null;
  #isWriting = false;
  /** Those behind it. */
  readonly #waiting = new Fifo<InferResponse>();
  /** Behind all of them. */
  #error: ServerError | null = null;
  /** The last event was written, or the client is gone. */
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
    if (this.#current === null) this.#write(response);
    else this.#waiting.push(response);
  }

  takeError(error: ServerError): void {
    if (this.#current === null) this.#writeError(error);
    else this.#error = error;
  }

  goOn(): void {
    const written = this.#current;
    this.#current = null;
    this.#writeWaiting();
    written?.release();
  }

  drop(): void {
    this.#isOver = true;
    // One that another thread reads is released when that is done.
    if (!this.#isWriting) this.#current?.release();
    this.#current = null;
    while (this.#waiting.length > 0) this.#waiting.shift().release();
  }

  #writeWaiting(): void {
    while (this.#hasTurn && this.#waiting.length > 0) this.#write(this.#waiting.shift());
    if (this.#hasTurn && this.#error !== null) this.#writeError(this.#error);
  }

  get #hasTurn(): boolean {
    return this.#current === null && !this.#isOver;
  }

  #write(response: InferResponse): void {
    if (response.isEmpty) {
      this.#afterWrite(response, true);
      return;
    }
    const answer = generateAnswer(response, this.#id);
    if (isLargeAnswer(answer)) {
      void this.#writeLarge(response, answer);
      return;
    }
    try {
      this.#afterWrite(response, this.#event(200, EVENT_HEADERS, generateEvent(answer)));
    } catch (error) {
      this.#fail(response, error);
    }
  }

  async #writeLarge(response: InferResponse, answer: GenerateAnswer): Promise<void> {
    this.#current = response;
    this.#isWriting = true;
    try {
      const text = await writeLargeAnswer(this.#pool, answer, 'event', response.model.arena.buffer);
      this.#isWriting = false;
      if (this.#isOver) response.release();
      else this.#afterWrite(response, this.#event(200, EVENT_HEADERS, text));
    } catch (error) {
      this.#isWriting = false;
      this.#fail(response, error);
    }
    this.#writeWaiting();
  }

  #afterWrite(response: InferResponse, hasRoom: boolean): void {
    const { isFinal } = response;
    this.#current = hasRoom ? null : response;
    if (hasRoom) response.release();
    if (isFinal) this.#end();
  }

  /** It cannot be written, which is an event too: the last one. */
  #fail(response: InferResponse, error: unknown): void {
    this.#current = null;
    response.release();
    if (this.#isOver) return;
    this.#call!.noteRefusal(error);
    this.#call!.cancel();
    this.#writeError(asServerError(error));
  }

  #writeError(error: ServerError): void {
    this.#event(httpStatus[error.code], errorHeaders(error, EVENT_HEADERS), errorEvent(error));
    this.#end();
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

  /** Where there was no response but an empty one it has no event. */
  #end(): void {
    this.#begin(200, EVENT_HEADERS);
    this.#isOver = true;
    this.#exchange.end();
  }
}
