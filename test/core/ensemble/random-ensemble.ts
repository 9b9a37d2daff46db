import { silentLog } from '../../../src/base/log.js';
import { Ensemble } from '../../../src/core/ensemble/ensemble.js';
import { ensembleGraph } from '../../../src/core/ensemble/graph.js';
import { ModelTensors } from '../../../src/core/model-tensors.js';
import type { ServedModel } from '../../../src/core/served-model.js';
import type { Arena } from '../../../src/memory/arena.js';
import { ModelStatistics } from '../../../src/telemetry/statistics.js';
import { Random } from '../../e2e/random.js';
import { HandClock } from '../../fakes/clock.js';
import { type Agenda, configOf, type Deed, FakeStep, type Values } from './fake-step.js';

export interface StepPlan {
  readonly of: AnyModel;
  /** By input of its model, a tensor; null = nothing feeds it. */
  readonly reads: readonly (string | null)[];
  /** By output of its model; null = nobody reads it. */
  readonly writes: readonly (string | null)[];
}

export interface LeafModel {
  readonly kind: 'leaf';
  readonly served: FakeStep;
  readonly deed: (given: Values) => Deed;
}

export interface EnsembleModel {
  readonly kind: 'ensemble';
  readonly served: Ensemble;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly steps: readonly StepPlan[];
  /** `max_inflight_requests`; 0 = none. */
  readonly limit: number;
}

export type AnyModel = LeafModel | EnsembleModel;

export interface Surroundings {
  readonly random: Random;
  readonly arena: Arena;
  readonly agenda: Agenda;
  /** One in so many executions fails, and one in so many outputs is left out; 0 = none. */
  readonly failsOneIn: number;
  readonly missesOneIn: number;
  readonly mayBeDecoupled: boolean;
  readonly mayBatch: boolean;
  /** Those that batch do not mind whether they are asked once for the rows of several requests. */
  readonly takesGroups?: boolean;
}

/** Of all models: each multiplies the answers of those before it. */
const DECOUPLED_MAX = 3;

/** Makes models and ensembles of them, by chance. */
export class RandomModels {
  readonly leaves: LeafModel[] = [];
  readonly ensembles: EnsembleModel[] = [];
  readonly #s: Surroundings;

  constructor(surroundings: Surroundings) {
    this.#s = surroundings;
  }

  /** True = requests may have any number of rows. */
  get allBatch(): boolean {
    return [...this.leaves, ...this.ensembles].every(({ served }) => served.tensors.maxBatchSize > 0);
  }

  /** @param depth of ensembles in ensembles */
  ensemble(steps: number, depth: number): EnsembleModel {
    const { random } = this.#s;
    const name = `e${this.ensembles.length}_${depth}`;
    const inputs = Array.from({ length: 1 + random.below(3) }, (_, nth) => `in${nth}`);
    const tensors = [...inputs];
    const plans = Array.from({ length: steps }, (_, at): StepPlan => {
      const model = this.#model(depth);
      const reads = model.served.tensors.inputs.map(({ optional }, nth) =>
        nth > 0 && optional && random.below(4) === 0 ? null : random.pick(tensors),
      );
      const writes = model.served.tensors.outputs.map((_output, nth, { length }) =>
        nth < length - 1 && random.below(8) === 0 ? null : `t${at}_${nth}`,
      );
      tensors.push(...writes.flatMap((tensor) => tensor ?? []));
      return { of: model, reads, writes };
    });
    const written = tensors.filter(() => random.below(3) === 0);
    const outputs = written.length > 0 ? written : [tensors.at(-1)!];
    const limit = random.below(3) === 0 ? 1 + random.below(2) : 0;
    const made = this.#make(name, { inputs, outputs, steps: plans, limit });
    this.ensembles.push(made);
    return made;
  }

