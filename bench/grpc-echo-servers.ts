import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type handleUnaryCall, Server, ServerCredentials } from '@grpc/grpc-js';
import { silentLog } from '../src/base/log.js';
import { engineLimits } from '../src/protocols/grpc/conch.js';
import { encodeFields } from '../src/transport/http2/hpack/encoder.js';
import { defaultOptions } from '../src/transport/http2/options.js';
import { listenHttp2 } from '../src/transport/http2/server.js';
import type { Http2Stream, StreamHandler, ViewOwner } from '../src/transport/http2/stream.js';

/** The path that all echo servers serve. */
export const echoPath = '/inference.GRPCInferenceService/ModelInfer';

export const echoServers = ['conch', 'node:http2', 'grpc-js'] as const;
export type EchoServer = (typeof echoServers)[number];

const responseFields = encodeFields([
  [':status', '200'],
  ['content-type', 'application/grpc'],
]);
const okTrailers = encodeFields([['grpc-status', '0']]);

/** Flag and length before a message. */
const PREFIX_BYTES = 5;

/** Larger messages are sent from where they lie. */
const COPIED_BYTES_MAX = 4096;

/** Large messages' memory, to use again: fresh pages for each request would be most of the work. All have one size: all requests do. */
const largeBodies: Buffer[] = [];

function takeBody(length: number): Buffer {
  if (length <= COPIED_BYTES_MAX) return Buffer.allocUnsafe(length);
  const body = largeBodies.pop();
  return body?.length === length ? body : Buffer.allocUnsafeSlow(length);
}

/** Keeps the message as an engine would, in memory of its length, and sends it back when it is whole. */
class Echo implements StreamHandler, ViewOwner {
  #body: Buffer | null = null;
  #length = 0;

  onData(stream: Http2Stream, bytes: Buffer, start: number, end: number): void {
    this.#body ??= takeBody(PREFIX_BYTES + bytes.readUInt32BE(start + 1));
    bytes.copy(this.#body, this.#length, start, end);
    this.#length += end - start;
    stream.consume(end - start);
  }

  onEnd(stream: Http2Stream): void {
    const body = this.#body!;
    stream.respond(responseFields);
    if (body.length > COPIED_BYTES_MAX) stream.writeView(body, this);
    else stream.write(body);
    stream.end(okTrailers);
  }

  release(): void {
    largeBodies.push(this.#body!);
  }

  onReset(): void {}

  onDrain(): void {}
}

async function serveConch(): Promise<number> {
  const listener = await listenHttp2({ ...defaultOptions, limits: engineLimits, log: silentLog }, () => new Echo());
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
  const server = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
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
