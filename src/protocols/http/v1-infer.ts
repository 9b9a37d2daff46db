import type { BodyBudget } from '../body-buffer.js';
import { RefusalLog } from '../refusal-log.js';
import { V1Forms } from '../v1-forms.js';
import { V1HeaderReader } from '../v1-header.js';
import type { V1Server } from '../v1-server.js';
import type { HttpExchange } from './engine.js';
import { V1InferCall } from './v1-infer-call.js';

/** `POST /api/infer/NAME[/N]`: makes a call of each exchange, from a pool. */
export class V1InferEndpoint {
  readonly v1: V1Server;
  readonly budget: BodyBudget;
  readonly forms = new V1Forms();
  readonly reader = new V1HeaderReader();
  readonly refusals: RefusalLog;
  readonly #idle: V1InferCall[] = [];

  constructor(v1: V1Server, budget: BodyBudget) {
    this.v1 = v1;
    this.budget = budget;
    this.refusals = new RefusalLog(v1.server.log);
  }

  handle(exchange: HttpExchange, name: string, version: string): void {
    const call = this.#idle.pop() ?? new V1InferCall(this);
    call.start(exchange, name, version);
  }

  /** The call has no exchange and no request any more. */
  recycle(call: V1InferCall): void {
    this.#idle.push(call);
  }
}
