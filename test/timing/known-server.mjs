// A server of the V2 protocol whose service times are known: HTTP and gRPC, one model, in a process of its own.
import { createServer } from 'node:http';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { MessageType } from '../../dist/src/protocols/grpc/proto.js';

/** `serviceMs`: of the requests, in turn; `stall`: once, that many milliseconds after the first request, nothing at all happens for so long. */
const { serviceMs, stall } = JSON.parse(process.argv[2]);
let served = 0;

function serve(answer) {
  if (served === 0 && stall !== undefined) setTimeout(() => busyFor(stall.forMs), stall.afterMs);
  const ms = serviceMs[served++ % serviceMs.length];
  if (ms === 0) answer();
  else setTimeout(answer, ms);
}

function busyFor(ms) {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

const tensor = { datatype: 'INT32', shape: [1] };
const metadata = {
  name: 'known',
  versions: ['1'],
  platform: 'none',
  inputs: [{ name: 'IN', ...tensor }],
  outputs: [{ name: 'OUT', ...tensor }],
};
const answers = {
  '/v2': { name: 'known', version: '1', extensions: [] },
  '/v2/models/known': metadata,
  '/v2/models/known/ready': {},
};

const http = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    const send = (status, body) => {
      const text = JSON.stringify(body);
      response.writeHead(status, { 'content-type': 'application/json', 'content-length': text.length });
      response.end(text);
    };
    if (request.url === '/v2/models/known/infer') {
      serve(() => send(200, { model_name: 'known', outputs: [{ name: 'OUT', ...tensor, data: [1] }] }));
    } else if (answers[request.url] === undefined) send(404, { error: 'not here' });
    else send(200, answers[request.url]);
  });
});

const grpc = new Server();
const unary = (method, handler) => {
  const path = `/inference.GRPCInferenceService/${method}`;
  const answer = new MessageType(`inference.${method}Response`);
  return [
    method,
    {
      path,
      requestStream: false,
      responseStream: false,
      requestDeserialize: (bytes) => bytes,
      requestSerialize: (bytes) => bytes,
      responseSerialize: (message) => Buffer.from(answer.encode(message)),
      responseDeserialize: (bytes) => bytes,
      handler,
    },
  ];
};
const methods = Object.fromEntries([
  unary('ServerMetadata', (_, reply) => reply(null, answers['/v2'])),
  unary('ModelMetadata', (_, reply) => reply(null, metadata)),
  unary('ModelReady', (_, reply) => reply(null, { ready: true })),
  unary('ModelInfer', (_, reply) =>
    serve(() => reply(null, { model_name: 'known', outputs: [{ name: 'OUT', ...tensor }] })),
  ),
]);
grpc.addService(methods, Object.fromEntries(Object.entries(methods).map(([name, { handler }]) => [name, handler])));

await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
const grpcPort = await new Promise((resolve, reject) => {
  grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
    error ? reject(error) : resolve(port),
  );
});
process.on('disconnect', () => process.exit(0));
process.send({ httpPort: http.address().port, grpcPort });
