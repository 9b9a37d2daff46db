import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { memoryUsed, metric } from './metrics.js';
import { ask, askJson, get, infer, oneNumber, outputsOf, post, simpleInputs, simpleOutputs } from './requests.js';
import { askStep } from './sequence-steps.js';
import { ServerProcess } from './server.js';
import { until } from './until.js';

const mortalWorkers = fileURLToPath(new URL('mortal-workers.mjs', import.meta.url));

const input = (name: string, type: string, dims: string, data: string) =>
  `inputs { key: "${name}" value { data_type: TYPE_${type} dims: [ ${dims} ] ${data} } }`;
const random = 'random_data: true';
const zero = 'zero_data: true';
const file = (name: string) => `input_data_file: "${name}"`;
const sample = (name: string, text: string) => `model_warmup { name: "${name}" ${text} }\n`;
const more =
  (...texts: string[]) =>
  (config: string) =>
    [config, ...texts].join('\n');
const oneInstance = 'instance_group [ { count: 1 kind: KIND_CPU } ]';
const sums = (data: string) => `${input('INPUT0', 'INT32', '16', data)} ${input('INPUT1', 'INT32', '16', data)}`;
const number = (data: string) => input('INPUT0', 'FP32', '1', data);
const texts = (data: string) => `${input('INPUT0', 'STRING', '16', data)} ${input('INPUT1', 'STRING', '16', data)}`;
const step = input('INPUT', 'INT32', '1', zero);
const int64 = (value: bigint) => new Uint8Array(BigInt64Array.of(value).buffer);
const int32 = (value: number) => new Uint8Array(Int32Array.of(value).buffer);
const strings = (text: string, count: number) =>
  Buffer.concat(
    Array.from({ length: count }, () => Buffer.concat([Buffer.from([text.length, 0, 0, 0]), Buffer.from(text)])),
  );

/** Of `state_fails`, whose INPUT must be from 0 to 9: here INPUT is a state, and STATE is sent. */
const inputIsState = (config: string) =>
  config
    .replace('"INPUT"', '"sent"')
    .replace('input_name: "STATE"', 'input_name: "INPUT"')
    .replace('"sent"', '"STATE"');

/** Of the same, INPUT is the id of the sequence. */
const inputIsId = (config: string) =>
  config
    .replace('"INPUT"', '"STATE"')
    .replace(
      /state \{.*\}\n/,
      'control_input { name: "INPUT" control { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_INT32 } }\n',
    );

const statisticsOf = async (server: ServerProcess, model: string) =>
  (await askJson(server.httpPort, get(`/v2/models/${model}/stats`))).model_stats[0];

/** Why each model is not served; '' = it is. */
async function reasonsOf(server: ServerProcess): Promise<Record<string, string>> {
  const index = (await askJson(server.httpPort, post('/v2/repository/index', ''))) as {
    name: string;
    reason?: string;
  }[];
  return Object.fromEntries(index.map(({ name, reason }) => [name, reason ?? '']));
}

