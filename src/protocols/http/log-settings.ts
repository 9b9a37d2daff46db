import type { ServerLog } from '../../base/log.js';
import { ServerError } from '../../types/errors.js';
import type { BodyBudget } from '../body-buffer.js';
import { readBody } from '../load-request.js';
import { changeLog, httpTypeErrors, logReply } from '../log-settings.js';
import type { HttpExchange } from './engine.js';
import { replyJson } from './reply.js';
import { readSmallBody } from './small-body.js';

const LARGEST_BODY_BYTES = 64 * 1024;

/** `GET` and `POST /v2/logging` (fact sheet 1.14). */
export function handleLogging(exchange: HttpExchange, log: ServerLog, budget: BodyBudget): void {
  if (exchange.method === 'GET') replyJson(exchange, 200, logReply(log));
  else {
    readSmallBody(exchange, budget, LARGEST_BODY_BYTES, (body) =>
      replyJson(exchange, 200, changeLog(log, wantedOf(body), httpTypeErrors)),
    );
  }
}

/** Codes are Triton's here, also for what is no JSON. */
function wantedOf(body: Buffer): Readonly<Record<string, unknown>> {
  if (body.length === 0) throw internal('failed to parse the request JSON buffer: The document is empty. at 0');
  try {
    return readBody(body);
  } catch (error) {
    throw internal((error as Error).message);
  }
}

function internal(message: string): ServerError {
  return new ServerError('INTERNAL', message);
}
