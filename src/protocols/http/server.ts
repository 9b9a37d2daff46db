import type { Log } from '../../base/log.js';
import type { InferenceServer } from '../../core/server.js';
import type { BodyBudget } from '../body-buffer.js';
import type { JsonPool } from '../json-pool.js';
import { answers, methods, type Route, Router, v1EndpointOf } from '../routes.js';
import type { V1Server } from '../v1-server.js';
import { adminHandlers } from './admin.js';
import type { HttpExchange, HttpHandler } from './engine.js';
import { GenerateEndpoint } from './generate.js';
import { InferEndpoint } from './infer.js';
import type { InferSettings } from './infer-settings.js';
import { handleLogging } from './log-settings.js';
import { replyError, replyJson, replyMethodNotAllowed } from './reply.js';
import { RepositoryEndpoints } from './repository.js';
import { isSharedMemory, SharedMemoryEndpoints } from './shared-memory.js';
import { TraceSettingEndpoint } from './trace-setting.js';
import { V1Endpoints } from './v1-endpoints.js';
import { replyEmpty } from './v1-reply.js';

/**
 * The protocols V2 and V1 over HTTP: what `HttpEngine.listen` is given.
 */
export function httpHandler(
  server: InferenceServer,
  v1Server: V1Server,
  settings: InferSettings,
  budget: BodyBudget,
  pool: JsonPool,
  log: Log,
): HttpHandler {
  const router = new Router();
  const infer = new InferEndpoint(server, settings, budget, pool);
  const generate = new GenerateEndpoint(server, settings, budget, pool);
  const sharedMemory = new SharedMemoryEndpoints(server.regions, budget);
  const repository = new RepositoryEndpoints(server, budget, pool);
  const v1 = new V1Endpoints(v1Server, budget, (endpoint) => settings.v1Health || endpoint !== 'v1-health');
  const traceSetting = new TraceSettingEndpoint(server, budget);
  const dispatch = (exchange: HttpExchange, route: Route) => {
    const { endpoint, model, version } = route;
    if (endpoint === 'infer') infer.handle(exchange, model, version);
    else if (endpoint === 'generate') generate.handle(exchange, model, version);
    else if (endpoint === 'generate-stream') generate.handleStream(exchange, model, version);
    else if (endpoint === 'trace-setting') traceSetting.handle(exchange, model);
    else if (endpoint === 'logging') handleLogging(exchange, server.log, budget);
    else if (endpoint === 'index' || endpoint === 'load' || endpoint === 'unload')
      repository.handle(exchange, endpoint, model);
    else if (isSharedMemory(endpoint)) sharedMemory.handle(exchange, endpoint, route.region ?? null);
    else adminHandlers[endpoint as keyof typeof adminHandlers](server, exchange, route);
  };
  return (exchange) => {
    try {
      const route = router.match(exchange.path);
      const family = route === null ? null : v1EndpointOf(route);
      if (route === null) replyNotFound(exchange);
      else if (family !== null) v1.handle(exchange, family, route);
      else if (!answers(route.endpoint, exchange.method)) replyMethodNotAllowed(exchange, methods[route.endpoint]);
      else dispatch(exchange, route);
    } catch (error) {
      log.verbose(1, `${exchange.method} ${exchange.path}: ${String(error)}`);
      replyError(exchange, error);
    }
  };
}

/** `/api/health` on a port of its own. */
export function v1HealthHandler(v1Server: V1Server, budget: BodyBudget): HttpHandler {
  const router = new Router();
  const v1 = new V1Endpoints(v1Server, budget, (endpoint) => endpoint === 'v1-health');
  return (exchange) => {
    const route = router.match(exchange.path);
    const family = route === null ? null : v1EndpointOf(route);
    if (family === null) replyEmpty(exchange, 400);
    else v1.handle(exchange, family, route!);
  };
}

/** V1 has no 404 (v1 fact sheet 1.2). */
function replyNotFound(exchange: HttpExchange): void {
  if (exchange.path.startsWith('/api/')) replyEmpty(exchange, 400);
  else replyJson(exchange, 404, { error: 'Not Found' });
}
