import type { Log } from '../../base/log.js';
import type { InferenceServer } from '../../core/server.js';
import { invalid } from '../../types/errors.js';
import { type BodyBudget, BodyBuffer } from '../body-buffer.js';
import type { JsonPool } from '../json-pool.js';
import { methods, type Route, Router } from '../routes.js';
import { adminHandlers } from './admin.js';
import type { BodySink, ExchangeOwner, HttpExchange, HttpHandler } from './engine.js';
import { InferEndpoint, type InferLimits } from './infer.js';
import { replyError, replyJson } from './reply.js';

/** The bodies of administrative requests are a few words. */
const LARGEST_ADMIN_BODY_BYTES = 1 << 20;

/** The V2 protocol over HTTP: what `HttpEngine.listen` is given. */
export function httpHandler(
  server: InferenceServer,
  limits: InferLimits,
  budget: BodyBudget,
  pool: JsonPool,
  log: Log,
): HttpHandler {
  const router = new Router();
  const infer = new InferEndpoint(server, limits, budget, pool);
  return (exchange) => {
    try {
      const route = router.match(exchange.path);
      if (route === null) replyJson(exchange, 404, { error: 'Not Found' });
      else if (exchange.method !== methods[route.endpoint]) replyJson(exchange, 405, { error: 'Method Not Allowed' });
      else dispatch(server, infer, budget, exchange, route);
    } catch (error) {
      log.verbose(1, `${exchange.method} ${exchange.path}: ${String(error)}`);
      replyError(exchange, error);
    }
  };
}

function dispatch(
  server: InferenceServer,
  infer: InferEndpoint,
  budget: BodyBudget,
  exchange: HttpExchange,
  route: Route,
): void {
  if (route.endpoint === 'infer') infer.handle(exchange, route.model, route.version);
  else if (route.endpoint === 'index') new IndexCall(server, budget).start(exchange);
  else adminHandlers[route.endpoint](server, exchange, route);
}

/** `POST /v2/repository/index` with an empty body or `{"ready": bool}` (fact sheet 1.5). */
class IndexCall implements BodySink, ExchangeOwner {
  readonly #server: InferenceServer;
  readonly #body: BodyBuffer;

  constructor(server: InferenceServer, budget: BodyBudget) {
    this.#server = server;
    this.#body = new BodyBuffer(budget);
  }

  start(exchange: HttpExchange): void {
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
      if (this.#body.length > LARGEST_ADMIN_BODY_BYTES)
        throw invalid('the body of an index request is {"ready": bool}');
      if (last) replyJson(exchange, 200, this.#server.index(readyOnly(this.#body.view.toString('utf8'))));
    } catch (error) {
      replyError(exchange, error);
    }
  }
}

function readyOnly(text: string): boolean {
  if (text.trim() === '') return false;
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw invalid(`failed to parse the request JSON buffer: ${(error as Error).message}`);
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw invalid('the body of an index request is {"ready": bool}');
  }
  const { ready } = body as { ready?: unknown };
  if (ready === undefined) return false;
  if (typeof ready !== 'boolean') throw invalid("Invalid value for 'ready': expected a boolean");
  return ready;
}