describe('models that warm up', () => {
  let server: ServerProcess;

  beforeAll(async () => {
    server = await ServerProcess.start({
      models: [
        'simple',
        'simple_string',
        'identity_nobatch',
        'optional_input',
        'sequence_direct',
        'sequence_string',
        'slow',
      ],
      copies: {
        state: 'state_direct',
        text_state: 'state_string',
        state_given: 'state_fails',
        id_given: 'state_fails',
      },
      edits: {
        simple: more(
          sample('eight', `batch_size: 8 count: 2 ${sums(random)}`),
          sample('none', `batch_size: 0 ${sums(random)}`),
          sample('one', `batch_size: 1 count: 1 ${sums(zero)}`),
          'instance_group [ { name: "first" count: 2 kind: KIND_CPU }, { name: "idle" kind: KIND_CPU passive: true } ]',
        ),
        simple_string: more(sample('sevens', `batch_size: 3 ${texts(file('sevens'))}`), oneInstance),
        identity_nobatch: more(
          sample('five', `batch_size: 5 count: 3 ${input('INPUT0', 'FP32', '3, 2', random)}`),
          oneInstance,
        ),
        optional_input: more(sample('least', `batch_size: 1 ${input('x', 'FP32', '3', random)}`)),
        sequence_direct: more(sample('two', `batch_size: 2 ${step} ${input('START', 'INT32', '1, 1', zero)}`)),
        sequence_string: more(sample('three', `batch_size: 2 ${input('INPUT', 'INT32', '3', zero)}`)),
        slow: more(sample('slow', `batch_size: 1 ${number(zero)}`)),
        state: more(
          sample(
            'given',
            `batch_size: 3 ${step} ${input('STATE', 'INT32', '1, 2', random)} ${input('READY', 'INT32', '1, 1', zero)}`,
          ),
          sample('begins', `batch_size: 1 count: 2 ${step}`),
        ),
        text_state: more(
          sample('given', `batch_size: 2 ${step} ${input('STATE', 'STRING', '1, 1', file('a'))}`),
          sample('begins', `batch_size: 2 ${step}`),
        ),
        state_given: (config) =>
          inputIsState(config) +
          sample(
            's',
            `batch_size: 2 ${input('STATE', 'INT32', '1', random)} ${input('INPUT', 'INT32', '1, 1', file('nine'))}`,
          ),
        id_given: (config) =>
          inputIsId(config) +
          sample(
            's',
            `batch_size: 2 ${input('STATE', 'INT32', '1', random)} ${input('INPUT', 'INT32', '1, 1', file('nine'))}`,
          ),
      },
      files: {
        'simple_string/warmup/sevens': strings('7', 16),
        'text_state/warmup/a': strings('a', 1),
        'state_given/warmup/nine': int32(9),
        'id_given/warmup/nine': int32(9),
      },
    });
  });

  afterAll(() => server.stop());

  test('are ready afterwards, and the log says how long each sample took on each instance', () => {
    const { output } = server.main;
    const runs = [...output.matchAll(/instance '(\w+)' of model 'simple' ran warmup sample '(\w+)' in \d+\.\d ms/g)];
    expect(runs.map(([, instance, name]) => `${instance} ${name}`).sort()).toEqual([
      'first_0 eight',
      'first_0 one',
      'first_1 eight',
      'first_1 one',
    ]);
    const loaded = output.indexOf("successfully loaded 'simple' version 1");
    for (const { index } of runs) expect(index).toBeLessThan(loaded);
    expect(output).not.toMatch(/failed|has no effect/);
  });

  test('have counted their warm-up, in statistics and in metrics', async () => {
    const { warmup_stats, inference_stats, batch_stats, ...counts } = await statisticsOf(server, 'simple');
    const [requests, executions] = [2 * (2 * 8 + 1), 2 * (2 + 1)];
    expect(counts).toMatchObject({ inference_count: requests, execution_count: executions });
    expect(counts.last_inference).toBeGreaterThan(0);
    for (const part of ['success', 'queue', 'compute_input', 'compute_infer', 'compute_output'])
      expect(inference_stats[part].count).toBe(requests);
    expect(inference_stats.fail.count).toBe(0);
    expect(batch_stats).toMatchObject([
      { batch_size: 1, compute_infer: { count: 2 } },
      { batch_size: 8, compute_infer: { count: 4 } },
    ]);
    expect(warmup_stats.length).toBe(4);
    for (const { instance, sample, count, ns } of warmup_stats) {
      expect(instance).toMatch(/^first_[01]$/);
      expect(count).toBe(sample === 'eight' ? 2 : 1);
      expect(ns).toBeGreaterThan(0);
    }
    const labels = { model: 'simple', version: '1' };
    expect(await metric(server, 'nv_inference_request_success', labels)).toBe(requests);
    expect(await metric(server, 'nv_inference_count', labels)).toBe(requests);
    expect(await metric(server, 'nv_inference_exec_count', labels)).toBe(executions);
    expect(await metric(server, 'nv_inference_queue_duration_us', labels)).toBeGreaterThan(0);
  });

  test.each([
    ['identity_nobatch', 3, 3],
    ['simple_string', 3, 1],
    ['sequence_direct', 2, 1],
    ['sequence_string', 2, 1],
    ['state', 5, 3],
    ['text_state', 4, 2],
    ['state_given', 2, 1],
    ['id_given', 2, 1],
  ])('%s ran %i requests in %i executions', async (model, requests, executions) => {
    expect(await statisticsOf(server, model)).toMatchObject({
      inference_count: requests,
      execution_count: executions,
      inference_stats: { success: { count: requests }, queue: { count: requests } },
    });
  });

  test('hold no memory for it, and serve as any other', async () => {
    expect(await memoryUsed(server)).toBe(0);
    const answer = await ask(server.httpPort, infer('simple', simpleInputs(1)));
    expect(outputsOf(answer)).toEqual(simpleOutputs(1));
  });

  test('leave no state behind', async () => {
    const first = outputsOf(await askStep(server, 'state', 1, { flags: 's', inputs: [5] }));
    expect(first).toMatchObject({ OUTPUT: [5, 1], READY_ROWS: [1] });
    expect(outputsOf(await askStep(server, 'state', 1, { inputs: [2] })).OUTPUT).toEqual([7, 2]);
    expect(outputsOf(await askStep(server, 'text_state', 1, { flags: 's', inputs: [5] })).OUTPUT).toEqual(['->5']);
  });
});

