import type { InstanceSpec } from '../../src/backends/instance-spec.js';
import type { InferRequest } from '../../src/backends/request.js';
import { type Clock, systemClock } from '../../src/base/clock.js';
import { normalizeConfig } from '../../src/config/normalize.js';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import { ModelCache } from '../../src/core/cache/model-cache.js';
import type { ResponseStore } from '../../src/core/cache/response-store.js';
import { Model } from '../../src/core/model.js';
import { ModelTensors } from '../../src/core/model-tensors.js';
import { Arena } from '../../src/memory/arena.js';
import { ModelStatistics } from '../../src/telemetry/statistics.js';
import { ServerError } from '../../src/types/errors.js';
import { MemoryLog } from '../protocols/http/engine-fixture.js';
import { answerInParts, type FakeAnswer } from './outputs.js';
import type { PuppetWorker } from './puppet-worker.js';

/** Inputs A and outputs Y and Z of one integer; without batching. */
const TENSORS = `input { name: "A" data_type: TYPE_INT32 dims: [ 1 ] }
  output { name: "Y" data_type: TYPE_INT32 dims: [ -1 ] } output { name: "Z" data_type: TYPE_INT32 dims: [ 1 ] }`;
const DATATYPES = ['INT32', 'INT32'] as const;

export interface PuppetOptions {
  readonly name?: string;
  readonly isDecoupled?: boolean;
  readonly preserveOrdering?: boolean;
  readonly clock?: Clock;
  readonly responseTimeoutSecs?: number;
  readonly arenaBytes?: number;
  readonly statistics?: ModelStatistics;
  /** Of its response cache; left out = it has none. */
  readonly store?: ResponseStore;
}

/**
 * A model whose instance is the test: it begins every request at once, and answers when it is told to. Needs `puppet-worker.js` in
 * the place of `src/backends/worker-instance.js` (`vi.mock`).
 */
export class PuppetModel extends Model {
  #worker: PuppetWorker | null = null;

  constructor(options: PuppetOptions = {}) {
    const { name = 'puppet', isDecoupled = true, preserveOrdering = false } = options;
    const text = `name: "${name}" ${TENSORS} model_transaction_policy { decoupled: ${isDecoupled} }
      dynamic_batching { preserve_ordering: ${preserveOrdering} }`;
    const config = normalizeConfig(parseModelConfig(text, 'config.pbtxt'), { gpus: [] });
    const tensors = new ModelTensors(config, new Map());
    const statistics = options.statistics ?? new ModelStatistics();
    const clock = options.clock ?? systemClock;
    const { store } = options;
    const cache =
      store === undefined
        ? null
        : new ModelCache({ store, scope: name, tensors, statistics, isOrdered: preserveOrdering, clock });
    const spec = { instance: 'puppet', onMade: (worker: PuppetWorker) => this.#made(worker) };
    super(
      {
        name,
        version: 1,
        config,
        tensors,
        states: [],
        specs: [spec as unknown as InstanceSpec],
        warmup: [],
        statistics,
        cache,
      },
      {
        arena: new Arena(options.arenaBytes ?? 1 << 24),
        clock,
        log: new MemoryLog(),
        sequenceMaxBacklog: 100,
        responseTimeoutSecs: options.responseTimeoutSecs ?? 60,
        find: () => {
          throw new Error('it calls nobody');
        },
      },
    );
  }

  static async started(options: PuppetOptions = {}): Promise<PuppetModel> {
    const model = new PuppetModel(options);
    await model.start(new AbortController().signal);
    return model;
  }

  /** Begun, and neither failed nor over. */
  get running(): InferRequest[] {
    return this.#worker!.running;
  }

  /** An answer with these integers as output Y, or none where there are none; Z is never made. */
  answer(request: InferRequest, values: readonly number[], isFinal = false, parameters?: object): void {
    const bytes = Buffer.from(Int32Array.from(values).buffer);
    const outputs = values.length === 0 ? [] : [{ shape: [values.length], bytes }];
    this.respond(request, { outputs, ...(parameters !== undefined && { note: { parameters } }) }, isFinal);
  }

  respond(request: InferRequest, answer: FakeAnswer, isFinal = false): void {
    request.respond(answerInParts(this.arena, DATATYPES, false, [answer]), isFinal);
  }

  /** The news that there are no more answers. */
  finish(request: InferRequest): void {
    request.respond(null, true);
  }

  /** The execution is over. */
  complete(request: InferRequest, answer: FakeAnswer = {}): void {
    this.#remove(request);
    const outputs = answerInParts(this.arena, DATATYPES, false, [answer]);
    this.#worker!.events.onExecuted(outputs);
    request.complete(outputs, 0, 0);
  }

  fail(request: InferRequest, text = 'it died'): void {
    this.#remove(request);
    request.fail(new ServerError('INTERNAL', text), 'BACKEND');
  }

  #made(worker: PuppetWorker): void {
    this.#worker = worker;
  }

  #remove(request: InferRequest): void {
    const index = this.running.indexOf(request);
    if (index >= 0) this.running.splice(index, 1);
  }
}
