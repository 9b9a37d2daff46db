import type { AddressInfo } from 'node:net';
import Fastify from 'fastify';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { serveOrders } from './limit-child.js';
import type { LimitServerOrder, Listening } from './limit-process.js';

/**
 * What a Node developer writes first: fastify, onnxruntime-node and one `session.run` per request. Its body is the bare row of floats
 * and so is its answer: as JSON it would be slower still, and the comparison is meant to be one of batching.
 */
async function listen(modelFile: string): Promise<Listening> {
  const session = await InferenceSession.create(modelFile, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const app = Fastify();
  app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );
  app.post('/infer', async (request, reply) => {
    const body = request.body as Buffer;
    // A pooled Buffer may begin at any byte; floats begin at multiples of four.
    const row = new Float32Array(Uint8Array.from(body).buffer);
    const results = await session.run({ [session.inputNames[0]!]: new Tensor('float32', row, [1, row.length]) });
    const values = results[session.outputNames[0]!]!.data as Float32Array;
    return reply
      .type('application/octet-stream')
      .send(Buffer.from(values.buffer, values.byteOffset, values.byteLength));
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  return { port: (app.server.address() as AddressInfo).port };
}

serveOrders((order: LimitServerOrder) => {
  if (order.kind !== 'model') throw new Error('the fastify server runs a model');
  return listen(order.modelFile);
});
