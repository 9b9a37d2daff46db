import type { InferenceServer } from '../../core/server.js';
import type { BodyBudget } from '../body-buffer.js';
import { traceSettings, type WantedSettings, wantedFromJson } from '../trace-settings.js';
import type { HttpExchange } from './engine.js';
import { replyJson } from './reply.js';
import { readSmallBody } from './small-body.js';

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
    else readSmallBody(exchange, this.#budget, LARGEST_BODY_BYTES, (body) => reply(wantedFromJson(body)));
  }
}
