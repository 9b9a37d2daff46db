import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { MainProcess, root } from '../e2e/server.js';

const run = promisify(execFile);
const MODELS = join(root, 'examples/trtis');
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'conch-trtis-'));
  folders.push(folder);
  return folder;
}

test('the script makes the models as they are', async () => {
  const folder = newFolder();
  await run(process.execPath, [join(root, 'examples/make_graphdefs.mjs'), folder]);
  for (const model of readdirSync(MODELS)) {
    for (const file of ['config.pbtxt', '1/model.graphdef'])
      expect(readFileSync(join(folder, model, file))).toEqual(readFileSync(join(MODELS, model, file)));
  }
});

test('the classic session: health, status, both models over HTTP, gRPC and a stream', async () => {
  const cache = `tensorflow,cache-directory=${newFolder()}`;
  const ports = ['--http-port=0', '--grpc-port=0', '--metrics-port=0'];
  const args = ['--model-store', MODELS, ...ports, '--backend-config', cache];
  const server = new MainProcess(args, [], {}, join(root, 'dist/src/trtserver.js'));
  await server.printed(/^Ready at http/m);
  const portOf = (service: string) => new RegExp(`Started ${service} at [\\d.]+:(\\d+)`).exec(server.output)![1];
  const places = [
    '--url',
    `http://127.0.0.1:${portOf('HTTPService')}`,
    '--grpc',
    `127.0.0.1:${portOf('GRPCInferenceService')}`,
  ];
  const { stdout } = await run(process.execPath, [join(root, 'examples/v1.mjs'), ...places]);
  const [live, ready, id, ...lines] = stdout.trimEnd().split('\n');
  expect([live, ready, id]).toEqual(['health live: 200', 'health ready: 200', 'id: "inference:0"']);
  expect(lines.slice(-6)).toEqual([
    'HTTP, simple: 15 + 1 = 16, 15 - 1 = 14',
    'HTTP, simple_string: 15 + 1 = 16, 15 - 1 = 14',
    'gRPC, simple: 15 + 1 = 16, 15 - 1 = 14',
    'gRPC stream, request 1: 15 + 2 = 17, 15 - 2 = 13',
    'gRPC stream, request 2: 15 + 3 = 18, 15 - 3 = 12',
    'gRPC stream, request 3: 15 + 4 = 19, 15 - 4 = 11',
  ]);
  server.child.kill('SIGTERM');
  expect(await server.exit).toBe(0);
});
