import { runCallers } from '../core/generated.js';
import { serveOrders } from '../core/limit-child.js';
import { Caller } from './caller.js';
import type { GeneratorOrder } from './generator-order.js';

serveOrders((order: GeneratorOrder) => runCallers(() => Caller.open(order), order));
