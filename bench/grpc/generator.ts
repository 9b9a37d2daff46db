import { setTimeout as sleep } from 'node:timers/promises';
import { serveOrders } from '../core/limit-child.js';
import { StreamCaller, UnaryCaller } from './callers.js';
import type { GeneratorOrder, GeneratorRun } from './generator-order.js';

/** Loads the server; rejects for the first thing that fails. */
async function generate(order: GeneratorOrder): Promise<GeneratorRun> {
  const message = Buffer.from(order.messageBase64, 'base64');
  const callers = Array.from({ length: order.connections }, () =>
    order.way === 'unary' ? new UnaryCaller(message) : new StreamCaller(message),
  );
  try {
    for (const caller of callers) await caller.open(order.port);
    const begin = performance.now();
    const beginCpu = process.cpuUsage();
    for (const caller of callers) caller.start(order.inFlightEach);
    const end = Promise.all(callers.map((caller) => caller.finished));
    await Promise.race([sleep(order.seconds * 1000), end]);
    for (const caller of callers) caller.stop();
    await end;
    const { user, system } = process.cpuUsage(beginCpu);
    const seconds = (performance.now() - begin) / 1000;
    const requests = callers.reduce((sum, { answered }) => sum + answered, 0);
    return { requests, seconds, cpuUs: user + system };
  } finally {
    for (const caller of callers) caller.close();
  }
}

serveOrders(generate);
