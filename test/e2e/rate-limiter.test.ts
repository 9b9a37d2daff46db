import { afterEach, describe, expect, test } from 'vitest';
import { RawClient } from '../protocols/http/raw-client.js';
import { briefly, countOf, isReady, load, plusFiles, statesOf, successesOf, unload } from './control.js';
import { ensembleFiles } from './ensembles.js';
import { memoryUsed, metric, scrape } from './metrics.js';
import { ask, bytesOf, type HttpRequest, infer, oneNumber, outputsOf, post } from './requests.js';
import { askStep, errorOf } from './sequence-steps.js';
import { ServerProcess, type ServerSettings } from './server.js';
import { until } from './until.js';

const ON = '--rate-limit=execution_count';

/** `R 1`: that much of the resource R; `R 1 global`: once for all devices. */
const needs = (text: string, priority = 0) => {
  const resources = text.split(', ').map((one) => {
    const [name, count, global] = one.split(' ');
    return `{ name: "${name}" count: ${count} global: ${global !== undefined} }`;
  });
  return `rate_limiter { resources [ ${resources.join(', ')} ] priority: ${priority} }`;
};

/** Gives the instances of a model with one group of one instance these needs. */
const limited =
  (text: string, { priority = 0, count = 1, more = '' } = {}) =>
  (config: string) =>
    config.replace('count: 1 kind: KIND_CPU', `count: ${count} kind: KIND_CPU ${needs(text, priority)}`) + more;

/** The same of a model that has written no group. */
const group = (text: string) => (config: string) => `${config}\ninstance_group [ { kind: KIND_CPU ${needs(text)} } ]`;

const sequences = (strategy: string) => `
sequence_batching {
  ${strategy}
  control_input { name: "READY" control { kind: CONTROL_SEQUENCE_READY int32_false_true: [ 0, 1 ] } }
}`;

interface Span {
  readonly model: string;
  readonly begin: number;
  readonly end: number;
}

let server: ServerProcess;

async function start(settings: Omit<ServerSettings, 'models'> & { readonly models?: readonly string[] }) {
  server = await ServerProcess.start({ models: [], ...settings });
}

afterEach(async () => {
  await server.stop();
});

/** HOW as the model `timed` understands it: milliseconds, or the name of a way. */
function timed(model: string, how: string | number, parameters: object = {}): HttpRequest {
  const tensor = { name: 'HOW', datatype: 'BYTES' as const, shape: [1, 1], data: [String(how)] };
  return infer(model, [tensor], { head: { parameters } });
}

async function span(model: string, how: string | number, parameters: object = {}): Promise<Span> {
  const { BEGIN, END } = outputsOf(await ask(server.httpPort, timed(model, how, parameters)));
  return { model, begin: Number(BEGIN![0]), end: Number(END![0]) };
}

const many = (count: number, model: string, how: string | number) =>
  Array.from({ length: count }, () => span(model, how));

/** By their beginnings; those of one batch are one. */
function inOrder(spans: readonly Span[]): Span[] {
  const batches = new Map(spans.map((one) => [`${one.model} ${one.begin}`, one]));
  return [...batches.values()].sort((a, b) => a.begin - b.begin);
}

function expectNoOverlap(spans: readonly Span[]): void {
  const ordered = inOrder(spans);
  ordered.slice(1).forEach((one, nth) => {
    const before = ordered[nth]!;
    expect(one.begin, `${one.model} beside ${before.model}`).toBeGreaterThanOrEqual(before.end);
  });
}

const inUse = () => metric(server, 'conch_rate_limiter_resources_in_use', { resource: 'r' });
const waiting = () => metric(server, 'conch_rate_limiter_waiting_instances');
const untilWaiting = (count: number) => until(`${count} instances wait`, async () => (await waiting()) === count);
const pending = (model: string) => metric(server, 'nv_inference_pending_request_count', { model });

/** A request that holds what there is until `go`. */
async function hold(model = 'holder'): Promise<Promise<Span>[]> {
  const held = span(model, 'hold');
  await until('it is held', async () => (await inUse()) > 0);
  return [held];
}

/** Nothing is left of what ran and waited. */
async function expectNothingHeld(): Promise<void> {
  expect([await inUse(), await waiting()]).toEqual([0, 0]);
}

const holder = { holder: 'timed' };
const free = { free: 'timed' };

