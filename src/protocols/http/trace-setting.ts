import type { InferenceServer } from '../../core/server.js';
import { invalid } from '../../types/errors.js';
import { type BodyBudget, BodyBuffer } from '../body-buffer.js';
import { traceSettings, type WantedSettings, wantedFromJson } from '../trace-settings.js';
import type { BodySink, ExchangeOwner, HttpExchange } from './engine.js';
import { replyError, replyJson } from './reply.js';

const LARGEST_BODY_BYTES = 1 << 20;

/** `GET` and `POST /v2[/models/NAME]/trace/setting` (fact sheet 1.13); `model` '' = the server. */
export class TraceSettingEndpoint {
  readonly #server: InferenceServer;
  readonly #budget: BodyBudget;

  constructor(server: InferenceServer, budget: BodyBudget) {
    this.#server = server;
    this.#budget = budget;
  }

  handle(exchange: HttpExchange, model: string): void {
    const reply = (wanted: WantedSettings) => replyJson(exchange, 200, traceSettings(this.#server, model, wanted));
    if (exchange.method === 'GET') reply(new Map());
    else new TraceSettingBody(new BodyBuffer(this.#budget), (body) => reply(wantedFromJson(body))).read(exchange);
  }
}

class TraceSettingBody implements BodySink, ExchangeOwner {
  readonly #body: BodyBuffer;
  readonly #answer: (body: Buffer) => void;

  constructor(body: BodyBuffer, answer: (body: Buffer) => void) {
    this.#body = body;
    this.#answer = answer;
  }

  read(exchange: HttpExchange): void {
    exchange.owner = this;
    exchange.readBody(this);
  }

  onSent(): void {
    this.#body.clear();
  }

  onAborted(): void {
    this.#body.clear();
  }

  onChunk(exchange: HttpExchange, chunk: Uint8Array, last: boolean): void {
    try {
      this.#body.append(chunk);
      if (this.#body.length > LARGEST_BODY_BYTES) {
        throw invalid(`the body of this request has up to ${LARGEST_BODY_BYTES} bytes`);
      }
      if (last) this.#answer(this.#body.view);
    } catch (error) {
      replyError(exchange, error);
    }
  }
}
