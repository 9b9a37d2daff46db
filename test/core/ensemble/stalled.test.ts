import { expect, test, vi } from 'vitest';
import { silentLog } from '../../../src/base/log.js';
import { checkRequest } from '../../../src/core/check-request.js';
import { Ensemble } from '../../../src/core/ensemble/ensemble.js';
import { ensembleGraph } from '../../../src/core/ensemble/graph.js';
import type { AcceptedRequest, InferResponse, Responder } from '../../../src/core/infer-response.js';
import { ModelTensors } from '../../../src/core/model-tensors.js';
import { ModelStatistics } from '../../../src/telemetry/statistics.js';
import type { ServerError } from '../../../src/types/errors.js';
import { HandClock } from '../../fakes/clock.js';
import { PuppetModel } from '../../fakes/puppet-model.js';
import { configOf } from './fake-step.js';

vi.mock('../../../src/backends/worker-instance.js', () => import('../../fakes/puppet-worker.js'));

/** Reads nothing. */
class Client implements Responder {
  readonly held: InferResponse[] = [];
  readonly errors: string[] = [];
  request!: AcceptedRequest;

  onResponse(response: InferResponse): void {
    this.held.push(response);
  }

  onError({ message }: ServerError): void {
    this.errors.push(message);
  }

  leave(): void {
    this.request.cancel();
    for (const response of this.held.splice(0)) response.release();
  }
}

/** An ensemble of one decoupled step. */
async function setUp() {
  const clock = new HandClock();
  const step = await PuppetModel.started({ clock });
  const config = configOf(`name: "e" platform: "ensemble"
    input { name: "IN" data_type: TYPE_INT32 dims: [ 1 ] } output { name: "OUT" data_type: TYPE_INT32 dims: [ -1 ] }
    ensemble_scheduling { step { model_name: "puppet" model_version: -1
      input_map { key: "A" value: "IN" } output_map { key: "Y" value: "OUT" } } }`);
  const tensors = new ModelTensors(config, new Map());
  const graph = ensembleGraph(config, tensors, [step]);
  const statistics = new ModelStatistics();
  const ensemble = new Ensemble(
    { name: 'e', version: 1, config, tensors, statistics, graph },
    { arena: step.arena, clock, log: silentLog },
  );
  return { clock, step, ensemble };
}

function ask(ensemble: Ensemble, client: Client): void {
  const input = { name: 'IN', datatype: 'INT32', shape: [1], source: { kind: 'binary' as const, byteSize: 4 } };
  const sequence = { sequenceId: 0, sequenceStart: false, sequenceEnd: false };
  const rest = { outputs: [], binaryOutput: true, parameters: new Map() };
  const head = { id: '', priority: 0, timeoutUs: 0, ...sequence, inputs: [input], ...rest };
  client.request = ensemble.admit(checkRequest('e', ensemble.tensors, head), [4], client);
  client.request.submit();
}

test('an ensemble whose client reads nothing of a decoupled step is cut off', async () => {
  const { clock, step, ensemble } = await setUp();
  const client: Client = Object.assign(new Client(), {
    onStalled: () => {
      client.leave();
      return true;
    },
  });
  ask(ensemble, client);
  const [request] = step.running;
  step.answer(request!, [1]);
  clock.advance(59e6);
  expect([client.held.length, request!.cancelled]).toEqual([1, false]);
  clock.advance(1e6);
  expect([client.held.length, request!.cancelled, client.errors]).toEqual([0, true, []]);
  step.finish(request!);
  step.complete(request!);
  expect([ensemble.inFlight, step.inFlight]).toEqual([0, 0]);
});

test('one whose client cannot tell fails, and one that does not read for a reason goes on', async () => {
  const { clock, step, ensemble } = await setUp();
  const clients = [new Client(), Object.assign(new Client(), { onStalled: () => false })];
  for (const client of clients) ask(ensemble, client);
  for (const request of step.running) step.answer(request, [1]);
  clock.advance(200e6);
  expect(step.running.map(({ cancelled }) => cancelled)).toEqual([true, false]);
  for (const client of clients) client.leave();
  for (const request of [...step.running]) {
    step.finish(request);
    step.complete(request);
  }
  expect(clients.map(({ errors }) => errors)).toEqual([
    ["in ensemble 'e', no answer was read (--response-timeout-secs)"],
    [],
  ]);
  expect([ensemble.inFlight, step.inFlight]).toEqual([0, 0]);
});
