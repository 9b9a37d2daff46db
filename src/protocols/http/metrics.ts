import type { MetricRegistry } from '../../telemetry/metrics.js';
import type { HttpHandler } from './engine.js';
import { replyBytes, replyMethodNotAllowed } from './reply.js';

const TEXT = ['Content-Type', 'text/plain; charset=utf-8'] as const;

/** The metrics port: `GET /metrics`; any other path is 200 and empty, as there (fact sheet 7). */
export function metricsHandler(registry: MetricRegistry): HttpHandler {
  return (exchange) => {
    const isMetrics = exchange.path === '/metrics' || exchange.path === '/metrics/';
    if (exchange.method !== 'GET') replyMethodNotAllowed(exchange, 'GET');
    else replyBytes(exchange, 200, TEXT, Buffer.from(isMetrics ? registry.render() : ''));
  };
}
