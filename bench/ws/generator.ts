import { setTimeout as sleep } from 'node:timers/promises';
import { serveOrders } from '../core/limit-child.js';
import { Caller } from './caller.js';
import type { GeneratorOrder, GeneratorRun } from './generator-order.js';

/** Loads the server; rejects for the first thing that fails. */
async function generate(order: GeneratorOrder): Promise<GeneratorRun> {
  const callers: Caller[] = [];
  try {
    for (let nth = 0; nth < order.connections; nth++) callers.push(await Caller.open(order));
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