test('a model whose sample fails or does not fit is not served, and the index says why', async () => {
  const gather = (data: string) => sample('s', `batch_size: 2 ${input('INPUT0', 'INT64', '1', data)}`);
  const state = (data: string) =>
    sample('s', `batch_size: 1 ${input('STATE', 'INT32', '1', zero)} ${input('INPUT', 'INT32', '1, 1', data)}`);
  const server = await ServerProcess.start({
    models: [],
    flags: ['--exit-on-error=false'],
    copies: {
      good: 'fails_at_run',
      bad_file: 'fails_at_run',
      bad_random: 'fails_at_run',
      short_file: 'fails_at_run',
      no_file: 'fails_at_run',
      outside: 'fails_at_run',
      bad_state: 'state_fails',
      bad_id: 'state_fails',
      misfit: 'fails_at_run',
    },
    edits: {
      good: more(gather(file('x'))),
      bad_file: more(gather(zero), gather(file('x')).replace('"s"', '"second"')),
      bad_random: more(gather(random)),
      short_file: more(gather(file('x'))),
      no_file: more(gather(file('x'))),
      outside: more(gather(file('../config.pbtxt'))),
      bad_state: (config) => inputIsState(config) + state(file('x')),
      bad_id: (config) => inputIsId(config) + state(file('x')),
      misfit: more(sample('s', `batch_size: 5 ${input('INPUT0', 'INT64', '1', zero)}`)),
    },
    files: {
      'good/warmup/x': int64(9n),
      'bad_file/warmup/x': int64(10n),
      'short_file/warmup/x': int32(1),
      'bad_state/warmup/x': int32(10),
      'bad_id/warmup/x': int32(10),
    },
  });
  const ran = (name: string) =>
    expect.stringMatching(
      new RegExp(`^Invalid argument: failed to run warmup sample '${name}': .*Gather node.*; $`, 's'),
    );
  expect(await reasonsOf(server)).toEqual({
    good: '',
    bad_file: ran('second'),
    bad_random: ran('s'),
    bad_state: ran('s'),
    bad_id: ran('s'),
    short_file:
      'Invalid argument: [request id: s] warmup setting expects 8 bytes, but the data provided from fileonly has 4 bytes',
    no_file: expect.stringMatching(
      /^Invalid argument: \[request id: s\] warmup data 'x' of input 'INPUT0': \S+ cannot be read \(ENOENT\)$/,
    ),
    outside: expect.stringMatching(/of input 'INPUT0': expected a file in \S+\/warmup, found '..\/config.pbtxt'$/),
    misfit: "Invalid argument: failed to run warmup sample 's': batch size 5 for 'misfit', max allowed is 4; ",
  });
  expect((await ask(server.httpPort, get('/v2/models/bad_file/ready'))).status).not.toBe(200);
  expect(await memoryUsed(server)).toBe(0);
  await server.stop();
});

test('a model in JavaScript that fails a request of its warm-up is not served', async () => {
  const config = Buffer.from(`backend: "javascript" max_batch_size: 4
    input { name: "N" data_type: TYPE_INT32 dims: [ 1 ] } output { name: "M" data_type: TYPE_INT32 dims: [ 1 ] }
    ${sample('s', `batch_size: 2 ${input('N', 'INT32', '1', zero)}`)}`);
  const code = (body: string) => Buffer.from(`export async function execute({ requests }) { ${body} }`);
  const fail = "request.fail('not today', 'UNAVAILABLE')";
  const server = await ServerProcess.start({
    models: [],
    flags: ['--exit-on-error=false'],
    files: {
      'all/config.pbtxt': config,
      'all/1/model.mjs': code(`for (const request of requests) ${fail};`),
      'second/config.pbtxt': config,
      'second/1/model.mjs': code(`const [first, request] = requests; first.output('M', [1, 1]); ${fail};`),
    },
  });
  const text = "Invalid argument: failed to run warmup sample 's': not today; ";
  expect(await reasonsOf(server)).toEqual({ all: text, second: text });
  expect(await memoryUsed(server)).toBe(0);
  await server.stop();
});

