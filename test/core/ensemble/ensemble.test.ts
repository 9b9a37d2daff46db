import { beforeEach, describe, expect, test } from 'vitest';
import { checkRequest } from '../../../src/core/check-request.js';
import type { Ensemble } from '../../../src/core/ensemble/ensemble.js';
import type { AcceptedRequest, InferResponse, Responder } from '../../../src/core/infer-response.js';
import type { ServedModel } from '../../../src/core/served-model.js';
import { Arena } from '../../../src/memory/arena.js';
import type { ServerError } from '../../../src/types/errors.js';
import type { InferHead } from '../../../src/types/infer.js';
import { Agenda, configOf, type Deed, FakeStep } from './fake-step.js';
import { makeEnsemble } from './made.js';

let arena: Arena;
let agenda: Agenda;

beforeEach(() => {
  arena = new Arena(1 << 22);
  agenda = new Agenda();
});

function runAll(): void {
  while (agenda.length > 0) agenda.happen(0);
}

/** Y = X + 1. */
function plusOne(more: Partial<Deed> = {}, isDecoupled = false): FakeStep {
  const config = configOf(`name: "plus" backend: "fake" input { name: "X" data_type: TYPE_INT32 dims: [ 1 ] }
    output { name: "Y" data_type: TYPE_INT32 dims: [ 1 ] } model_transaction_policy { decoupled: ${isDecoupled} }`);
  const deed = ([x]: readonly (readonly number[] | null)[]): Deed => ({
    kind: 'answers',
    isSudden: false,
    answers: [[[x![0]! + 1]]],
    ...more,
  });
  return new FakeStep({ config, arena, agenda, deed });
}

/** `in`, then one step behind the other, then `out`. */
function chain(length: number, plus: ServedModel, more = ''): Ensemble {
  const tensor = (at: number) => (at === 0 ? 'in' : at === length ? 'out' : `t${at}`);
  const steps = Array.from({ length }, (_, at) => `plus X=${tensor(at)} -> Y=${tensor(at + 1)}`);
  return makeEnsemble({ inputs: ['in'], outputs: ['out'], steps, more }, { plus }, arena);
}

class Client implements Responder {
  /** In the order in which they came: a number for each answer, or the text of the error. */
  readonly got: (number | string)[] = [];
  readonly responses: InferResponse[] = [];
  onStalled?: () => boolean;

  onResponse(response: InferResponse): void {
    if (response.isEmpty) return;
    this.responses.push(response);
    this.got.push(arena.words[response.outputBegin(0) / 4]!);
  }

  onError({ message }: ServerError): void {
    this.got.push(message);
  }

  release(): void {
    for (const response of this.responses.splice(0)) response.release();
  }
}

function admit(model: ServedModel, client: Client, value = 1, more: Partial<InferHead> = {}): AcceptedRequest {
  const input = { name: 'in', datatype: 'INT32', shape: [1], source: { kind: 'binary' as const, byteSize: 4 } };
  const plan = checkRequest(model.name, model.tensors, {
    id: '',
    priority: 0,
    timeoutUs: 0,
    sequenceId: 0,
    sequenceStart: false,
    sequenceEnd: false,
    inputs: [input],
    outputs: [],
    binaryOutput: true,
    parameters: new Map(),
    ...more,
  });
  const request = model.admit(plan, [4], client);
  arena.words[request.inputBegin(0) / 4] = value;
  return request;
}

describe('a chain of many steps', () => {
  test.each([false, true])('is not too long for the stack; steps answer at once: %s', (isSudden) => {
    const client = new Client();
    admit(chain(500, plusOne({ isSudden })), client).submit();
    runAll();
    expect(client.got).toEqual([501]);
  });

  test('of any length can be made', () => {
    expect(chain(5000, plusOne({}, true)).isDecoupled).toBe(true);
  });
});

