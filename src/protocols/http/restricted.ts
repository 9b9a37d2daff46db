import type { ApiCategory } from '../../config/restricted-apis.js';
import type { ApiKeys } from '../api-keys.js';
import { type Endpoint, Router } from '../routes.js';
import type { SocketHandler } from '../web-socket.js';
import type { HttpHandler } from './engine.js';
import { JSON_HEADERS, replyJson } from './reply.js';

/** Fact sheet 1.1; those of our own go with what they tell. */
const categories: Readonly<Record<Endpoint, ApiCategory>> = {
  'server-metadata': 'metadata',
  live: 'health',
  ready: 'health',
  models: 'metadata',
  'all-statistics': 'statistics',
  index: 'model-repository',
  load: 'model-repository',
  unload: 'model-repository',
  'foreign-repository': 'model-repository',
  'model-metadata': 'metadata',
  'model-ready': 'health',
  'model-config': 'model-config',
  'model-statistics': 'statistics',
  'model-sequences': 'statistics',
  'model-batching': 'statistics',
  'trace-setting': 'trace',
  logging: 'logging',
  'system-memory-status': 'shared-memory',
  'system-memory-register': 'shared-memory',
  'system-memory-unregister': 'shared-memory',
  'cuda-memory-status': 'shared-memory',
  'cuda-memory-register': 'shared-memory',
  'cuda-memory-unregister': 'shared-memory',
  infer: 'inference',
  generate: 'inference',
  'generate-stream': 'inference',
  socket: 'inference',
  'v1-health': 'health',
  'v1-status': 'statistics',
  'v1-infer': 'inference',
  'v1-model-control': 'model-repository',
  'v1-memory-control': 'shared-memory',
  'v1-memory-status': 'shared-memory',
};

/** Lets through only who may (`--http-restricted-api`): asked first of all, before the method (fact sheet 1.2). */
export function restrictHttp(handler: HttpHandler, keys: ApiKeys): HttpHandler {
  const router = new Router();
  return (exchange) => {
    const route = router.match(exchange.path);
    const missing = route === null ? null : keys.missing(categories[route.endpoint], (name) => exchange.header(name));
    if (missing === null) handler(exchange);
    else replyJson(exchange, 403, { error: restricted(missing) });
  };
}

/** The same for WebSockets, which are for inference. */
export function restrictSockets(handler: SocketHandler, keys: ApiKeys): SocketHandler {
  return {
    limits: handler.limits,
    decide(request) {
      const decision = handler.decide(request);
      if (decision.kind !== 'accept') return decision;
      const missing = keys.missing('inference', (name) => request.header(name));
      if (missing === null) return decision;
      const body = Buffer.from(JSON.stringify({ error: restricted(missing) }));
      return { kind: 'refuse', status: 403, headers: JSON_HEADERS, body };
    },
  };
}

function restricted(header: string): string {
  return `This API is restricted, expecting header '${header}'`;
}
