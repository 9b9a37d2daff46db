import type { Order, Reply } from './ask.js';
import { measurePart } from './measure.js';
import type { Part, PartFile } from './part.js';

/**
 * Lists or measures the parts of one file, as it is told by its parent, and ends. A process of its own for each: what V8 has learned
 * from one part changes how fast the next one is.
 */
async function answer(order: Order): Promise<Reply> {
  try {
    const { parts } = (await import(`./parts/${order.file}.js`)) as PartFile;
    if (order.kind === 'list') return { kind: 'parts', parts: parts.map(({ name, about }) => ({ name, about })) };
    const part = parts.find(({ name }) => name === order.name);
    if (part === undefined) return { kind: 'failed', reason: `${order.file}.ts has no part '${order.name}'` };
    return { kind: 'measured', ...(await measurePart(part as Part, order.samples)) };
  } catch (error) {
    return { kind: 'failed', reason: (error as Error).message };
  }
}

process.once('message', async (order: Order) => {
  const reply = await answer(order);
  process.send!(reply, () => process.exit());
});
