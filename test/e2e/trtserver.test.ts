import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { get } from './requests.js';
import { MainProcess, makeRepository, onEachEngine, root } from './server.js';
import { askV1, SIMPLE, simpleBody, simpleSums, v1Infer } from './v1.js';

const program = join(root, 'dist/src/trtserver.js');
const running: MainProcess[] = [];

afterEach(async () => {
  for (const main of running.splice(0)) {
    main.child.kill('SIGTERM');
    await main.exit;
  }
});

function launch(...args: string[]): MainProcess {
  const main = new MainProcess(args, [], { TENSORRT_SERVER_VERSION: '1.8.0' }, program);
  running.push(main);
  return main;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

onEachEngine((engine) => {
  test('serves as trtserver does, its health on a port of its own', async () => {
    const repository = await makeRepository(['simple']);
    const healthPort = await freePort();
    const ports = ['--http-port=0', `--http-health-port=${healthPort}`, '--grpc-port=0', '--metrics-port=-1'];
    const main = launch('--model-store', repository, ...ports, '--http-engine', engine);
    await main.printed(/^Ready at http/m);
    const httpPort = Number(/Started HTTPService at [\d.]+:(\d+)/.exec(main.output)![1]);
    const status = 'code: SUCCESS server_id: "inference:0"';
    expect(await askV1(healthPort, get('/api/health/ready'))).toMatchObject({ code: 200, status });
    for (const path of ['/api/status', '/api/nothing', '/v2/health/live'])
      expect(await askV1(healthPort, get(path))).toMatchObject({ code: 400, status: 'none', body: Buffer.alloc(0) });
    expect(await askV1(httpPort, get('/api/health/live'))).toMatchObject({ code: 400, status: 'none' });
    const answer = await askV1(httpPort, v1Infer({ path: 'simple', header: SIMPLE, body: simpleBody(1) }));
    expect(answer).toMatchObject({ code: 200, status });
    expect(answer.body.subarray(0, 128)).toEqual(simpleSums(1));
    // uWebSockets takes no long head.
    const long = engine === 'net' ? `${SIMPLE} # ${'x'.repeat(100_000)}` : SIMPLE;
    const named = await askV1(httpPort, v1Infer({ path: 'simple', header: long, body: simpleBody(1) }));
    expect(named).toMatchObject({ code: 200, status });
    expect((await askV1(httpPort, get('/api/status'))).body.toString()).toMatch(
      /^id: "inference:0"\nversion: "1.8.0"\n/,
    );
    main.child.kill('SIGTERM');
    expect(await main.exit).toBe(0);
    await rm(repository, { recursive: true });
  });
});

test.each([['--help'], ['--no-such-flag=1'], ['stray']])('%s: usage on standard error, exit 1', async (word) => {
  const main = launch(word);
  expect(await main.exit).toBe(1);
  expect(main.stdout).toBe('');
  expect(main.output).toMatch(/^Usage: trtserver /);
});
