import type { InferenceServer } from '../../core/server.js';
import type { BodyBudget } from '../body-buffer.js';
import type { JsonPool } from '../json-pool.js';
import { RefusalLog } from '../refusal-log.js';
import type { HttpExchange } from './engine.js';
import { GenerateCall } from './generate-call.js';
import { GenerateEvents } from './generate-events.js';
import { GenerateOnce } from './generate-once.js';
import type { InferSettings } from './infer-settings.js';

/** `POST /v2/models/NAME[/versions/N]/generate` and `generate_stream` (fact sheet 1.12). */
export class GenerateEndpoint {
  readonly server: InferenceServer;
  readonly limits: Pick<InferSettings, 'maxInputBytes'>;
  readonly budget: BodyBudget;
  readonly pool: JsonPool;
  readonly refusals: RefusalLog;

  constructor(
    server: InferenceServer,
    limits: Pick<InferSettings, 'maxInputBytes'>,
    budget: BodyBudget,
    pool: JsonPool,
  ) {
    this.server = server;
    this.limits = limits;
    this.budget = budget;
    this.pool = pool;
    this.refusals = new RefusalLog(server.log);
  }

  handle(exchange: HttpExchange, name: string, version: string): void {
    new GenerateCall(this, new GenerateOnce(exchange, this.pool)).start(exchange, name, version);
  }

  handleStream(exchange: HttpExchange, name: string, version: string): void {
    new GenerateCall(this, new GenerateEvents(exchange, this.pool)).start(exchange, name, version);
  }
}
