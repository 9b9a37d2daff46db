import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { briefly, load, putFile, statesOf, unload } from './control.js';
import { ask, askJson, get, infer, outputsOf } from './requests.js';
import { askStep } from './sequence-steps.js';
import { ServerProcess } from './server.js';

const config = (more = '') => `backend: "javascript"
max_batch_size: 4
input [ { name: "INPUT0" data_type: TYPE_INT32 dims: [ 1 ] } ]
output [ { name: "OUTPUT0" data_type: TYPE_INT32 dims: [ 1 ] } ]
${more}`;

const answers = `export function execute({ requests }) {
  for (const request of requests) request.output('OUTPUT0', [request.rows, 1], request.input('INPUT0').data);
}`;

describe('loading models written in JavaScript', () => {
  let server: ServerProcess;

  beforeAll(async () => {
    server = await ServerProcess.start({ models: [], flags: ['--model-control-mode=explicit'] });
  });

  afterAll(() => server.stop());

  /** Loads a model of these files: '200', or the reason. */
  async function loads(files: Readonly<Record<string, string>>): Promise<string> {
    await unload(server, 'tried');
    for (const [path, text] of Object.entries({ 'config.pbtxt': config(), '1/model.js': answers, ...files })) {
      await putFile(server, `tried/${path}`, text);
    }
    return briefly(await load(server, 'tried'));
  }

  const parameter = (key: string, value: string) =>
    config(`parameters { key: "${key}" value { string_value: "${value}" } }`);

  test.each([
    [
      'no execute',
      { '1/model.js': 'export const other = 1;' },
      /model\.js must export a function 'execute', found nothing of that name/,
    ],
    [
      'execute is none',
      { '1/model.js': 'export const execute = 5;' },
      /must export a function 'execute', found number/,
    ],
    [
      'finalize is none',
      { '1/model.js': `${answers} export const finalize = {};` },
      /must export a function 'finalize', found object/,
    ],
    ['a syntax error', { '1/model.js': 'export function execute( {' }, /model\.js cannot be loaded: .*SyntaxError/s],
    [
      'a missing package',
      { '1/model.js': `import 'no-such-package'; ${answers}` },
      /cannot be loaded: .*no-such-package/s,
    ],
    ['it throws', { '1/model.js': `throw new Error('not today'); ${answers}` }, /cannot be loaded: Error: not today/],
    ['it ends its thread', { '1/model.js': `process.exit(4); ${answers}` }, /worker exited with code: 4/],
    [
      'initialize throws',
      { '1/model.js': `${answers} export async function initialize() { throw new Error('no weights'); }` },
      /initialize\(\) failed: no weights/,
    ],
    [
      'initialize never ends',
      {
        'config.pbtxt': parameter('initialize_timeout_secs', '1'),
        '1/model.js': `${answers} export const initialize = () => new Promise(() => {});`,
      },
      /was not ready within 1 s/,
    ],
    [
      'initialize never returns',
      {
        'config.pbtxt': parameter('initialize_timeout_secs', '1'),
        '1/model.js': `${answers} export function initialize() { for (;;); }`,
      },
      /was not ready within 1 s/,
    ],
    [
      'a bad limit',
      { 'config.pbtxt': parameter('max_old_generation_mb', 'lots') },
      /'max_old_generation_mb' of model 'tried': expected a whole number from 1 on, found 'lots'/,
    ],
    [
      'states',
      {
        'config.pbtxt': config(
          'sequence_batching { state { input_name: "S" output_name: "T" data_type: TYPE_INT32 dims: 1 } }',
        ),
      },
      /sequence_batching\.state of model 'tried': a model written in JavaScript keeps the state/,
    ],
    [
      'batch inputs',
      {
        'config.pbtxt': config(
          'batch_input { kind: BATCH_ELEMENT_COUNT target_name: "N" data_type: TYPE_INT32 source_input: "INPUT0" }',
        ),
      },
      /batch_input and batch_output of model 'tried': the code of a model written in JavaScript/,
    ],
    ['no outputs', { 'config.pbtxt': 'backend: "javascript"' }, /model 'tried' has no output: .*export configure\(\)/],
    [
      'configure returns nonsense',
      { '1/model.js': `${answers} export const configure = () => [1];` },
      /configure\(\) must return an object of configuration fields, found \[1\]/,
    ],
    [
      'configure returns a wrong field',
      { '1/model.js': `${answers} export const configure = () => ({ max_batch_sizes: 1 });` },
      /ModelConfig has no field 'max_batch_sizes'; did you mean 'max_batch_size'\?/,
    ],
    [
      'configure returns another name',
      { '1/model.js': `${answers} export const configure = () => ({ name: 'other' });` },
      /configure\(\) of model 'tried' must leave 'name' as it is/,
    ],
    [
      'configure throws',
      { '1/model.js': `${answers} export function configure() { throw new Error('undecided'); }` },
      /configure\(\) failed: Error: undecided/,
    ],
    [
      'configure breaks a rule',
      { '1/model.js': `${answers} export const configure = () => ({ max_batch_size: -2 });` },
      /'max_batch_size' must be non-negative value for tried/,
    ],
  ])('a model does not load: %s', async (_, files, reason) => {
    expect(await loads(files)).toMatch(reason);
  });

  test.skipIf('typescript' in process.features)('TypeScript needs a Node that runs it', async () => {
    await unload(server, 'typed');
    await putFile(server, 'typed/config.pbtxt', config());
    await putFile(server, 'typed/1/model.ts', answers);
    expect(briefly(await load(server, 'typed'))).toMatch(
      /model 'typed' is written in TypeScript \(model\.ts\), which Node 2\d\.\d+\.\d+ does not run; use Node 22\.18 or later/,
    );
  });

  test('a model loads after all that did not, and so does CommonJS', async () => {
    const common = answers.replace('export function execute', 'module.exports.execute = function');
    for (const source of [answers, common]) {
      expect(await loads({ '1/model.js': source })).toBe('200');
      expect(await statesOf(server, 'tried')).toEqual(['1 READY']);
      const answer = await ask(
        server.httpPort,
        infer('tried', [{ name: 'INPUT0', datatype: 'INT32', shape: [2, 1], data: [4, 5] }]),
      );
      expect(outputsOf(answer)).toEqual({ OUTPUT0: [4, 5] });
    }
  });

  test('a server that stops does not wait for a model that never loads', async () => {
    const source = `${answers} export function initialize({ log }) { log.info('begins'); return new Promise(() => {}); }`;
    const files = { 'slow/config.pbtxt': Buffer.from(config()), 'slow/1/model.js': Buffer.from(source) };
    const main = await ServerProcess.launch({ models: [], files });
    await main.printed(/instance 'slow_0': begins/);
    main.child.kill('SIGTERM');
    expect(await main.exit).toBe(0);
  });

  test('configure sees what is written, and fills in the rest', async () => {
    const files = {
      'config.pbtxt': 'max_batch_size: 2 parameters { key: "size" value { string_value: "3" } }',
      '1/model.mjs': `${answers}
        export function configure(config) {
          const tensor = { data_type: 'TYPE_INT32', dims: [Number(config.parameters.size.string_value)] };
          return {
            ...config,
            max_batch_size: config.max_batch_size + 1,
            input: [{ ...tensor, name: 'INPUT0' }],
            output: [{ ...tensor, name: 'OUTPUT0' }],
            dynamic_batching: { max_queue_delay_microseconds: 50 },
          };
        }`,
    };
    for (const [path, text] of Object.entries(files)) await putFile(server, `told/${path}`, text);
    expect(briefly(await load(server, 'told'))).toBe('200');
    const told = await askJson(server.httpPort, get('/v2/models/told/config'));
    expect(told).toMatchObject({
      max_batch_size: 3,
      default_model_filename: 'model.mjs',
      input: [{ name: 'INPUT0', dims: [3] }],
      dynamic_batching: { max_queue_delay_microseconds: 50, preferred_batch_size: [3] },
    });
  });

  test('warm-up runs it before it serves, several instances run side by side', async () => {
    const text = config(`instance_group [ { count: 2 kind: KIND_CPU } ]
      model_warmup [ { name: "first" batch_size: 3 inputs { key: "INPUT0" value { data_type: TYPE_INT32 dims: 1 zero_data: true } } } ]`);
    const source = `let log; export const initialize = (context) => { log = context.log; };
      ${answers.replace('{ requests }', 'batch').replace('{', '{ const { requests } = batch; log.warning("ran " + batch.rows);')}`;
    expect(await loads({ 'config.pbtxt': text, '1/model.js': source })).toBe('200');
    for (const instance of ['tried_0_0', 'tried_0_1']) {
      expect(server.main.output).toContain(`model 'tried', instance '${instance}': ran 3`);
      expect(server.main.output).toContain(`instance '${instance}' of model 'tried' ran warmup sample 'first'`);
    }
  });

  test.each(['direct', 'oldest'])('sequences (%s): controls are inputs, flags are told', async (strategy) => {
    const control = (name: string, kind: string, values: string) =>
      `{ name: "${name}" control [ { kind: ${kind} ${values} } ] }`;
    const text = `backend: "javascript"
      max_batch_size: 4
      input [ { name: "INPUT" data_type: TYPE_INT32 dims: [ 1 ] } ]
      output [ { name: "OUTPUT" data_type: TYPE_STRING dims: [ 1 ] } ]
      sequence_batching { ${strategy} {} control_input [
        ${control('READY', 'CONTROL_SEQUENCE_READY', 'int32_false_true: [ 0, 1 ]')},
        ${control('ID', 'CONTROL_SEQUENCE_CORRID', 'data_type: TYPE_UINT64')} ] }`;
    const source = `const sums = new Map();
      export function execute({ requests }) {
        for (const request of requests) {
          if (request.input('READY').data[0] === 0) { request.output('OUTPUT', [1, 1], ['']); continue; }
          const id = request.input('ID').data[0];
          const sum = (request.sequenceStart ? 0 : sums.get(id)) + request.input('INPUT').data[0];
          sums.set(id, sum);
          const text = \`\${id} \${request.sequenceId} \${request.sequenceStart} \${request.sequenceEnd} \${sum}\`;
          request.output('OUTPUT', [1, 1], [text]);
        }
      }`;
    expect(await loads({ 'config.pbtxt': text, '1/model.js': source })).toBe('200');
    const said: unknown[] = [];
    for (const [id, flags] of [
      [5, 's'],
      [9007199254740993n, 's'],
      [5, ''],
      [5, 'e'],
      [9007199254740993n, 'e'],
    ] as const) {
      said.push(outputsOf(await askStep(server, 'tried', id, { flags, inputs: [3] })).OUTPUT![0]);
    }
    expect(said).toEqual([
      '5 5 true false 3',
      '9007199254740993 9007199254740993 true false 3',
      '5 5 false false 6',
      '5 5 false true 9',
      '9007199254740993 9007199254740993 false true 6',
    ]);
  });
});
