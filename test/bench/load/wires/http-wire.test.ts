import type { Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { SEQUENCE_ID_DIGITS } from '../../../../bench/load/encode/prepared-request.js';
import { prepared, Recorder } from './recorder.js';
import { ScriptedServer } from './scripted-server.js';

let server: ScriptedServer;
let recorder: Recorder;

afterEach(async () => {
  recorder.wire.close();
  await server.stop();
});

async function start(script: (socket: Socket, nth: number) => void, timeoutMs = 10_000): Promise<void> {
  server = await ScriptedServer.start(script);
  recorder = await Recorder.open({ port: server.port, timeoutMs });
}

/** Gives the same answer to whatever comes. */
function answering(answer: string | Buffer, ends = false): (socket: Socket) => void {
  return (socket) => socket.on('data', () => (ends ? socket.end(answer) : socket.write(answer)));
}

const request = prepared(Buffer.from('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n'));
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n';

test('the bytes of a request arrive as they are, and the body of its answer is handed on', async () => {
  const received: Buffer[] = [];
  await start((socket) => {
    socket.on('data', (bytes) => {
      received.push(bytes);
      socket.write(`${OK}Inference-Header-Content-Length: 1\r\n\r\n{}`);
    });
  });
  const answer = await recorder.ask(request);
  expect(Buffer.concat(received)).toEqual(request.bytes);
  expect(answer).toMatchObject({ slot: 0, isFinal: true, isEmpty: false, failure: null, jsonBytes: 1 });
  expect(answer.body.toString()).toBe('{}');
  expect(answer.firstByteMs).toBeGreaterThan(0);
  expect(await recorder.ask(request)).toMatchObject({ failure: null });
  expect(server.connections).toBe(1);
});

test.each(['small', 'large'])('the id of a sequence is written into a copy of a %s request', async (size) => {
  const id = ' '.repeat(SEQUENCE_ID_DIGITS);
  const bytes = Buffer.from(`<${id}>${'x'.repeat(size === 'large' ? 100_000 : 0)}.`);
  const received: string[] = [];
  await start((socket) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
      if (!text.endsWith('.')) return;
      received.push(text.slice(0, SEQUENCE_ID_DIGITS + 2));
      expect(text).toHaveLength(bytes.length);
      text = '';
      socket.write(`${OK}\r\n{}`);
    });
  });
  const step = prepared(bytes, { sequenceId: { form: 'digits', at: 1 } });
  await recorder.ask(step, 42);
  await recorder.ask(step, Number.MAX_SAFE_INTEGER);
  expect(received).toEqual([`<42${' '.repeat(SEQUENCE_ID_DIGITS - 2)}>`, '<9007199254740991>']);
  expect(bytes.includes(id)).toBe(true);
});

test('an answer that says 503 is a failure with the text of the server', async () => {
  const body = '{"error":"the queue is full"}';
  await start(answering(`HTTP/1.1 503 Service Unavailable\r\nContent-Length: ${body.length}\r\n\r\n${body}`));
  expect((await recorder.ask(request)).failure).toEqual({ kind: 'HTTP 503', message: 'the queue is full' });
  expect((await recorder.ask(request)).failure).toEqual({ kind: 'HTTP 503', message: 'the queue is full' });
  expect(recorder.closed).toEqual([]);
});

test.each([
  ['Connection: close', `${OK}Connection: close\r\n\r\n{}`],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}'],
  ['a body that ends with the connection', 'HTTP/1.1 200 OK\r\n\r\n{}'],
])('behind %s the next request goes over a new connection', async (_name, text) => {
  await start(answering(text, true));
  recorder.after = () => {
    if (recorder.answers.length < 4) recorder.wire.send(0, request, 0);
  };
  recorder.wire.send(0, request, 0);
  await recorder.until(() => recorder.answers.length === 4);
  expect(recorder.answers.map((answer) => `${answer.failure?.message}${answer.body}`)).toEqual(
    Array(4).fill('undefined{}'),
  );
  expect(server.connections).toBeGreaterThanOrEqual(4);
  expect(recorder.closed).toEqual([]);
});

