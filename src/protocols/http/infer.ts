import type { InferenceServer } from '../../core/server.js';
import type { BodyBudget } from '../body-buffer.js';
import { WHOLE_BODY } from '../body-checks.js';
import { HeadCaches } from '../head-cache.js';
import type { JsonPool } from '../json-pool.js';
import { RefusalLog } from '../refusal-log.js';
import type { HttpExchange } from './engine.js';
import { parseHeaderLength } from './header-length.js';
import { InferCall } from './infer-call.js';
import type { InferSettings } from './infer-settings.js';

/** `POST /v2/models/NAME[/versions/N]/infer`: makes a call of each exchange, from a pool. */
export class InferEndpoint {
  readonly server: InferenceServer;
  readonly settings: InferSettings;
  readonly budget: BodyBudget;
  readonly pool: JsonPool;
  readonly heads: HeadCaches;
  readonly refusals: RefusalLog;
  readonly #idle: InferCall[] = [];
  #headerLengthText = '';
  #headerLength = WHOLE_BODY;

  constructor(server: InferenceServer, settings: InferSettings, budget: BodyBudget, pool: JsonPool) {
    this.server = server;
    this.heads = new HeadCaches(server.regions.isAllowed);
    this.refusals = new RefusalLog(server.log);
    this.settings = settings;
    this.budget = budget;
    this.pool = pool;
  }

  /** `parseHeaderLength`, which costs more than a comparison with the text before. */
  headerLength(text: string, bodyBytes: number): number {
    if (text === this.#headerLengthText) return this.#headerLength;
    this.#headerLength = parseHeaderLength(text, bodyBytes);
    this.#headerLengthText = text;
    return this.#headerLength;
  }

  handle(exchange: HttpExchange, name: string, version: string): void {
    const call = this.#idle.pop() ?? new InferCall(this);
    try {
      call.start(exchange, name, version);
    } catch (error) {
      this.#idle.push(call);
      throw error;
    }
  }

  /** The call has no exchange and no request any more. */
  recycle(call: InferCall): void {
    this.#idle.push(call);
  }
}
