import { setTimeout as sleep } from 'node:timers/promises';
import { serveOrders } from '../core/limit-child.js';
import { DriverGroup } from '../load/generator/group.js';
import type { Material } from '../load/generator/order.js';
import { ThreadDriver } from '../load/generator/thread-driver.js';
import type { GeneratorOrder, GeneratorRun } from './order.js';

/** Connections are open, and V8 knows the code. */
const WARM_UP_MS = 300;

serveOrders(async (order: GeneratorOrder): Promise<GeneratorRun> => {
  const material = materialOf(order);
  const group = new DriverGroup(1, true, (nth, user) => new ThreadDriver(material, { nth, of: 1 }, user));
  try {
    await group.start({ kind: 'closed', concurrency: order.connections }, 0);
    await sleep(WARM_UP_MS);
    await group.take();
    await sleep(order.seconds * 1000);
    const { requests, failures, beginMs, endMs, latencyUs, cpuUs } = await group.take();
    return {
      requests,
      failures: [...failures.values()].reduce((sum, { count }) => sum + count, 0),
      seconds: (endMs - beginMs) / 1000,
      p50Us: latencyUs.getValueAtPercentile(50),
      p99Us: latencyUs.getValueAtPercentile(99),
      cpuUs,
    };
  } finally {
    await group.close();
  }
});

function materialOf({ port, path, requestBase64 }: GeneratorOrder): Material {
  const bytes = Buffer.from(requestBase64, 'base64');
  const request = { bytes, idAt: -1, sequenceId: null, tensorBytes: 0 };
  return {
    target: {
      protocol: 'http',
      host: '127.0.0.1',
      port,
      tls: null,
      headers: [],
      path,
      slots: 1,
      timeoutMs: 10_000,
      isDecoupled: false,
    },
    streams: [[{ requests: { middle: request }, expected: null }]],
    sequences: null,
  };
}
