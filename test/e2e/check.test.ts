import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Finding } from '../../src/check/finding.js';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import { external, model, node, onnx, tensor, tensorValue } from '../backends/onnx-builder.js';
import { makeRepository, root, ServerProcess } from './server.js';

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function conch(...args: string[]): Ran {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'dist/src/main.js'), ...args], {
    cwd: root,
    encoding: 'utf8',
  });
  return { code: status, stdout, stderr };
}

interface Document {
  readonly models: number;
  readonly errors: number;
  readonly warnings: number;
  readonly hints: number;
  readonly findings: readonly (Finding & { fixable: boolean })[];
  readonly fixed: readonly Finding[];
}

function checked(...args: string[]): Document & { code: number | null } {
  const { code, stdout } = conch('check', '--json', '--cores=4', '--gpus=0', ...args);
  return { ...(JSON.parse(stdout) as Document), code };
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'conch-check-'));
  return () => rm(folder, { recursive: true });
});

describe('conch check', () => {
  test('has nothing against the examples but two hints', () => {
    const { code, errors, warnings, findings } = checked('examples/models');
    expect({ code, errors, warnings }).toEqual({ code: 0, errors: 0, warnings: 0 });
    expect(findings.map(({ rule, model: name }) => `${name} ${rule}`)).toEqual([
      'simple dynamic-batching',
      'sunspots_series max-batch-size',
    ]);
  });

  test('has no error against any model that the server serves', () => {
    expect(checked('test/models').findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  });

  test('takes models written in JavaScript for what they say they are, but looks for their modules', async () => {
    expect(checked('test/javascript_models')).toMatchObject({ code: 0, errors: 0, warnings: 0 });
    const repository = await makeRepository(['scale', 'upper']);
    await rm(join(repository, 'scale/1/model.js'));
    const [finding, ...more] = checked(repository).findings;
    expect(finding).toMatchObject({ model: 'scale', rule: 'model-file', file: join(repository, 'scale/1') });
    expect(more).toEqual([]);
    await rm(repository, { recursive: true });
  });

  test('says where and why each broken model is refused', () => {
    const { code, findings } = checked('test/broken_models');
    expect(code).toBe(1);
    const errors = findings.filter(({ severity }) => severity === 'error');
    const places = errors.map(
      ({ file, line, column, rule }) => `${file.slice(file.indexOf('broken_models/') + 14)}:${line}:${column} ${rule}`,
    );
    expect(places).toEqual([
      'garbage/1:1:1 model-file',
      'no_file/1:1:1 model-file',
      'no_version:1:1 versions',
      'syntax_error/config.pbtxt:6:1 syntax',
      'unknown_field/config.pbtxt:10:1 syntax',
      'wrong_shape/config.pbtxt:5:41 model-file',
      'wrong_shape/config.pbtxt:8:42 model-file',
      'wrong_type/config.pbtxt:5:20 model-file',
      'wrong_type/config.pbtxt:8:21 model-file',
    ]);
    for (const { expected, fix } of errors) expect([expected, fix]).not.toContain('');
  });

  test('prints lines that editors and CI read, without colours where nobody looks', () => {
    const { code, stdout } = conch('check', 'test/broken_models');
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^test\/broken_models\/wrong_type\/config\.pbtxt:5:20: error: input\[0\]\.data_type: .*\n {2}found {5}data_type: TYPE_INT32\n {2}expected {2}TYPE_FP32\n {2}fix {7}write data_type: TYPE_FP32 \(--fix does it\)$/m,
    );
    expect(stdout).toMatch(/^7 models: 9 errors, no warnings, .*; 4 can be fixed with --fix\n$/m);
    expect(stdout).not.toContain('\u001b');
  });

  test('--fix mends what it says, keeps the rest of the file, and the server then serves the model', async () => {
    const repository = await makeRepository(['wrong_type', 'wrong_shape']);
    const file = join(repository, 'wrong_type', 'config.pbtxt');
    const before = await readFile(file, 'utf8');
    await writeFile(file, `# mine\n${before}\n# the end\n`);
    const { code, errors, fixed } = checked('--fix', repository);
    expect({ code, errors, fixed: fixed.length }).toEqual({ code: 0, errors: 0, fixed: 4 });
    expect(await readFile(file, 'utf8')).toBe(`# mine\n${before.replaceAll('TYPE_INT32', 'TYPE_FP32')}\n# the end\n`);
    expect((await readdir(join(repository, 'wrong_type'))).sort()).toEqual(['1', 'config.pbtxt']);
    expect(checked('--fix', repository).fixed).toEqual([]);
    const server = await ServerProcess.start({ models: [], flags: ['--model-repository', repository] });
    expect(server.main.output).toContain("successfully loaded 'wrong_type'");
    await server.stop();
    await rm(repository, { recursive: true });
  });

  test('ends with 1 for warnings only where that is asked for', async () => {
    const repository = await makeRepository(['labels']);
    await writeFile(join(repository, 'labels', 'labels.txt'), 'one\n');
    expect(checked(repository).code).toBe(0);
    expect(checked('--strict', repository).code).toBe(1);
    await rm(repository, { recursive: true });
  });

  test.each([
    [['check'], /missing required argument/],
    [['check', '/nowhere/at/all'], /\/nowhere\/at\/all cannot be read/],
    [['check', 'examples/models/simple'], /is a model's folder: check the folder that it is in/],
    [['check', 'examples/models', '--cores=many'], /expected a whole number, found 'many'/],
    [['check', 'examples/models', '--fixx'], /unknown option '--fixx'/],
  ])('%j ends with 2 and says why', (args, expected) => {
    const { code, stderr } = conch(...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(expected);
  });
});

describe('conch config', () => {
  test('of a folder is a configuration with marks, and what is printed is read again', () => {
    const { code, stdout } = conch('config', 'examples/models/digits', '--gpus=0');
    expect(code).toBe(0);
    expect(stdout).toContain('max_batch_size: 32  # given\n');
    expect(stdout).toContain('backend: "onnxruntime"  # auto-completed from the folder\n');
    expect(stdout).toContain('  preferred_batch_size: [ 32 ]  # default\n');
    expect(parseModelConfig(stdout, 'f')).toMatchObject({ name: 'digits', max_batch_size: 32 });
  });

  test('of a folder, of a running server by either address: the same', async () => {
    const server = await ServerProcess.start({ models: ['auto_batch'] });
    const url = `http://127.0.0.1:${server.httpPort}`;
    const body = (text: string) => text.slice(text.indexOf('\n') + 1).replaceAll('1/model.onnx', 'the model file');
    const here = body(conch('config', 'test/models/auto_batch').stdout);
    expect(here).toContain('max_batch_size: 4  # auto-completed from the model file\n');
    expect(body(conch('config', url, 'auto_batch').stdout)).toBe(here);
    expect(body(conch('config', `${url}/v2/models/auto_batch/versions/1`).stdout)).toBe(here);
    const json = JSON.parse(conch('config', url, 'auto_batch', '--json').stdout);
    expect(json.marks.max_batch_size).toBe('auto-completed from the model file');
    const plain = await (await fetch(`${url}/v2/models/auto_batch/config`)).json();
    expect(json.config).toEqual(plain);
    const unknown = conch('config', url, 'nobody');
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toContain("'nobody' is not found");
    await server.stop();
  });
});

describe('conch init', () => {
  test('makes a model that the checker has nothing against and the server serves; a second time it refuses', async () => {
    const directory = join(folder, 'made', 'digits');
    const args = ['init', directory, '--model', 'examples/models/digits/1/model.onnx'];
    expect(conch(...args).code).toBe(0);
    expect(checked(join(folder, 'made'))).toMatchObject({ code: 0, errors: 0, warnings: 0, hints: 0 });
    expect(await readdir(join(folder, 'made'))).toEqual(['digits']);
    const server = await ServerProcess.start({ models: [], flags: ['--model-repository', join(folder, 'made')] });
    const data = new Array(64).fill(0);
    const inputs = [{ name: 'image', datatype: 'FP32', shape: [1, 1, 8, 8], data }];
    const url = `http://127.0.0.1:${server.httpPort}/v2/models/digits/infer`;
    const reply = await fetch(url, { method: 'POST', body: JSON.stringify({ inputs }) });
    expect(((await reply.json()) as { outputs: { shape: number[] }[] }).outputs[0]!.shape).toEqual([1, 10]);
    await server.stop();
    const again = conch(...args);
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('is there already, and nothing is written over');
  });

  test('makes a model written in JavaScript that runs as it is', async () => {
    const directory = join(folder, 'coded', 'mine');
    expect(conch('init', '--javascript', directory).code).toBe(0);
    expect(checked(join(folder, 'coded'))).toMatchObject({ code: 0, errors: 0, warnings: 0, hints: 0 });
    const server = await ServerProcess.start({ models: [], flags: ['--model-repository', join(folder, 'coded')] });
    expect(server.main.output).toContain("model 'mine', instance 'mine_0_0': multiplies by 2");
    const inputs = [{ name: 'INPUT0', datatype: 'FP32', shape: [2, 3], data: [1, 2, 3, 4, 5, 6] }];
    const url = `http://127.0.0.1:${server.httpPort}/v2/models/mine/infer`;
    const reply = await fetch(url, { method: 'POST', body: JSON.stringify({ inputs }) });
    expect((await reply.json()) as object).toMatchObject({
      outputs: [{ name: 'OUTPUT0', shape: [2, 3], data: [2, 4, 6, 8, 10, 12] }],
    });
    await server.stop();
    // What its comments import is there.
    const { exports } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    expect(await readFile(join(root, exports['./model'].types), 'utf8')).toContain('export interface ModelContext');
  });

  test.each([
    'scalar_nobatch',
    'reshape_empty',
    'auto_nobatch',
    'identity_bytes',
    'external_data',
    'optional_input',
    'sequence_direct',
  ])('of the file of %s nothing is wrong', (name) => {
    const repository = join(folder, `init-${name}`);
    const { code, stderr } = conch('init', join(repository, name), '--model', `test/models/${name}/1/model.onnx`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(checked(repository)).toMatchObject({ code: 0, errors: 0, warnings: 0 });
  });

  test('copies weights that lie in other files, and makes nothing where one is missing or lies elsewhere', async () => {
    const beside = join(folder, 'exported');
    await mkdir(join(beside, 'deep'), { recursive: true });
    const file = (location: string) =>
      model({
        inputs: [tensorValue('x', onnx.FLOAT, ['N', 2])],
        outputs: [tensorValue('y', onnx.FLOAT, ['N', 2])],
        initializers: [tensor('w', onnx.FLOAT, [2], external(location, 8))],
        nodes: [node('Add', ['x', 'w'], ['y'])],
      });
    await writeFile(join(beside, 'm.onnx'), file('deep/w.bin'));
    const init = (name: string) => conch('init', join(folder, 'weights', name), '--model', join(beside, 'm.onnx'));
    expect(init('missing').stderr).toContain("weights in 'deep/w.bin' beside it, which cannot be read (ENOENT)");
    await writeFile(join(beside, 'deep', 'w.bin'), new Uint8Array(8));
    expect(init('whole').code).toBe(0);
    expect((await readdir(join(folder, 'weights', 'whole', '1'))).sort()).toEqual(['deep', 'model.onnx']);
    await writeFile(join(beside, 'm.onnx'), file('../w.bin'));
    expect(init('outside').stderr).toContain('expected a file in its own folder');
    expect(await readdir(join(folder, 'weights'))).toEqual(['whole']);
  });

  test.each([
    [['--model', '/nowhere.onnx'], /\/nowhere\.onnx cannot be read \(ENOENT\)/],
    [['--model', 'package.json'], /Protobuf parsing failed/],
    [['--model', 'test/models/auto_nobatch/1/model.onnx', '--max-batch-size=4'], /cannot batch/],
    [[], /expected one of the options '--model <file>' and '--javascript'/],
    [['--javascript', '--model', 'm.onnx'], /expected one of the options/],
  ])('%j ends with 2, and nothing is made', async (args, expected) => {
    const directory = join(folder, 'nothing', 'm');
    const { code, stderr } = conch('init', directory, ...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(expected);
    expect(await readdir(join(folder, 'nothing')).catch(() => [])).toEqual([]);
  });
});