describe('one resource for several models', () => {
  test('they never run at the same time', async () => {
    const copies = { a: 'timed', b: 'timed', c: 'timed' };
    const edits = {
      a: limited('R 1'),
      b: limited('r 1', { more: 'dynamic_batching { }' }),
      c: limited('R 1', { count: 2 }),
    };
    await start({ copies, edits, flags: [ON] });
    const spans = await Promise.all(['a', 'b', 'c'].flatMap((model) => many(15, model, 3)));
    expect(inOrder(spans).length).toBeGreaterThan(30);
    expectNoOverlap(spans);
    await expectNothingHeld();
  });

  test('without the flag they do, and the log says so', async () => {
    const copies = { a: 'timed', b: 'timed' };
    await start({ copies, edits: { a: limited('R 1'), b: limited('R 1') }, flags: ['--rate-limit-resource=R:0'] });
    await Promise.all([span('a', 'meet'), span('b', 'meet')]);
    expect(server.main.output).toContain("model 'a': rate_limiter has no effect without --rate-limit=execution_count");
    expect(server.main.output).toContain('--rate-limit-resource has no effect without --rate-limit=execution_count');
    expect(await scrape(server)).not.toContain('conch_rate_limiter');
  });

  test('as many as there is enough for run at the same time; who needs nothing waits for nobody', async () => {
    const copies = { a: 'timed', b: 'timed', c: 'timed', ...holder, ...free };
    const edits = { a: limited('R 2'), b: limited('R 2'), c: limited('R 3'), holder: limited('R 3') };
    await start({ copies, edits, flags: [ON, '--rate-limit-resource=r:4'] });
    expect(server.main.output).not.toContain('has no effect');
    await Promise.all([span('a', 'meet'), span('b', 'meet')]);
    const held = await hold();
    const spans = [...many(3, 'c', 1), ...many(3, 'a', 1)];
    await untilWaiting(2);
    await span('free', 'go');
    expectNoOverlap(await Promise.all([...held, ...spans]));
    await expectNothingHeld();
  });

  test('executions go by priority', async () => {
    const copies = { a: 'timed', b: 'timed', ...holder, ...free };
    const edits = { a: limited('R 1'), b: limited('R 1', { priority: 3 }), holder: limited('R 1') };
    await start({ copies, edits, flags: [ON] });
    const held = await hold();
    const spans = [...many(40, 'b', 0), ...many(40, 'a', 0)];
    for (const model of ['a', 'b']) await until(`${model} waits`, async () => (await pending(model)) === 40);
    await span('free', 'go');
    await Promise.all(held);
    const order = inOrder(await Promise.all(spans)).map(({ model }) => model);
    // Three of one to one of the other, while both have work.
    for (let count = 4; count <= 48; count += 4) {
      const ofA = order.slice(0, count).filter((model) => model === 'a').length;
      expect(Math.abs(ofA - (count * 3) / 4), `of ${count}`).toBeLessThanOrEqual(1);
    }
    expectNoOverlap(await Promise.all(spans));
  });

  test('metrics say what there is and what is in use', async () => {
    const copies = { a: 'timed', ...holder, ...free };
    await start({ copies, edits: { a: limited('R 1, Slots 5 global'), holder: limited('R 2') }, flags: [ON] });
    const held = await hold();
    const lines = (await scrape(server)).split('\n').filter((line) => line.startsWith('conch_rate_limiter'));
    expect(lines).toEqual([
      ...['slots 5 global', 'r 2 cpu'].map(lineOf('conch_rate_limiter_resources')).sort(),
      ...['slots 0 global', 'r 2 cpu'].map(lineOf('conch_rate_limiter_resources_in_use')).sort(),
      'conch_rate_limiter_waiting_instances 0',
    ]);
    await span('free', 'go');
    await Promise.all(held);
  });
});

const lineOf = (family: string) => (text: string) => {
  const [resource, value, device] = text.split(' ');
  return `${family}{device="${device}",resource="${resource}"} ${value}`;
};