test('a model whose worker dies of its warm-up is not served, and not tried again', async () => {
  const server = await ServerProcess.start({
    models: ['slow'],
    flags: ['--exit-on-error=false'],
    edits: { slow: more(sample('s', `batch_size: 1 ${number(zero)}`)) },
    nodeFlags: ['--import', `${pathToFileURL(mortalWorkers)}?dooms=1`],
  });
  expect((await reasonsOf(server)).slow).toMatch(
    /^Invalid argument: failed to run warmup sample 's': instance 'slow_0_0' of model 'slow' died while it ran this request: [^;]+; $/,
  );
  expect(server.main.output).not.toMatch(/restart/);
  expect(await memoryUsed(server)).toBe(0);
  await server.stop();
});

test('a server that is stopped while a model warms up ends well, after what runs', async () => {
  const samples =
    sample('once', `batch_size: 1 ${number(zero)}`) +
    sample('endless', `batch_size: 1 count: 4000000000 ${number(zero)}`);
  const main = await ServerProcess.launch({ models: ['slow'], edits: { slow: more(samples) } });
  await main.printed(/ran warmup sample 'once'/);
  main.child.kill('SIGTERM');
  expect(await main.exit).toBe(0);
  expect(main.output).not.toMatch(/Ready at|failed|ran warmup sample 'endless'/);
});

describe('an instance that died', () => {
  let server: ServerProcess;

  afterEach(async () => {
    if (!server.main.hasEnded) await server.stop();
  });

  async function start(text: string): Promise<void> {
    const nodeFlags = ['--import', mortalWorkers];
    server = await ServerProcess.start({ models: ['slow'], edits: { slow: more(text) }, nodeFlags });
  }

  /** The next `count` batches kill their workers. */
  async function doom(count: number): Promise<void> {
    const dooms = () => server.main.stdout.match(/^doomed$/gm)?.length ?? 0;
    for (let nth = 1; nth <= count; nth++) {
      const before = dooms();
      server.signal('SIGUSR2');
      await until('a batch is doomed', () => dooms() > before);
    }
  }

  const askOne = () => ask(server.httpPort, infer('slow', oneNumber(1)));
  const isReady = async () => (await ask(server.httpPort, get('/v2/models/slow/ready'))).status === 200;
  const warmups = () => server.main.output.match(/ran warmup sample 's'/g)?.length ?? 0;

  test('is warmed up before it takes work again; the model is not ready until then', async () => {
    const executions = 4;
    await start(sample('s', `batch_size: 1 count: ${executions} ${number(zero)}`));
    await doom(1);
    expect((await askOne()).status).toBe(500);
    const waiting = askOne();
    for (let ready = false; !ready; ) {
      ready = await isReady();
      const { execution_count } = await statisticsOf(server, 'slow');
      if (execution_count < 2 * executions) expect(ready).toBe(false);
    }
    expect(warmups()).toBe(2);
    expect(outputsOf(await waiting)).toEqual({ OUTPUT0: [1] });
    const { inference_stats, warmup_stats } = await statisticsOf(server, 'slow');
    expect(inference_stats).toMatchObject({ success: { count: 2 * executions + 1 }, fail: { count: 1 } });
    expect(warmup_stats).toMatchObject([{ instance: 'slow_0_0', sample: 's', count: executions }]);
  });

  test('and dies again in its warm-up did not restart, and is tried again later', async () => {
    await start(sample('s', `batch_size: 1 ${number(zero)}`));
    await doom(2);
    expect((await askOne()).status).toBe(500);
    const failed = await server.main.printed(/'slow_0_0' of model 'slow' did not restart: (.*)\n/);
    expect(failed[1]).toMatch(
      /Invalid argument: failed to run warmup sample 's': instance 'slow_0_0' of model 'slow' died while it ran this request: [^;]+; /,
    );
    await server.main.printed(/restarts in 200 ms/);
    await until('the model is ready', isReady);
    expect(warmups()).toBe(2);
    expect(outputsOf(await askOne())).toEqual({ OUTPUT0: [1] });
  });

  test('and warms up again ends with the server', async () => {
    await start(sample('s', `batch_size: 1 count: 4 ${number(zero)}`));
    await doom(1);
    expect((await askOne()).status).toBe(500);
    await until('it warms up', async () => (await statisticsOf(server, 'slow')).execution_count > 4);
    await server.stop();
    expect(server.main.output).not.toMatch(/is back|did not restart/);
  });
});
