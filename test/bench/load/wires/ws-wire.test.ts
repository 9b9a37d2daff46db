import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { Recorder } from './recorder.js';
import { simpleRequest } from './requests.js';
import { ScriptedServer } from './scripted-server.js';

let recorder: Recorder;
let server: WebSocketServer;

afterEach(async () => {
  recorder.wire.close();
  for (const client of server.clients) client.terminate();
  server.close();
  await once(server, 'close');
});

/** A server of the package ws that does this with each request. */
async function start(onRequest: (socket: WebSocket, id: string) => void, timeoutMs = 10_000): Promise<void> {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (socket) => {
    socket.on('message', (message: Buffer) => onRequest(socket, /"id":"(\d+)"/.exec(message.toString('latin1'))![1]!));
  });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  recorder = await Recorder.open({ protocol: 'ws', port, path: '/v2/models/simple/infer', slots: 4, timeoutMs });
}

const request = simpleRequest('ws', 1, 2);

function binary(id: string, tensors: Buffer): Buffer {
  const head = Buffer.from(`{"id":"${id}","model_name":"simple","outputs":[]}`);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);
  return Buffer.concat([length, head, tensors]);
}

describe('answers', () => {
  test.each([1, 125, 126, 65_535, 65_536, 1_000_000])('with %i bytes of tensors', async (bytes) => {
    const tensors = Buffer.alloc(bytes, 'tensor');
    await start((socket, id) => socket.send(binary(id, tensors)));
    const { body, jsonBytes, failure } = await recorder.ask(request);
    expect(failure).toBe(null);
    expect(JSON.parse(body.toString('utf8', 0, jsonBytes))).toMatchObject({ model_name: 'simple' });
    expect(body.subarray(jsonBytes).equals(tensors)).toBe(true);
  });

  test('in fragments, with a ping between them', async () => {
    let pongs = 0;
    await start((socket, id) => {
      const message = binary(id, Buffer.alloc(1000, 'x'));
      socket.once('pong', (data) => {
        pongs++;
        expect(data.toString()).toBe('still there?');
        socket.send(message.subarray(300, 900), { fin: false });
        socket.send(message.subarray(900));
      });
      socket.send(message.subarray(0, 300), { fin: false });
      socket.ping('still there?');
    });
    for (let nth = 1; nth <= 2; nth++) {
      const { body, jsonBytes } = await recorder.ask(request);
      expect(body.subarray(jsonBytes).equals(Buffer.alloc(1000, 'x'))).toBe(true);
      expect(pongs).toBe(nth);
    }
  });

  test('in the other order than the requests', async () => {
    const waiting: string[] = [];
    await start((socket, id) => {
      waiting.unshift(id);
      if (waiting.length === 3)
        for (const one of waiting) socket.send(JSON.stringify({ model_name: 'simple', id: one }));
    });
    for (let slot = 0; slot < 3; slot++) recorder.wire.send(slot, request, 0);
    await recorder.until(() => recorder.answers.length === 3);
    expect(recorder.answers.map(({ slot, failure }) => [slot, failure])).toEqual([
      [2, null],
      [1, null],
      [0, null],
    ]);
  });

  test.each([
    (id: string) => `{"id":"${id}","error":"no such model","status":404}`,
    (id: string) => `{ "status": 404, "error": "no such model", "id": "${id}" }`,
  ])('that are errors, however they are written', async (error) => {
    await start((socket, id) => socket.send(error(id)));
    expect((await recorder.ask(request)).failure).toEqual({ kind: 'HTTP 404', message: 'no such model' });
    expect(recorder.closed).toEqual([]);
  });
});

describe('the end of a connection', () => {
  test.each<[string, string, RegExp, (socket: WebSocket) => void]>([
    ['a close', 'connection closed', /closed the WebSocket: 1001 bye/, (socket) => socket.close(1001, 'bye')],
    ['a close without a code', 'connection closed', /1005$/, (socket) => socket.close()],
    ['the end of the socket', 'connection closed', /closed the connection/, (socket) => socket.terminate()],
    ['an error without an id', 'bad answer', /unreadable/, (socket) => socket.send('{"id":null,"error":"unreadable"}')],
    ['no JSON', 'bad answer', /that is JSON, found 'hello'/, (socket) => socket.send('hello')],
    ['a length that is too long', 'bad answer', /whose JSON is longer/, (socket) => socket.send(Buffer.alloc(10, 1))],
  ])('%s', async (_name, kind, message, act) => {
    await start(act);
    recorder.wire.send(1, request, 0);
    recorder.wire.send(3, request, 0);
    await recorder.until(() => recorder.closed.length > 0);
    const failure = { kind, message: expect.stringMatching(message) };
    expect(recorder.answers).toMatchObject([
      { slot: 1, failure },
      { slot: 3, failure },
    ]);
    expect(recorder.closed).toMatchObject([failure]);
  });

  test('a server that does not answer is a time-out', async () => {
    await start(() => {}, 80);
    recorder.wire.send(0, request, 0);
    await recorder.until(() => recorder.closed.length > 0);
    expect(recorder.answers).toMatchObject([{ slot: 0, failure: { kind: 'timeout' } }]);
  });
});

test.each([
  ['refuses it', 'HTTP/1.1 404 Not Found\r\n\r\n{"error":"no such model"}', /HTTP 404: no such model/],
  ['answers another key', 'HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: x\r\n\r\n', /bad answer: .* another key/],
  ['speaks something else', '220 mail.example\r\n\r\n', /bad answer: expected an answer of HTTP/],
])('an upgrade fails where the server %s', async (_name, text, message) => {
  await start(() => {});
  const scripted = await ScriptedServer.start((socket) => socket.on('data', () => socket.write(text)));
  const refused = new Recorder({ protocol: 'ws', port: scripted.port });
  await expect(refused.wire.open()).rejects.toThrow(message);
  await scripted.stop();
});