describe('what is held comes back', () => {
  test('when a client goes away that waited', async () => {
    const copies = { a: 'timed', b: 'timed', ...holder, ...free };
    await start({ copies, edits: { a: limited('R 1'), b: limited('R 1'), holder: limited('R 1') }, flags: [ON] });
    const held = await hold();
    const client = await RawClient.open(server.httpPort);
    await client.write(bytesOf(timed('a', 0)));
    await untilWaiting(1);
    client.destroy();
    await until('it is cancelled', async () => (await pending('a')) === 0);
    const waits = span('b', 0);
    await until('b waits', async () => (await pending('b')) === 1);
    await span('free', 'go');
    expectNoOverlap([...(await Promise.all(held)), await waits]);
    await expectNothingHeld();
  });

  test('when a model is unloaded that holds it, or that waits for it', async () => {
    const copies = { a: 'timed', b: 'timed', ...holder, ...free };
    await start({
      copies,
      edits: { a: limited('R 1'), b: limited('R 1'), holder: limited('R 2') },
      flags: [ON, '--model-control-mode=explicit', '--load-model=*'],
    });
    const held = await hold();
    const spans = [...many(2, 'a', 0), ...many(2, 'b', 0)];
    for (const model of ['a', 'b']) await until(`${model} waits`, async () => (await pending(model)) > 0);
    expect(briefly(await unload(server, 'holder'))).toBe('200');
    expect(briefly(await unload(server, 'a'))).toBe('200');
    expect(await metric(server, 'conch_rate_limiter_resources')).toBe(2);
    await span('free', 'go');
    const [first, ...others] = await Promise.all([...held, ...spans]);
    for (const { begin } of others) expect(begin).toBeGreaterThanOrEqual(first!.end);
    await until('both are gone', async () =>
      (await Promise.all(['holder', 'a'].map((model) => statesOf(server, model)))).every(
        ([state]) => state === '1 UNAVAILABLE: unloaded',
      ),
    );
    // Nobody asks for two of it any more.
    expect(await metric(server, 'conch_rate_limiter_resources')).toBe(1);
    await expectNothingHeld();
    expect(briefly(await load(server, 'holder'))).toBe('200');
    expect(await metric(server, 'conch_rate_limiter_resources')).toBe(2);
    await span('b', 0);
  });

  test('when the worker dies that holds it', async () => {
    const copies = { a: 'timed', b: 'timed' };
    await start({ copies, edits: { a: limited('R 1'), b: limited('R 1') }, flags: [ON] });
    for (let round = 0; round < 3; round++) {
      const [dying, ...spans] = [ask(server.httpPort, timed('a', 'exit')), ...many(3, 'b', 1), ...many(2, 'a', 1)];
      expect(errorOf(await dying)).toMatch(/^500 .*instance 'a_0_0' of model 'a' died while it ran/);
      expectNoOverlap(await Promise.all(spans));
      await until('it is back', () => isReady(server, 'a'));
    }
    await expectNothingHeld();
  });

  test('when the configuration of a model that serves is changed', async () => {
    const copies = { a: 'timed', ...holder, ...free };
    const flags = [ON, '--model-control-mode=explicit', '--load-model=*'];
    await start({ copies, edits: { a: limited('R 1'), holder: limited('R 1') }, flags });
    const held = await hold();
    const waits = span('a', 0);
    await untilWaiting(1);
    const config = (rateLimiter: object) => ({
      config: JSON.stringify({
        backend: 'javascript',
        max_batch_size: 4,
        input: [{ name: 'HOW', data_type: 'TYPE_STRING', dims: [1] }],
        output: ['BEGIN', 'END'].map((name) => ({ name, data_type: 'TYPE_INT64', dims: [1] })),
        instance_group: [{ count: 1, kind: 'KIND_CPU', rate_limiter: rateLimiter }],
      }),
    });
    // It needs nothing any more, and its new instance serves what waited.
    expect(briefly(await load(server, 'a', config({ priority: 1 })))).toBe('200');
    await waits;
    expect(briefly(await load(server, 'a', config({ resources: [{ name: 'R', count: 7 }] })))).toBe('200');
    expect(await metric(server, 'conch_rate_limiter_resources')).toBe(7);
    expect(briefly(await load(server, 'a', config({ resources: [{ name: 'R', count: 1, global: true }] })))).toContain(
      'Resource "R" is present as both global and device-specific resource in the model configuration.',
    );
    expect(await metric(server, 'conch_rate_limiter_resources')).toBe(7);
    const last = span('a', 0);
    await untilWaiting(1);
    await span('free', 'go');
    expectNoOverlap([...(await Promise.all(held)), await last]);
    await expectNothingHeld();
  });
});

