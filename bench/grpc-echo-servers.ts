import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type handleUnaryCall, Server, ServerCredentials } from '@grpc/grpc-js';
import { silentLog } from '../src/base/log.js';
import { encodeFields } from '../src/transport/http2/hpack/encoder.js';
import { defaultOptions } from '../src/transport/http2/options.js';
import { listenHttp2 } from '../src/transport/http2/server.js';
import type { Http2Stream, StreamHandler } from '../src/transport/http2/stream.js';

/** The path that all echo servers serve. */
export const echoPath = '/inference.GRPCInferenceService/ModelInfer';

export const echoServers = ['conch', 'node:http2', 'grpc-js'] as const;
export type EchoServer = (typeof echoServers)[number];

const responseFields = encodeFields([
  [':status', '200'],
  ['content-type', 'application/grpc'],
]);
const okTrailers = encodeFields([['grpc-status', '0']]);

/** Keeps the body as an engine would, and sends it back when it is whole. */
class Echo implements StreamHandler {
  #body = Buffer.alloc(0);
  #length = 0;

  onData(stream: Http2Stream, bytes: Buffer, start: number, end: number): void {
    const length = this.#length + end - start;
    if (length > this.#body.length) this.#grow(length);
    bytes.copy(this.#body, this.#length, start, end);
    this.#length = length;
    stream.consume(end - start);
  }

  onEnd(stream: Http2Stream): void {
    stream.respond(responseFields);
    stream.write(this.#body, 0, this.#length);
    stream.end(okTrailers);
  }

  onReset(): void {}

  onDrain(): void {}

  #grow(length: number): void {
    const body = Buffer.allocUnsafe(Math.max(length, 2 * this.#body.length));
    this.#body.copy(body, 0, 0, this.#length);
    this.#body = body;
  }
}

async function serveConch(): Promise<number> {
  const listener = await listenHttp2({ ...defaultOptions, log: silentLog }, () => new Echo());
  return listener.port;
}

function serveNodeHttp2(): Promise<number> {
  const server = createServer();
  server.on('stream', (stream) => {
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('end', () => {
      if (stream.destroyed) return;
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.concat(parts));
    });
    stream.on('error', () => {});
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

function serveGrpcJs(): Promise<number> {
  const server = new Server();
  const bytes = {
    requestSerialize: keep,
    requestDeserialize: keep,
    responseSerialize: keep,
    responseDeserialize: keep,
  };
  const ModelInfer = { path: echoPath, requestStream: false, responseStream: false, ...bytes } as const;
  const echo: handleUnaryCall<Buffer, Buffer> = (call, answer) => answer(null, call.request);
  server.addService({ ModelInfer }, { ModelInfer: echo });
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}

function keep(bytes: Buffer): Buffer {
  return bytes;
}

export function serveEcho(name: EchoServer): Promise<number> {
  switch (name) {
    case 'conch':
      return serveConch();
    case 'node:http2':
      return serveNodeHttp2();
    case 'grpc-js':
      return serveGrpcJs();
  }
}
