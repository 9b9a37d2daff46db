import type { HttpResponse, TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import { serveOrders } from './limit-child.js';
import type { LimitServerOrder, Listening } from './limit-process.js';
import { loadUws } from './uws.js';

/** A bare uWebSockets server: what this machine can do with a request and an answer of the same sizes and no inference between them. */
const uws = loadUws();

function writeHeaders(response: HttpResponse, headers: readonly string[]): void {
  for (let index = 0; index < headers.length; index += 2) response.writeHeader(headers[index]!, headers[index + 1]!);
}

/** Reads the body, sends always the same answer. */
function fixedAnswers(headers: readonly string[], body: Uint8Array, delayMs: number): (response: HttpResponse) => void {
  return (response) => {
    let isAborted = false;
    const answer = () => {
      if (isAborted) return;
      response.cork(() => {
        writeHeaders(response, headers);
        response.end(body);
      });
    };
    response.onAborted(() => {
      isAborted = true;
    });
    response.onData((_chunk, last) => {
      if (!last) return;
      if (delayMs === 0) answer();
      else setTimeout(answer, delayMs);
    });
  };
}

/** Copies the body once into shared memory of its announced size and sends it from there, as fast as the socket takes it. */
function copiedAnswers(headers: readonly string[]): (response: HttpResponse, size: number) => void {
  return (response, size) => {
    const buffer = takeBuffer(size);
    let filled = 0;
    response.onAborted(() => buffers.push(buffer));
    response.onData((chunk, last) => {
      buffer.set(new Uint8Array(chunk), filled);
      filled += chunk.byteLength;
      if (last) sendBack(response, headers, buffer);
    });
  };
}

/** Buffers to use again, so that the limit does not pay for fresh pages on each request. All have one size: all requests do. */
const buffers: Uint8Array[] = [];

function takeBuffer(size: number): Uint8Array {
  return buffers.pop() ?? new Uint8Array(new SharedArrayBuffer(size));
}

function sendBack(response: HttpResponse, headers: readonly string[], buffer: Uint8Array): void {
  response.cork(() => {
    writeHeaders(response, headers);
    const trySend = (from: number) => {
      const [, sentAll] = response.tryEnd(buffer.subarray(from), buffer.length);
      if (sentAll) buffers.push(buffer);
      return sentAll;
    };
    if (!trySend(0)) response.onWritable((offset) => trySend(offset));
  });
}

function route(app: TemplatedApp, order: LimitServerOrder): TemplatedApp {
  switch (order.kind) {
    case 'fixed': {
      const answer = fixedAnswers(order.headers, Buffer.from(order.bodyBase64, 'base64'), order.delayMs ?? 0);
      return app.post('/*', answer);
    }
    case 'copy': {
      const answer = copiedAnswers(order.headers);
      return app.post('/*', (response, request) => answer(response, Number(request.getHeader('content-length'))));
    }
    case 'model':
      throw new Error('the uWebSockets limit runs no model');
  }
}

function listen(app: TemplatedApp): Promise<Listening> {
  return new Promise((resolve, reject) => {
    app.listen('127.0.0.1', 0, (socket: us_listen_socket | false) => {
      if (socket === false) reject(new Error('the limit cannot listen on 127.0.0.1'));
      else resolve({ port: uws.us_socket_local_port(socket) });
    });
  });
}

serveOrders((order: LimitServerOrder) => listen(route(uws.App(), order)));