describe('what cannot run does not load', () => {
  test('more than there is', async () => {
    const copies = { a: 'timed', b: 'timed' };
    const edits = { a: limited('R 2'), b: limited('R 1') };
    await start({
      copies,
      edits,
      flags: [ON, '--rate-limit-resource=R:1', '--exit-on-error=false', '--strict-readiness=false'],
    });
    expect(await statesOf(server, 'a')).toEqual([
      '1 UNAVAILABLE: Invalid argument: Resource count for "R" is limited to 1 which will prevent scheduling of one or more model instances, the minimum required count is 2',
    ]);
    await span('b', 0);
    await expectNothingHeld();
  });

  test('what is global here and not there', async () => {
    const copies = { a: 'timed' };
    const edits = { a: limited('R 1, r 1 global') };
    await start({ copies, edits, flags: [ON, '--exit-on-error=false', '--strict-readiness=false'] });
    expect(await statesOf(server, 'a')).toEqual([
      '1 UNAVAILABLE: Invalid argument: Resource "r" is present as both global and device-specific resource in the model configuration.',
    ]);
  });

  test('a GPU that is not there is named', async () => {
    await start({ models: ['simple'], flags: [ON, '--rate-limit-resource=R:1:61'] });
    expect(countOf(server, "--rate-limit-resource says what there is of 'r' on GPU 61, which is not there")).toBe(1);
  });
});