describe('max_inflight_requests', () => {
  const limited = (plus: FakeStep) => chain(1, plus, 'max_inflight_requests: 2');

  test('lets so many requests into a step, and the others in their order', () => {
    const plus = plusOne();
    const ensemble = limited(plus);
    const client = new Client();
    for (let value = 0; value < 6; value++) admit(ensemble, client, value).submit();
    expect([plus.inFlight, ensemble.inFlight]).toEqual([2, 6]);
    runAll();
    expect([...client.got].sort()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(plus.mostInFlight).toBe(2);
  });

  test('holds nobody up whom a client leaves', () => {
    const plus = plusOne();
    const ensemble = limited(plus);
    const clients = Array.from({ length: 6 }, () => new Client());
    const requests = clients.map((client, value) => admit(ensemble, client, value));
    for (const request of requests) request.submit();
    for (const request of requests.slice(0, 5)) request.cancel();
    runAll();
    expect(clients.map(({ got }) => got)).toEqual([[], [], [], [], [], [6]]);
    expect(ensemble.inFlight).toBe(0);
  });

  test('does not pile up those that a step refuses at once', () => {
    const plus = plusOne();
    const ensemble = limited(plus);
    const client = new Client();
    for (let value = 0; value < 20_000; value++) admit(ensemble, client, value).submit();
    const { deed } = plus;
    (plus as { deed: FakeStep['deed'] }).deed = (given) => ({ ...deed(given), kind: 'refuses' });
    runAll();
    expect(client.got.length).toBe(20_000);
    expect(client.got.filter((got) => got === "in ensemble 'e', plus refuses").length).toBe(19_998);
    expect(ensemble.inFlight).toBe(0);
  });
});

describe('when another takes its place', () => {
  test('what it has accepted is answered, and requests on their way are sent on', async () => {
    const [old, young] = [plusOne(), plusOne()];
    const [ensemble, heir] = [chain(1, old), chain(2, young)];
    const [before, filling, late] = [new Client(), new Client(), new Client()];
    admit(ensemble, before).submit();
    const open = admit(ensemble, filling);
    let isRetired = false;
    const retired = ensemble.retire(heir).then(() => {
      isRetired = true;
    });
    admit(ensemble, late).submit();
    runAll();
    await Promise.resolve();
    expect([isRetired, old.holds]).toEqual([false, 1]);
    open.submit();
    runAll();
    await retired;
    expect([before.got, filling.got, late.got]).toEqual([[2], [2], [3]]);
    expect([old.holds, young.holds]).toEqual([0, 2]);
    await ensemble.stop();
  });

  test('an ensemble that it is a step of goes on with it', async () => {
    const inner = chain(1, plusOne());
    const outer = makeEnsemble(
      { name: 'outer', inputs: ['in'], outputs: ['end'], steps: ['inner in=in -> out=end'] },
      { inner },
      arena,
    );
    const retired = inner.retire(chain(3, plusOne()));
    const client = new Client();
    admit(outer, client).submit();
    runAll();
    expect(client.got).toEqual([2]);
    client.release();
    await outer.retire(null);
    await retired;
  });

  test('without an heir a request that comes too late is told so, and takes no memory', async () => {
    const ensemble = chain(1, plusOne());
    await ensemble.retire(null);
    await ensemble.stop();
    expect(() => admit(ensemble, new Client())).toThrow(
      "Request for unknown model: 'e' version 1 is not at ready state",
    );
    expect(arena.used).toBe(0);
  });
});

test('a server that stops answers what runs and takes nothing new', async () => {
  const ensemble = chain(2, plusOne());
  const [running, late] = [new Client(), new Client()];
  admit(ensemble, running).submit();
  const filling = admit(ensemble, late);
  const drained = ensemble.drain();
  expect(() => filling.submit()).toThrow('Server is stopping');
  runAll();
  await drained;
  expect([running.got, late.got]).toEqual([[3], []]);
});

describe('what a request says beside its tensors', () => {
  test('its steps are told', () => {
    const plus = plusOne();
    const ensemble = chain(1, plus);
    const parameters = new Map([['a', 1]]);
    const head = { id: 'one', priority: 3, timeoutUs: 7, parameters };
    const first = admit(ensemble, new Client(), 1, head);
    // As protocols make it for a request that differs in its id alone.
    const plan = { ...first.plan, head: { ...first.plan.head, id: 'two' } };
    const second = ensemble.admit(plan, [4], new Client());
    for (const request of [first, second]) request.submit();
    expect(plus.plans.map((given) => given.head)).toMatchObject([head, { ...head, id: 'two' }]);
    runAll();
  });

  test('its answers say its sequence, where it has one', () => {
    const client = new Client();
    const ensemble = chain(1, plusOne());
    admit(ensemble, client, 1, { sequenceId: 7, sequenceEnd: true }).submit();
    admit(ensemble, client).submit();
    runAll();
    const sequence = { sequence_id: 7, sequence_start: false, sequence_end: true };
    const said = client.responses.map(({ parameters }) => parameters && Object.fromEntries(parameters));
    expect(said).toEqual([sequence, null]);
    expect(client.responses.map(({ hasFixedOutputs }) => hasFixedOutputs)).toEqual([false, true]);
  });
});

describe('the answers of a decoupled step', () => {
  test.each([1, 2])('count as not read until what %i steps have made of them is read', (length) => {
    const many = plusOne({ answers: [[[10]], [[20]], [[30]]] }, true);
    const inner = chain(length, plusOne());
    const ensemble = makeEnsemble(
      { inputs: ['in'], outputs: ['end'], steps: ['many X=in -> Y=t', 'inner in=t -> out=end'] },
      { many, inner },
      arena,
    );
    const client = new Client();
    admit(ensemble, client).submit();
    runAll();
    expect([client.got, many.unread]).toEqual([[10 + length, 20 + length, 30 + length], 3]);
    for (const [nth, response] of client.responses.entries()) {
      response.release();
      expect(many.unread).toBe(2 - nth);
    }
  });
});

describe('a decoupled step whose answers nobody reads', () => {
  /** What its model is told. */
  function stalled(client: Client): { readonly ensemble: Ensemble; readonly isBlamed: boolean } {
    const many = plusOne({ answers: [[[10]], [[20]], [[30]]] }, true);
    const ensemble = chain(1, many);
    let reader: Responder | null = null;
    const { admitSources } = many;
    many.admitSources = (plan, sources, theReader, sequence) => {
      reader = theReader;
      return admitSources.call(many, plan, sources, theReader, sequence);
    };
    admit(ensemble, client).submit();
    if (client.onStalled !== undefined || client.got.length === 0) agenda.happen(0);
    return { ensemble, isBlamed: reader!.onStalled!() };
  }

  test('ends with its client, where that is cut off', () => {
    const client = new Client();
    client.onStalled = () => {
      client.release();
      return true;
    };
    const { ensemble, isBlamed } = stalled(client);
    expect([isBlamed, client.got, ensemble.inFlight]).toEqual([true, [10], 0]);
  });

  test('goes on, where its client waits for something else', () => {
    const client = new Client();
    client.onStalled = () => false;
    const { ensemble, isBlamed } = stalled(client);
    expect([isBlamed, ensemble.inFlight]).toEqual([false, 1]);
    runAll();
    expect(client.got).toEqual([10, 20, 30]);
  });

  test('ends with an error, where its client cannot be cut off otherwise', () => {
    const client = new Client();
    const { ensemble, isBlamed } = stalled(client);
    expect([isBlamed, client.got]).toEqual([
      true,
      [10, "in ensemble 'e', no answer was read (--response-timeout-secs)"],
    ]);
    expect(ensemble.inFlight).toBe(0);
  });

  test('goes on, where steps behind it have its answers', () => {
    const many = plusOne({ answers: [[[10]], [[20]]] }, true);
    const plus = plusOne();
    const ensemble = makeEnsemble(
      { inputs: ['in'], outputs: ['out'], steps: ['many X=in -> Y=t', 'plus X=t -> Y=out'] },
      { many, plus },
      arena,
    );
    let reader: Responder | null = null;
    const { admitSources } = many;
    many.admitSources = (plan, sources, theReader, sequence) => {
      reader = theReader;
      return admitSources.call(many, plan, sources, theReader, sequence);
    };
    const client = new Client();
    admit(ensemble, client).submit();
    agenda.happen(0);
    expect([plus.inFlight, reader!.onStalled!()]).toEqual([1, false]);
    runAll();
    expect(client.got).toEqual([11, 21]);
  });
});
