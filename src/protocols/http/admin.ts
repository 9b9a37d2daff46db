import { modelConfigToJson } from '../../config/config-json.js';
import type { ServedModel } from '../../core/served-model.js';
import type { InferenceServer } from '../../core/server.js';
import { statisticsJson } from '../../telemetry/statistics.js';
import { invalid, ServerError } from '../../types/errors.js';
import type { Endpoint, Route, V1Endpoint } from '../routes.js';
import { handleBatching } from './batching.js';
import type { HttpExchange } from './engine.js';
import { JSON_HEADERS, replyError, replyJson, replyJsonText } from './reply.js';
import { sequencesJson } from './sequences-json.js';
import type { SharedMemoryEndpoint } from './shared-memory.js';

type AdminHandler = (server: InferenceServer, exchange: HttpExchange, route: Route) => void;

/** Every endpoint but inference: answered at once, from what the server knows. */
export const adminHandlers: Readonly<
  Record<
    Exclude<
      Endpoint,
      | 'infer'
      | 'generate'
      | 'generate-stream'
      | 'index'
      | 'load'
      | 'unload'
      | 'trace-setting'
      | 'logging'
      | SharedMemoryEndpoint
      | V1Endpoint
    >,
    AdminHandler
  >
> = {
  'server-metadata': (server, exchange) => replyJson(exchange, 200, server.metadata()),
  live: (server, exchange) => replyHealth(exchange, server.isLive, { live: server.isLive }),
  ready: (server, exchange) => replyHealth(exchange, server.isReady, { ready: server.isReady }),
  models: (server, exchange) => replyJson(exchange, 200, { models: server.modelNames() }),
  'all-statistics': (server, exchange) => replyStatistics(exchange, server.loaded()),
  'model-metadata': (server, exchange, { model, version }) =>
    replyJson(exchange, 200, server.modelMetadata(model, version)),
  'model-ready': replyModelReady,
  'model-config': replyConfig,
  'model-statistics': (server, exchange, { model, version }) =>
    replyStatistics(exchange, server.loadedVersions(model, version)),
  'model-sequences': (server, exchange, { model, version }) =>
    replyJsonText(exchange, 200, sequencesJson(server.find(model, version))),
  'model-batching': (server, exchange, { model, version }) => handleBatching(exchange, server.find(model, version)),
  'foreign-repository': () => {
    throw new ServerError('UNSUPPORTED', "'repository_name' specification is not supported");
  },
  socket: (_server, exchange) => replyUpgradeRequired(exchange),
};

/** For WebSockets only, which do not come here (RFC 9110, 15.5.22; RFC 6455, 4.4). */
function replyUpgradeRequired(exchange: HttpExchange): void {
  const headers = [...JSON_HEADERS, 'Upgrade', 'websocket', 'Sec-WebSocket-Version', '13'];
  const error = 'this path speaks WebSocket of version 13: ask for an upgrade, with a Sec-WebSocket-Key';
  exchange.reply(426, headers, Buffer.from(JSON.stringify({ error })));
}

/** KServe reads the body, tritonclient the status (fact sheet 1.3). */
function replyHealth(exchange: HttpExchange, isGood: boolean, body: object): void {
  replyJson(exchange, isGood ? 200 : 400, body);
}

function replyModelReady(server: InferenceServer, exchange: HttpExchange, { model, version }: Route): void {
  if (server.isModelReady(model, version)) replyJson(exchange, 200, { name: model, ready: true });
  else replyError(exchange, invalid('Model version not ready'));
}

/** Clients of Triton get what they know; who asks for marks gets an object around it. */
function replyConfig(server: InferenceServer, exchange: HttpExchange, { model: name, version }: Route): void {
  const model = server.find(name, version);
  const config = modelConfigToJson(model.config);
  const marks = exchange.header('conch-marks') === 'true' ? server.configMarks(model) : null;
  const text = marks === null ? config : `{"config":${config},"marks":${JSON.stringify(Object.fromEntries(marks))}}`;
  replyJsonText(exchange, 200, text);
}

function replyStatistics(exchange: HttpExchange, models: readonly ServedModel[]): void {
  const entries = models.map((model) => ({
    name: model.name,
    version: String(model.version),
    statistics: model.statistics,
  }));
  replyJsonText(exchange, 200, statisticsJson(entries));
}
