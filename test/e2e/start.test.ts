import { execFile, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ask, get } from './requests.js';
import { MainProcess, makeRepository, root, ServerProcess } from './server.js';

const anyPorts = ['--http-port=0', '--grpc-port=0', '--metrics-port=0'];
const hasCurl = spawnSync('curl', ['--version']).status === 0;

describe('the example repository, started as the README says', () => {
  let main: MainProcess;

  beforeAll(async () => {
    main = new MainProcess(['serve', '--model-repository', 'examples/models', ...anyPorts]);
    await main.printed(/\n(curl .+)\n/);
    return async () => {
      main.child.kill('SIGINT');
      expect(await main.exit).toBe(0);
    };
  });

  test('a table shows each model and what became of it', () => {
    const lines = main.stdout.split('\n').map((line) => line.split('│').map((cell) => cell.trim()));
    const simple = lines.find((cells) => cells[1] === 'simple')!;
    expect(simple.slice(1, -1)).toEqual([
      'simple',
      '1',
      'onnxruntime',
      expect.stringMatching(/^\d+ x CPU$/),
      expect.any(String),
      'READY',
    ]);
    expect(lines.some((cells) => cells[1] === 'digits' && cells.includes('READY'))).toBe(true);
    const pipeline = lines.find((cells) => cells[1] === 'digits_pipeline')!;
    expect(pipeline.slice(1, -1)).toEqual(['digits_pipeline', '1', 'ensemble', '', expect.any(String), 'READY']);
    expect(main.stdout).toMatch(/^Ready at http:\/\/127\.0\.0\.1:\d+$/m);
  });

  test('the log says which HTTP engine serves, and how to get the other', () => {
    expect(main.output).toMatch(/HTTP engine net \(--http-engine=uws/);
  });

  test.skipIf(!hasCurl)('the printed line of curl is answered (needs curl)', async () => {
    const [, line] = /\n(curl .+)\n/.exec(main.stdout)!;
    expect(line).toContain('/v2/models/simple/infer');
    const { stdout } = await promisify(execFile)('sh', ['-c', line!]);
    const { outputs } = JSON.parse(stdout) as { outputs: { name: string; data: number[] }[] };
    expect(outputs.length).toBeGreaterThan(0);
    for (const { data } of outputs) expect(data.length).toBeGreaterThan(0);
  });
});

describe('a command line that cannot be served', () => {
  async function run(args: readonly string[]): Promise<{ code: number | NodeJS.Signals; output: string }> {
    const main = new MainProcess(args);
    return { code: await main.exit, output: main.output };
  }

  test('an unknown flag ends with 1 and names the nearest', async () => {
    const { code, output } = await run(['--model-repositroy=examples/models']);
    expect(code).toBe(1);
    expect(output.trimEnd().split('\n').at(-1)).toMatch(/--model-repositroy.*--model-repository/);
  });

  test('a repository that is not there ends with 1 and is named', async () => {
    const { code, output } = await run(['--model-repository=/nowhere/at/all', ...anyPorts]);
    expect(code).toBe(1);
    expect(output).toContain('/nowhere/at/all');
  });

  test('a port that is taken ends with 1 and is named', async () => {
    const server = await ServerProcess.start({ models: [] });
    const port = String(server.httpPort);
    const repository = await makeRepository([]);
    const { code, output } = await run([
      `--model-repository=${repository}`,
      `--http-port=${port}`,
      '--grpc-port=0',
      '--metrics-port=0',
    ]);
    expect(code).toBe(1);
    expect(output).toContain(port);
    await rm(repository, { recursive: true });
    await server.stop();
  });

  test('a model that does not load ends with 1, says why, and takes no other with it before it has said so', async () => {
    const repository = await makeRepository(['simple', 'garbage']);
    const { code, output } = await run(['--model-repository', repository, ...anyPorts]);
    expect(code).toBe(1);
    expect(output).toContain("successfully loaded 'simple'");
    expect(output).toMatch(/failed to load 'garbage'/);
    expect(output).toContain('failed to load all models');
    await rm(repository, { recursive: true });
  });

  test('an engine that this Node cannot run ends with 1 and a way out', async () => {
    const { code, output } = await run(['--model-repository=/tmp', '--http-engine=nginx']);
    expect(code).toBe(1);
    expect(output).toMatch(/http-engine.*nginx/);
  });

  test('help and version end with 0', async () => {
    const [help, version] = await Promise.all([run(['--help']), run(['--version'])]);
    expect([help.code, version.code]).toEqual([0, 0]);
    expect(help.output).toContain('--model-repository');
    expect(version.output).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('a folder without configuration', () => {
  let server: ServerProcess;

  afterEach(() => server.stop());

  test('is served from its ONNX file alone', async () => {
    server = await ServerProcess.start({ models: ['auto_batch'] });
    const config = JSON.parse((await ask(server.httpPort, get('/v2/models/auto_batch/config'))).body.toString());
    expect(config).toMatchObject({ name: 'auto_batch', backend: 'onnxruntime', max_batch_size: 4 });
  });

  test('may be given as a plain word, and several repositories are one', async () => {
    server = await ServerProcess.start({ models: ['auto_batch'], flags: [join(root, 'examples/models')] });
    const models = JSON.parse((await ask(server.httpPort, get('/v2/models'))).body.toString());
    expect(models.models).toEqual(['auto_batch', ...readdirSync(join(root, 'examples/models'))].sort());
  });
});
