import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { MessageType } from '../../src/protocols/grpc/proto.js';
import { BytesClient } from '../protocols/grpc/engine-fixture.js';
import { root, ServerProcess } from './server.js';
import { until } from './until.js';

const page = readFileSync(join(root, 'docs/proxies.md'), 'utf8');

/** The block of the page that begins with this line, for a server on these ports. */
function block(begin: string, server: ServerProcess): string {
  const blocks = [...page.matchAll(/^```nginx\n(.*?)^```/gms)].map(([, text]) => text!);
  const found = blocks.find((text) => text.startsWith(begin))!;
  return found.replaceAll(':8000', `:${server.httpPort}`).replaceAll(':8001', `:${server.grpcPort}`);
}

function findNginx(): string {
  try {
    return execFileSync('sh', ['-c', 'PATH=$PATH:/usr/sbin command -v nginx'], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}

async function freePort(): Promise<number> {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address() as AddressInfo;
  holder.close();
  await once(holder, 'close');
  return port;
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

const nginx = findNginx();

describe.skipIf(nginx === '')(`behind nginx as docs/proxies.md has it${nginx === '' ? ' (not installed)' : ''}`, () => {
  const directory = mkdtempSync(join(tmpdir(), 'conch-proxies-'));
  let server: ServerProcess;
  let proxy: ChildProcess;
  let httpPort: number;
  let grpcPort: number;

  beforeAll(async () => {
    server = await ServerProcess.start({ models: ['simple'] });
    [httpPort, grpcPort] = [await freePort(), await freePort()];
    const conf = join(directory, 'nginx.conf');
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${kind};`);
    const web = `listen 127.0.0.1:${httpPort}; ${block('location /v2/ {', server)} ${block('location /v2/ws {', server)}`;
    const calls = `listen 127.0.0.1:${grpcPort} http2; ${block('location /inference', server)}`;
    writeFileSync(
      conf,
      `daemon off; master_process off; pid nginx.pid; error_log stderr; events {}
       http { access_log off; ${temporary.join(' ')} server { ${web} } server { ${calls} } }`,
    );
    proxy = spawn(nginx, ['-p', directory, '-c', conf], { stdio: ['ignore', 'ignore', 'inherit'] });
    await until('nginx listens', async () => (await isOpen(httpPort)) && (await isOpen(grpcPort)));
  });

  afterAll(async () => {
    const ended = once(proxy, 'exit');
    proxy.kill();
    await ended;
    await server.stop();
    rmSync(directory, { recursive: true });
  });

  const ones = new Array<number>(16).fill(1);
  const inputs = ['INPUT0', 'INPUT1'].map((name) => ({ name, datatype: 'INT32', shape: [1, 16], data: ones }));

  test('WebSocket', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${httpPort}/v2/ws`, 'conch.v1');
    await once(socket, 'open');
    socket.send(JSON.stringify({ id: '7', model_name: 'simple', inputs }));
    const [message] = await once(socket, 'message');
    const answer = JSON.parse(String(message));
    expect([answer.id, answer.outputs[0].data]).toEqual(['7', new Array(16).fill(2)]);
    socket.close();
    await once(socket, 'close');
  });

  test('gRPC, a call and a stream', async () => {
    const request = new MessageType('inference.ModelInferRequest').encode({
      model_name: 'simple',
      inputs: inputs.map(({ data, ...head }) => ({ ...head, contents: { int_contents: data } })),
    });
    const client = new BytesClient(grpcPort);
    const call = await client.unary('/inference.GRPCInferenceService/ModelInfer', request);
    expect([call.code, call.messages.length]).toEqual([0, 1]);
    const stream = client.open('/inference.GRPCInferenceService/ModelStreamInfer');
    for (let nth = 0; nth < 3; nth++) stream.send(request);
    stream.halfClose();
    const { code, messages } = await stream.outcome;
    expect([code, messages.length]).toEqual([0, 3]);
    client.close();
  });
});
