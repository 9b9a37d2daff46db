import type { InferenceServer } from '../../core/server.js';
import type { BodyBudget } from '../body-buffer.js';
import { WHOLE_BODY } from '../body-checks.js';
import { HeadCaches } from '../head-cache.js';
import type { HeaderForward } from '../header-forward.js';
import type { JsonPool } from '../json-pool.js';
import type { HttpExchange } from './engine.js';
import { parseHeaderLength } from './header-length.js';
import { InferCall } from './infer-call.js';

export interface InferLimits {
  /** `--http-max-input-size`: JSON heads, JSON tensors, raw and decompressed bodies. */
  readonly maxInputBytes: number;
}

/** `POST /v2/models/NAME[/versions/N]/infer`: makes a call of each exchange, from a pool. */
export class InferEndpoint {
  readonly server: InferenceServer;
  readonly limits: InferLimits;
  readonly budget: BodyBudget;
  readonly pool: JsonPool;
  readonly heads: HeadCaches;
  readonly forward: HeaderForward | null;
  readonly #idle: InferCall[] = [];
  #headerLengthText = '';
  #headerLength = WHOLE_BODY;

  /** @param forward null = no headers become parameters */
  constructor(
    server: InferenceServer,
    limits: InferLimits,
    budget: BodyBudget,
    pool: JsonPool,
    forward: HeaderForward | null,
  ) {
    this.server = server;
    this.heads = new HeadCaches(server.regions.isAllowed);
    this.limits = limits;
    this.budget = budget;
    this.pool = pool;
    this.forward = forward;
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
