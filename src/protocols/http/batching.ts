import { batchingNumbers, batchingReport } from '../../core/batching-report.js';
import type { ServedModel } from '../../core/served-model.js';
import type { HttpExchange } from './engine.js';
import { replyError, replyJson } from './reply.js';

/** So long the rate is measured at which rows come. */
const MEASURED_MS = 1000;

/** `GET .../batching`: answers when it has seen what comes for a second. */
export function handleBatching(exchange: HttpExchange, model: ServedModel): void {
  const { statistics } = model;
  const before = statistics.rows;
  const timer = setTimeout(() => {
    try {
      const rowsPerSecond = ((statistics.rows - before) * 1000) / MEASURED_MS;
      const live = model.sequenceCounts();
      const numbers = batchingNumbers(statistics, rowsPerSecond, live === null ? 0 : live.inSlots + live.inBacklog);
      const report = batchingReport(model.config, numbers);
      replyJson(exchange, 200, { model_name: model.name, model_version: String(model.version), ...report });
    } catch (error) {
      replyError(exchange, error);
    }
  }, MEASURED_MS);
  exchange.owner = { onSent() {}, onAborted: () => clearTimeout(timer) };
}