test('where the new connection fails, the request that was sent meanwhile does', async () => {
  await start((socket, nth) => {
    if (nth === 0) socket.on('data', () => socket.end(`${OK}Connection: close\r\n\r\n{}`));
    else socket.resetAndDestroy();
  });
  recorder.after = () => {
    if (recorder.answers.length === 1) recorder.wire.send(0, request, 0);
  };
  recorder.wire.send(0, request, 0);
  await recorder.until(() => recorder.closed.length > 0);
  expect(recorder.answers.map((answer) => answer.failure?.kind)).toEqual([undefined, 'connection reset']);
});

test.each<[string, string, (socket: Socket) => void]>([
  ['connection closed', 'in the middle of an answer', (socket) => socket.end(`${OK}\r\n{`)],
  ['connection closed', 'before an answer', (socket) => socket.end()],
  ['connection reset', 'before an answer', (socket) => socket.resetAndDestroy()],
  ['bad answer', 'with something that is no HTTP', (socket) => socket.write('220 mail.example ESMTP\r\n\r\n')],
])('%s: the server goes away %s', async (kind, _when, act) => {
  await start((socket) => socket.on('data', () => act(socket)));
  recorder.wire.send(0, request, 0);
  await recorder.until(() => recorder.closed.length > 0);
  expect(recorder.answers.map((answer) => [answer.isFinal, answer.failure?.kind])).toEqual([[true, kind]]);
  expect(recorder.closed).toEqual([recorder.answers[0]!.failure]);
});

test('what is sent while requests fail leaves with the next open', async () => {
  await start((socket, nth) => socket.on('data', () => (nth === 0 ? socket.end() : socket.write(`${OK}\r\n{}`))));
  recorder.after = ({ failure }) => {
    if (failure !== null) recorder.wire.send(0, request, 0);
  };
  recorder.wire.send(0, request, 0);
  await recorder.until(() => recorder.closed.length > 0);
  expect(recorder.answers).toHaveLength(1);
  await recorder.wire.open();
  await recorder.until(() => recorder.answers.length === 2);
  expect(recorder.answers[1]).toMatchObject({ failure: null });
});

test('bytes that no request asked for end the connection', async () => {
  await start((socket) => socket.write('HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n'));
  await recorder.until(() => recorder.closed.length > 0);
  expect(recorder.answers).toEqual([]);
  expect(recorder.closed[0]).toMatchObject({ kind: 'bad answer', message: expect.stringContaining('408') });
});

test('a server that never answers is a time-out, and its connection is gone', async () => {
  let isClosed = false;
  await start((socket) => socket.on('close', () => (isClosed = true)).resume(), 80);
  recorder.wire.send(0, request, 0);
  await recorder.until(() => recorder.closed.length > 0);
  expect(recorder.answers).toMatchObject([{ isFinal: true, failure: { kind: 'timeout' } }]);
  await expect.poll(() => isClosed).toBe(true);
});

test('a port where nobody listens refuses, and the error says where', async () => {
  await start(() => {});
  const { port } = server;
  await server.stop();
  const refused = new Recorder({ port });
  await expect(refused.wire.open()).rejects.toThrow(`cannot connect to 127.0.0.1:${port} (http): connection refused`);
  expect(refused.closed).toEqual([]);
  server = await ScriptedServer.start(() => {});
});

test('a name with several addresses is tried at each; where all refuse, each says so', async () => {
  await start(answering(`${OK}\r\n{}`));
  recorder.wire.close();
  recorder = await Recorder.open({ host: 'localhost', port: server.port });
  expect((await recorder.ask(request)).body.toString()).toBe('{}');
  recorder.wire.close();
  await server.stop();
  const refused = new Recorder({ host: 'localhost', port: server.port });
  await expect(refused.wire.open()).rejects.toThrow(/connection refused: connect ECONNREFUSED/);
  server = await ScriptedServer.start(() => {});
});

test('behind close nothing is heard, also within the call of an answer', async () => {
  await start((socket) => socket.on('data', () => socket.end(`${OK}\r\n{}`)));
  recorder.after = () => recorder.wire.close();
  await recorder.ask(request);
  await server.stop();
  expect(recorder.closed).toEqual([]);
  server = await ScriptedServer.start(() => {});
});

test('answers of megabytes come whole', async () => {
  const body = Buffer.alloc(
    3_000_000,
    Uint8Array.from({ length: 251 }, (_, index) => index),
  );
  await start(
    answering(Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`), body])),
  );
  for (let nth = 0; nth < 3; nth++) expect((await recorder.ask(request)).body.equals(body)).toBe(true);
});
