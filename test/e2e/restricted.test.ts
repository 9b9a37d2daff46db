import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { BytesClient } from '../protocols/grpc/engine-fixture.js';
import { callGrpc } from './control.js';
import { ask, get, infer, post, simpleInputs } from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';

const SECRET = 'sesame-4711';

onEachEngine((engine) => {
  let server: ServerProcess;

  beforeAll(async () => {
    const flags = [
      `--http-restricted-api=model-repository,statistics,inference:Admin-Key=${SECRET}`,
      '--log-verbose=1',
    ];
    server = await ServerProcess.start({ engine, models: ['simple'], flags });
  });
  afterAll(() => server.stop());

  const refused = { error: "This API is restricted, expecting header 'admin-key'" };

  test.each([
    ['index', post('/v2/repository/index', '')],
    ['statistics', get('/v2/models/stats')],
    ['sequences', get('/v2/models/simple/sequences')],
    ['inference', infer('simple', simpleInputs(1))],
    ['a wrong method', get('/v2/models/simple/infer')],
  ])('%s: refused without the header or with a wrong value', async (_, request) => {
    for (const headers of [{}, { 'Admin-Key': 'sesame' }, { 'Admin-Key': `${SECRET}x` }]) {
      const answer = await ask(server.httpPort, { ...request, headers: { ...request.headers, ...headers } });
      expect({ status: answer.status, body: JSON.parse(String(answer.body)) }).toEqual({ status: 403, body: refused });
    }
  });

  test('with the header, all is as ever', async () => {
    const headers = { 'Admin-Key': SECRET };
    const statuses = [];
    for (const request of [
      post('/v2/repository/index', ''),
      get('/v2/models/stats'),
      infer('simple', simpleInputs(1)),
    ]) {
      const { status } = await ask(server.httpPort, { ...request, headers: { ...request.headers, ...headers } });
      statuses.push(status);
    }
    expect(statuses).toEqual([200, 200, 200]);
  });

  test('the rest is open', async () => {
    for (const path of ['/v2', '/v2/health/live', '/v2/models/simple', '/v2/models/simple/config']) {
      expect((await ask(server.httpPort, get(path))).status).toBe(200);
    }
  });

  test('a WebSocket is inference', async () => {
    expect(await upgrade(server.httpPort, {})).toBe(403);
    expect(await upgrade(server.httpPort, { 'Admin-Key': SECRET })).toBe('open');
  });

  test('the secret is in no line of the log', () => {
    expect(server.main.output).not.toContain(SECRET);
  });
});

/** 'open', or the status it was refused with. */
function upgrade(port: number, headers: Record<string, string>): Promise<number | 'open'> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v2/models/simple/infer`, ['conch.v1'], { headers });
  return new Promise((resolve, reject) => {
    socket.on('open', () => {
      socket.close();
      resolve('open');
    });
    socket.on('unexpected-response', (_, response) => resolve(response.statusCode ?? 0));
    socket.on('error', reject);
  });
}

describe.each(['conch', 'grpc-js'])('gRPC engine %s', (engine) => {
  let server: ServerProcess;
  let client: BytesClient;

  beforeAll(async () => {
    const flags = [`--grpc-engine=${engine}`, `--grpc-restricted-protocol=model-repository,inference:key=${SECRET}`];
    server = await ServerProcess.start({ models: ['simple'], flags });
    client = new BytesClient(server.grpcPort);
  });
  afterAll(async () => {
    client.close();
    await server.stop();
  });

  const unary = (method: string, metadata: Record<string, string>) =>
    client.unary(`/inference.GRPCInferenceService/${method}`, Buffer.alloc(0), { metadata });

  test.each(['RepositoryIndex', 'ModelInfer', 'ModelStreamInfer'])('%s needs its metadata', async (method) => {
    for (const metadata of [{}, { key: SECRET }, { 'triton-grpc-protocol-key': 'other' }]) {
      expect(await unary(method, metadata as Record<string, string>)).toMatchObject({
        code: 14,
        details: "This protocol is restricted, expecting header 'triton-grpc-protocol-key'",
      });
    }
  });

  test('with it, it is as ever; the rest is open', async () => {
    expect(await unary('RepositoryIndex', { 'triton-grpc-protocol-key': SECRET })).toMatchObject({ code: 0 });
    expect(await callGrpc(client, 'ServerLive', {})).toEqual({ live: true });
  });
});
