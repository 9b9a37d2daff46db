import { runCallers } from '../core/generated.js';
import { serveOrders } from '../core/limit-child.js';
import type { GeneratorOrder } from './generator-order.js';
import { Stepper } from './stepper.js';

serveOrders((order: GeneratorOrder) => runCallers(() => Stepper.open(order), order));
