import { runCallers } from '../core/generated.js';
import { serveOrders } from '../core/limit-child.js';
import { StreamCaller, UnaryCaller } from './callers.js';
import type { GeneratorOrder } from './generator-order.js';

serveOrders((order: GeneratorOrder) => {
  const message = Buffer.from(order.messageBase64, 'base64');
  return runCallers(async () => {
    const caller = order.way === 'unary' ? new UnaryCaller(message) : new StreamCaller(message);
    await caller.open(order.port);
    return caller;
  }, order);
});
