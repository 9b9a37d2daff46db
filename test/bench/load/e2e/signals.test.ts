import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { askJson, get } from '../../../e2e/requests.js';
import { MainProcess, makeRepository, ServerProcess } from '../../../e2e/server.js';
import { until } from '../../../e2e/until.js';

let server: ServerProcess;

beforeAll(async () => {
  server = await ServerProcess.start({ models: ['simple'], flags: ['--allow-client-shm=true'] });
});

afterAll(() => server.stop());

async function requestsSoFar(): Promise<number> {
  const { model_stats } = await askJson(server.httpPort, get('/v2/models/simple/stats'));
  return (model_stats as { inference_stats: { success: { count: number } } }[])[0]!.inference_stats.success.count;
}

const regionsOf = (pid: number) => readdirSync('/dev/shm').filter((name) => name.startsWith(`conch-bench-${pid}-`));

// Two signals of one kind that come at the same time are one; of two kinds either may come first.
test.each<[NodeJS.Signals[], number[]]>([
  [['SIGINT'], [0]],
  [['SIGTERM'], [0]],
  [['SIGHUP'], [0]],
  [
    ['SIGINT', 'SIGTERM'],
    [130, 143],
  ],
  [
    ['SIGHUP', 'SIGINT'],
    [129, 130],
  ],
])('%j in the middle of a run leaves no shared memory behind, and ends with one of %j', async (signals, expected) => {
  const before = await requestsSoFar();
  const run = ['--shared-memory', 'system', '--request-count', '1000000000', '--warmup-interval', '0'];
  const main = new MainProcess(['bench', '-m', 'simple', '-u', `127.0.0.1:${server.httpPort}`, ...run]);
  await until('it is measuring', async () => (await requestsSoFar()) > before);
  expect(regionsOf(main.child.pid!)).toHaveLength(2);
  for (const signal of signals) main.child.kill(signal);
  expect(expected).toContain(await main.exit);
  expect(main.stdout.includes('cut short')).toBe(signals.length === 1);
  expect(regionsOf(main.child.pid!)).toEqual([]);
});

test('Ctrl-C while models load in this process does not wait for them', async () => {
  const repository = await makeRepository(['simple']);
  const model = join(repository, 'endless');
  const begun = join(repository, 'begun');
  mkdirSync(join(model, '1'), { recursive: true });
  const output = 'output [ { name: "OUT" data_type: TYPE_INT32 dims: [ 1 ] } ]';
  writeFileSync(join(model, 'config.pbtxt'), `name: "endless"\nbackend: "javascript"\n${output}\n`);
  const code = `import { writeFileSync } from 'node:fs';
writeFileSync(${JSON.stringify(begun)}, '');
await new Promise(() => setInterval(() => {}, 1000));
export function execute() {}
`;
  writeFileSync(join(model, '1', 'model.js'), code);
  const where = ['--service-kind', 'in_process', '--model-repository', repository, '--load-model', 'endless'];
  const main = new MainProcess(['bench', '-m', 'simple', ...where]);
  await until('the model is being loaded', async () => existsSync(begun));
  main.child.kill('SIGINT');
  expect(await main.exit).toBe(130);
  expect(main.output).toBe('conch bench: interrupted, nothing was measured\n');
  rmSync(repository, { recursive: true });
});
