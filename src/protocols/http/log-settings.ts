import type { ServerLog } from '../../base/log.js';
import type { BodyBudget } from '../body-buffer.js';
import { changeLog, httpTypeErrors, logReply } from '../log-settings.js';
import type { HttpExchange } from './engine.js';
import { replyJson } from './reply.js';
import { objectOf, readSmallBody } from './small-body.js';

const LARGEST_BODY_BYTES = 64 * 1024;

/** `GET` and `POST /v2/logging` (fact sheet 1.14). */
export function handleLogging(exchange: HttpExchange, log: ServerLog, budget: BodyBudget): void {
  if (exchange.method === 'GET') replyJson(exchange, 200, logReply(log));
  else {
    readSmallBody(exchange, budget, LARGEST_BODY_BYTES, (body) =>
      replyJson(exchange, 200, changeLog(log, objectOf(body), httpTypeErrors)),
    );
  }
}
