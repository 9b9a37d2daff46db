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

/** The block of the page in this language that begins with this line, for a server on these ports. */
function block(language: string, begin: string, server: ServerProcess): string {
  const blocks = [...page.matchAll(/^```(\w+)\n(.*?)^```/gms)].filter(([, of]) => of === language);
  const found = blocks.map(([, , text]) => text!).find((text) => text.startsWith(begin))!;
  return found.replaceAll(/\b8000\b/g, `${server.httpPort}`).replaceAll(/\b8001\b/g, `${server.grpcPort}`);
}

/** '' = it is not installed. */
function find(program: string): string {
  try {
    return execFileSync('sh', ['-c', `PATH=$PATH:/usr/sbin command -v ${program}`], { encoding: 'utf8' }).trim();
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

const ones = new Array<number>(16).fill(1);
const inputs = ['INPUT0', 'INPUT1'].map((name) => ({ name, datatype: 'INT32', shape: [1, 16], data: ones }));

async function checkHttp(port: number): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/v2/models/simple/infer`, {
    method: 'POST',
    body: JSON.stringify({ inputs }),
  });
  const { outputs } = (await answer.json()) as { outputs: { data: number[] }[] };
  expect([answer.status, outputs[0]!.data]).toEqual([200, new Array(16).fill(2)]);
}

async function checkWebSocket(port: number): Promise<void> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v2/ws`, 'conch.v1');
  await once(socket, 'open');
  socket.send(JSON.stringify({ id: '7', model_name: 'simple', inputs }));
  const [message] = await once(socket, 'message');
  const answer = JSON.parse(String(message));
  expect([answer.id, answer.outputs[0].data]).toEqual(['7', new Array(16).fill(2)]);
  socket.close();
  await once(socket, 'close');
}

/** More than one call: the fields of later answers are those of the first. */
async function checkGrpc(port: number): Promise<void> {
  const request = new MessageType('inference.ModelInferRequest').encode({
    model_name: 'simple',
    inputs: inputs.map(({ data, ...head }) => ({ ...head, contents: { int_contents: data } })),
  });
  const client = new BytesClient(port);
  for (let nth = 0; nth < 3; nth++) {
    const call = await client.unary('/inference.GRPCInferenceService/ModelInfer', request);
    expect([call.code, call.messages.length]).toEqual([0, 1]);
  }
  const stream = client.open('/inference.GRPCInferenceService/ModelStreamInfer');
  for (let nth = 0; nth < 3; nth++) stream.send(request);
  stream.halfClose();
  const { code, messages } = await stream.outcome;
  expect([code, messages.length]).toEqual([0, 3]);
  client.close();
}

interface Proxy {
  readonly name: string;
  readonly program: string;
  /** Its configuration, and the arguments that it takes it with. */
  configure(server: ServerProcess, httpPort: number, grpcPort: number): string;
  argumentsFor(directory: string, file: string): string[];
}

const proxies: readonly Proxy[] = [
  {
    name: 'nginx',
    program: find('nginx'),
    configure(server, httpPort, grpcPort) {
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
        (kind) => `${kind}_temp_path ${kind};`,
      );
      const web = `listen 127.0.0.1:${httpPort}; ${block('nginx', 'location /v2/ {', server)} ${block('nginx', 'location /v2/ws {', server)}`;
      const calls = `listen 127.0.0.1:${grpcPort} http2; ${block('nginx', 'location /inference', server)}`;
      return `daemon off; master_process off; pid nginx.pid; error_log stderr; events {}
       http { access_log off; ${temporary.join(' ')} server { ${web} } server { ${calls} } }`;
    },
    argumentsFor: (directory, file) => ['-p', directory, '-c', file],
  },
  {
    name: 'HAProxy',
    program: find('haproxy'),
    configure: (server, httpPort, grpcPort) =>
      block('haproxy', 'defaults', server)
        .replace('bind :80\n', `bind 127.0.0.1:${httpPort}\n`)
        .replace('bind :81', `bind 127.0.0.1:${grpcPort}`),
    argumentsFor: (_directory, file) => ['-q', '-db', '-f', file],
  },
  {
    name: 'Envoy',
    program: find('envoy'),
    configure: (server, httpPort, grpcPort) =>
      block('yaml', 'static_resources', server)
        .replaceAll('0.0.0.0', '127.0.0.1')
        .replace('port_value: 80 }', `port_value: ${httpPort} }`)
        .replace('port_value: 81 }', `port_value: ${grpcPort} }`),
    argumentsFor: (_directory, file) => [
      '--concurrency',
      '1',
      '--disable-hot-restart',
      '--log-level',
      'error',
      '-c',
      file,
    ],
  },
];

const nameOf = ({ name, program }: Proxy) => `${name}${program === '' ? ' (not installed)' : ''}`;

describe.each(proxies.map((proxy) => [nameOf(proxy), proxy] as const))(
  'behind %s as docs/proxies.md has it',
  (_, of) => {
    const { program } = of;
    const directory = mkdtempSync(join(tmpdir(), 'conch-proxies-'));
    let server: ServerProcess;
    let proxy: ChildProcess;
    let httpPort: number;
    let grpcPort: number;

    beforeAll(async () => {
      if (program === '') return;
      server = await ServerProcess.start({ models: ['simple'] });
      [httpPort, grpcPort] = [await freePort(), await freePort()];
      const file = join(directory, 'proxy.yaml');
      writeFileSync(file, of.configure(server, httpPort, grpcPort));
      proxy = spawn(program, of.argumentsFor(directory, file), { stdio: ['ignore', 'ignore', 'inherit'] });
      await until(`${of.name} listens`, async () => (await isOpen(httpPort)) && (await isOpen(grpcPort)));
    });

    afterAll(async () => {
      if (program !== '') {
        const ended = once(proxy, 'exit');
        proxy.kill();
        await ended;
        await server.stop();
      }
      rmSync(directory, { recursive: true });
    });

    test.skipIf(program === '')('HTTP', () => checkHttp(httpPort));
    test.skipIf(program === '')('WebSocket', () => checkWebSocket(httpPort));
    test.skipIf(program === '')('gRPC, calls and a stream', () => checkGrpc(grpcPort));
  },
);