  #model(depth: number): AnyModel {
    const { random } = this.#s;
    const below = this.ensembles.filter(({ served }) => served.name.endsWith(`_${depth - 1}`));
    const known = [...this.leaves, ...below].filter(({ served }) => !served.isDecoupled);
    if (known.length > 0 && random.below(4) === 0) return random.pick(known);
    if (depth > 0 && random.below(3) === 0) return this.ensemble(1 + random.below(3), depth - 1);
    return this.#leaf();
  }

  #leaf(): LeafModel {
    const { random, arena, agenda, mayBeDecoupled } = this.#s;
    const name = `m${this.leaves.length}`;
    const decoupled = this.leaves.filter(({ served }) => served.isDecoupled).length;
    const isDecoupled = mayBeDecoupled && decoupled < DECOUPLED_MAX && random.below(3) === 0;
    const inputs = Array.from({ length: 1 + random.below(3) }, (_, nth) => {
      const optional = nth > 0 && random.below(2) === 0 ? ' optional: true' : '';
      return `input { name: "I${nth}" data_type: TYPE_INT32 dims: [ 1 ]${optional} }`;
    });
    const outputs = Array.from({ length: 1 + random.below(2) }, (_, nth) => output(`O${nth}`));
    const config = configOf(`name: "${name}" backend: "fake" max_batch_size: ${this.#batch()}
      ${inputs.join('\n')} ${outputs.join('\n')} model_transaction_policy { decoupled: ${isDecoupled} }`);
    const deed = this.#deed(name, outputs.length, isDecoupled);
    const made: LeafModel = { kind: 'leaf', served: new FakeStep({ config, arena, agenda, deed }), deed };
    made.served.takesGroups = (this.#s.takesGroups ?? false) && config.max_batch_size > 0;
    this.leaves.push(made);
    return made;
  }

  #batch(): number {
    return this.#s.mayBatch && this.#s.random.below(4) > 0 ? 8 : 0;
  }

  #deed(name: string, outputs: number, isDecoupled: boolean): (given: Values) => Deed {
    const { random, failsOneIn, missesOneIn } = this.#s;
    const seed = random.below(1 << 30);
    return (given) => {
      const chance = new Random(hash(`${seed} ${name} ${JSON.stringify(given)}`));
      const happens = (oneIn: number) => oneIn > 0 && chance.below(oneIn) === 0;
      const count = isDecoupled ? chance.below(4) : 1;
      return {
        kind: happens(failsOneIn) ? chance.pick(['fails', 'fails', 'refuses', 'has no room'] as const) : 'answers',
        isSudden: chance.below(3) === 0,
        answers: Array.from({ length: count }, (_, answer) =>
          Array.from({ length: outputs }, (_, nth) =>
            happens(missesOneIn)
              ? null
              : given[0]!.map((_, row) => hash(`${seed} ${answer} ${nth} ${rowOf(given, row)}`)),
          ),
        ),
      };
    };
  }

  #make(name: string, parts: Omit<EnsembleModel, 'kind' | 'served'>): EnsembleModel {
    const { random, arena } = this.#s;
    const { inputs, outputs, steps, limit } = parts;
    const batching = this.#batch();
    const inputText = inputs.map((input, nth) => {
      const optional = nth > 0 && random.below(2) === 0 ? ' optional: true' : '';
      return `input { name: "${input}" data_type: TYPE_INT32 dims: [ 1 ]${optional} }`;
    });
    const stepText = steps.map(({ of, reads, writes }) => {
      const { tensors } = of.served;
      const map = (kind: string, ends: readonly { name: string }[], names: readonly (string | null)[]) =>
        names.flatMap((tensor, nth) =>
          tensor === null ? [] : [`${kind} { key: "${ends[nth]!.name}" value: "${tensor}" }`],
        );
      return `step { model_name: "${of.served.name}" model_version: -1
        ${map('input_map', tensors.inputs, reads).join(' ')} ${map('output_map', tensors.outputs, writes).join(' ')} }`;
    });
    const config = configOf(`name: "${name}" platform: "ensemble" max_batch_size: ${batching}
      ${inputText.join('\n')} ${outputs.map(output).join('\n')}
      ensemble_scheduling { max_inflight_requests: ${limit} ${stepText.join('\n')} }`);
    const tensors = new ModelTensors(config, new Map(), { scalars: new Set(), readsHeads: false, tellsIds: true });
    const models = steps.map(({ of }): ServedModel => of.served);
    const graph = ensembleGraph(config, tensors, models);
    const statistics = new ModelStatistics();
    const served = new Ensemble(
      { name, version: 1, config, tensors, graph, statistics },
      { arena, clock: new HandClock(), log: silentLog },
    );
    return { kind: 'ensemble', served, ...parts };
  }
}

function output(name: string): string {
  return `output { name: "${name}" data_type: TYPE_INT32 dims: [ 1 ] }`;
}

function rowOf(given: Values, row: number): string {
  return given.map((tensor) => tensor?.[row] ?? 'none').join();
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const char of text) value = Math.imul(value ^ char.charCodeAt(0), 0x01000193);
  return value;
}
