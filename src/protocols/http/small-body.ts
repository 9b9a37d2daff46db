import { invalid, ServerError } from '../../types/errors.js';
import { type BodyBudget, BodyBuffer } from '../body-buffer.js';
import { readBody } from '../load-request.js';
import type { BodySink, ExchangeOwner, HttpExchange } from './engine.js';
import { replyError } from './reply.js';

/**
 * A body of a few words, whole: `answer` gets it, replies, and may throw ServerErrors, which are replied. Nothing is called where the client vanishes.
 * @param maxBytes a longer one is refused
 */
export function readSmallBody(
  exchange: HttpExchange,
  budget: BodyBudget,
  maxBytes: number,
  answer: (body: Buffer) => void,
): void {
  const body = new SmallBody(new BodyBuffer(budget), maxBytes, answer);
  exchange.owner = body;
  exchange.readBody(body);
}

class SmallBody implements BodySink, ExchangeOwner {
  readonly #body: BodyBuffer;
  readonly #maxBytes: number;
  readonly #answer: (body: Buffer) => void;

  constructor(body: BodyBuffer, maxBytes: number, answer: (body: Buffer) => void) {
    this.#body = body;
    this.#maxBytes = maxBytes;
    this.#answer = answer;
  }

  onChunk(exchange: HttpExchange, chunk: Uint8Array, last: boolean): void {
    try {
      this.#body.append(chunk);
      if (this.#body.length > this.#maxBytes) {
        throw invalid(`the body of this request has up to ${this.#maxBytes} bytes`);
      }
      if (last) this.#answer(this.#body.view);
    } catch (error) {
      replyError(exchange, error);
    }
  }

  onSent(): void {
    this.#body.clear();
  }

  onAborted(): void {
    this.#body.clear();
  }
}

/** A body as a JSON object, with the codes that Triton has for what is none. */
export function objectOf(body: Buffer): Readonly<Record<string, unknown>> {
  if (body.length === 0) throw internal('failed to parse the request JSON buffer: The document is empty. at 0');
  try {
    return readBody(body);
  } catch (error) {
    throw internal((error as Error).message);
  }
}

export function internal(message: string): ServerError {
  return new ServerError('INTERNAL', message);
}
