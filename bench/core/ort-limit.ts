import { InferenceSession, Tensor } from 'onnxruntime-node';
import { serveOrders } from './limit-child.js';
import type { LoopLoaded, LoopOrder, LoopRun } from './limit-process.js';

/** A bare onnxruntime-node loop: what one intra-op thread can compute with the model when nobody has to be served. */
interface Loop {
  readonly session: InferenceSession;
  readonly inputName: string;
  readonly columns: number;
  batch: number;
}

const trialSeconds = 0.5;
let loop: Loop | null = null;

async function load(modelFile: string, maxBatch: number): Promise<LoopLoaded> {
  const session = await InferenceSession.create(modelFile, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const [input] = session.inputMetadata;
  if (input === undefined || !input.isTensor) throw new Error(`${modelFile}: expected one tensor input`);
  const found: Loop = { session, inputName: input.name, columns: Number(input.shape.at(-1)), batch: 1 };
  found.batch = await bestBatch(found, maxBatch);
  loop = found;
  return { batch: found.batch };
}

/** Tries powers of two: the one with the most rows per second. */
async function bestBatch(candidate: Loop, maxBatch: number): Promise<number> {
  let best = { batch: 1, rate: 0 };
  for (let batch = 1; batch <= maxBatch; batch *= 2) {
    const { rows, seconds } = await run({ ...candidate, batch }, trialSeconds);
    if (rows / seconds > best.rate) best = { batch, rate: rows / seconds };
  }
  return best.batch;
}

async function run({ session, inputName, columns, batch }: Loop, seconds: number): Promise<LoopRun> {
  const values = Float32Array.from({ length: batch * columns }, (_, index) => (index % 7) / 7);
  const feeds = { [inputName]: new Tensor('float32', values, [batch, columns]) };
  const begin = performance.now();
  const end = begin + seconds * 1000;
  let rows = 0;
  while (performance.now() < end) {
    await session.run(feeds);
    rows += batch;
  }
  return { rows, seconds: (performance.now() - begin) / 1000 };
}

serveOrders((order: LoopOrder) => {
  if (order.kind === 'load') return load(order.modelFile, order.maxBatch);
  if (loop === null) throw new Error('run before load');
  return run(loop, order.seconds);
});