describe('models of all kinds', () => {
  test('sequences, beside others', async () => {
    const copies = { a: 'timed', direct: 'timed', oldest: 'timed' };
    const edits = {
      a: limited('R 1'),
      direct: limited('R 1', { count: 2, more: sequences('direct { }') }),
      oldest: limited('R 1', { more: sequences('oldest { max_candidate_sequences: 4 }') }),
    };
    await start({ copies, edits, flags: [ON] });
    const steps = (model: string, id: number) =>
      (async () => {
        const spans: Span[] = [];
        for (let nth = 0; nth < 5; nth++) {
          const parameters = { sequence_id: id, sequence_start: nth === 0, sequence_end: nth === 4 };
          spans.push(await span(model, 2, parameters));
        }
        return spans;
      })();
    const all = ['direct', 'oldest'].flatMap((model) => [1, 2, 3, 4, 5, 6].map((id) => steps(model, id)));
    const others = many(10, 'a', 2);
    expectNoOverlap([...(await Promise.all(all)).flat(), ...(await Promise.all(others))]);
    await expectNothingHeld();
  });

  test('sequences keep their state while they wait', async () => {
    const models = ['state_direct', 'state_oldest', 'accumulator'];
    const edits = Object.fromEntries(models.map((model) => [model, (config: string) => grouped(config)]));
    await start({ models, copies: holder, edits: { ...edits, holder: limited('R 1') }, flags: [ON] });
    const sums = async (model: string, id: number) => {
      const got: unknown[] = [];
      for (let nth = 0; nth < 6; nth++) {
        const flags = `${nth === 0 ? 's' : ''}${nth === 5 ? 'e' : ''}`;
        const outputs = outputsOf(await askStep(server, model, id, { flags, inputs: [id + nth] }));
        got.push(outputs.OUTPUT![0]);
      }
      return got;
    };
    const disturbance = many(20, 'holder', 1);
    const ids = [1, 2, 3, 4, 5, 6, 7];
    const got = await Promise.all(models.flatMap((model) => ids.map((id) => sums(model, id))));
    const expected = (id: number) => [0, 1, 2, 3, 4, 5].map((nth) => (nth + 1) * id + (nth * (nth + 1)) / 2);
    expect(got).toEqual(models.flatMap(() => ids.map(expected)));
    await Promise.all(disturbance);
    await expectNothingHeld();
  });

  test('steps of an ensemble, a decoupled model, and a model that calls one that needs the same', async () => {
    await start({
      models: ['repeat', 'relay'],
      files: { ...plusFiles('one', 1), ...plusFiles('ten', 10), ...eleven },
      edits: { repeat: group('R 1'), relay: limited('R 1'), one: limited('R 1'), ten: limited('R 1') },
      flags: [ON],
    });
    const asks = Array.from({ length: 8 }, (_, nth) => [
      ask(server.httpPort, infer('eleven', oneNumber(nth))).then(firstOf),
      ask(server.httpPort, infer('relay', oneNumber(nth))).then(firstOf),
      ask(server.httpPort, post('/v2/models/repeat/generate_stream', JSON.stringify({ COUNT: 3 }))).then(
        ({ body }) => body.toString().split('data: ').length - 1,
      ),
    ]);
    const got = await Promise.all(asks.map((each) => Promise.all(each)));
    expect(got).toEqual(got.map((_, nth) => [nth + 11, nth + 1, 3]));
    await expectNothingHeld();
  });

  test('a decoupled step of an ensemble that waits until the next steps have read what it says', async () => {
    const told = {
      maxBatchSize: 4,
      inputs: ['COUNT INT32 1', 'HOW STRING 1 optional'],
      outputs: ['NTH INT32 1', 'TEXT STRING -1'],
      steps: [
        'repeat COUNT=COUNT HOW=HOW -> NTH=nth TEXT=text',
        'identity_int32 INPUT0=nth -> OUTPUT0=NTH',
        'identity_bytes INPUT0=text -> OUTPUT0=TEXT',
      ],
    };
    const models = ['repeat', 'identity_int32', 'identity_bytes'];
    const edits = Object.fromEntries(models.map((model) => [model, grouped]));
    await start({ models, edits, files: ensembleFiles({ told }), flags: [ON] });
    const ways = ['plain', 'later', 'unawaited'];
    const answers = await Promise.all(
      ways.map(async (how) => {
        const body = JSON.stringify({ COUNT: 100, HOW: how });
        const answer = await ask(server.httpPort, post('/v2/models/told/generate_stream', body));
        return [...answer.body.toString().matchAll(/"NTH":(\d+)/g)].map(([, nth]) => Number(nth));
      }),
    );
    expect(answers).toEqual(ways.map(() => Array.from({ length: 100 }, (_, nth) => nth)));
    await expectNothingHeld();
  });

  test('a load over all of them: each request is answered, and all is given back', async () => {
    await start({
      copies: { a: 'simple_b64', b: 'simple_b64', c: 'simple_b64' },
      edits: { a: grouped, b: grouped, c: groupedTwice },
      flags: [ON],
    });
    const tensors = (first: number) =>
      ['INPUT0', 'INPUT1'].map((name) => ({
        ...{ name, datatype: 'INT32' as const, shape: [1, 16], binary: true },
        data: new Array<number>(16).fill(first),
      }));
    const clients = await Promise.all(Array.from({ length: 24 }, () => RawClient.open(server.httpPort)));
    await Promise.all(
      clients.map(async (client, nth) => {
        const model = ['a', 'b', 'c'][nth % 3]!;
        for (let turn = 0; turn < 150; turn++) {
          const answer = await client.ask(bytesOf(infer(model, tensors(turn))));
          expect(outputsOf(answer!).OUTPUT0![0]).toBe(2 * turn);
        }
        client.destroy();
      }),
    );
    for (const model of ['a', 'b', 'c']) expect(await successesOf(server, model)).toBe(8 * 150);
    await expectNothingHeld();
    expect(await memoryUsed(server)).toBeLessThan(1 << 20);
  });
});

const firstOf = (answer: Parameters<typeof outputsOf>[0]) => outputsOf(answer).OUTPUT0![0];

/** Of a model that may have written a group of its own. */
function grouped(config: string): string {
  return group('R 1')(config.replace(/^instance_group .*$/m, ''));
}

function groupedTwice(config: string): string {
  return grouped(config).replace('kind: KIND_CPU', 'count: 2 kind: KIND_CPU');
}

const eleven = {
  'eleven/config.pbtxt': Buffer.from(`platform: "ensemble"
max_batch_size: 8
input { name: "INPUT0" data_type: TYPE_FP32 dims: [ 1 ] }
output { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ 1 ] }
ensemble_scheduling {
  step { model_name: "one" model_version: -1 input_map { key: "INPUT0" value: "INPUT0" } output_map { key: "OUTPUT0" value: "t" } }
  step { model_name: "ten" model_version: -1 input_map { key: "INPUT0" value: "t" } output_map { key: "OUTPUT0" value: "OUTPUT0" } }
}`),
  'eleven/1/.gitkeep': Buffer.from(''),
};
