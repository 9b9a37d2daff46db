import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Arena } from '../../../src/memory/arena.js';
import { Random } from '../../e2e/random.js';
import { DirectEvaluation } from './direct-evaluation.js';
import { Agenda, type Values } from './fake-step.js';
import { FuzzClient } from './fuzz-client.js';
import { type EnsembleModel, RandomModels, type Surroundings } from './random-ensemble.js';

interface Case {
  readonly seed: number;
  readonly steps: number;
  readonly depth: number;
  readonly clients: number;
  readonly cancels: boolean;
}

const caseOf = (cancels: boolean): fc.Arbitrary<Case> =>
  fc.record({
    seed: fc.integer({ min: 1, max: 1 << 30 }),
    steps: fc.integer({ min: 1, max: 8 }),
    depth: fc.integer({ min: 0, max: 2 }),
    clients: fc.integer({ min: 1, max: 6 }),
    cancels: fc.constant(cancels),
  });

type Chances = Pick<Surroundings, 'failsOneIn' | 'missesOneIn' | 'mayBeDecoupled' | 'mayBatch' | 'takesGroups'>;

/** One ensemble, and clients that come, go and read at any moment. */
class World {
  readonly arena = new Arena(1 << 20);
  readonly agenda = new Agenda();
  readonly clients: FuzzClient[] = [];
  readonly #random: Random;
  readonly #case: Case;
  readonly #models: RandomModels;
  readonly #ensemble: EnsembleModel;

  constructor(theCase: Case, chances: Chances) {
    this.#case = theCase;
    this.#random = new Random(theCase.seed);
    this.#models = new RandomModels({ random: this.#random, arena: this.arena, agenda: this.agenda, ...chances });
    this.#ensemble = this.#models.ensemble(theCase.steps, theCase.depth);
    for (let nth = 0; nth < theCase.clients; nth++) this.clients.push(this.#client());
  }

  async run(): Promise<void> {
    const random = this.#random;
    for (const client of this.clients) this.agenda.add(() => client.send());
    while (this.agenda.length > 0 || this.clients.some(({ isOver }) => !isOver)) {
      // Requests that wait for others begin when the turn is over.
      if (this.agenda.length === 0 || random.below(20) === 0) await turn();
      if (this.agenda.length === 0) continue;
      this.agenda.happen(random.below(this.agenda.length));
      if (this.#case.cancels && random.below(10) === 0) this.#begun(random.pick(this.clients))?.cancel();
    }
    // Of those that were cancelled while they waited.
    await turn();
    for (const client of this.clients) this.#check(client);
    await this.#expectAllGivenBack();
    this.#expectLimits();
  }

  #begun(client: FuzzClient): FuzzClient | null {
    return client.isSent ? client : null;
  }

  #client(): FuzzClient {
    const random = this.#random;
    const { served, inputs, outputs } = this.#ensemble;
    const rows = this.#models.allBatch ? 1 + random.below(3) : 1;
    const given: Values = inputs.map((_, nth) =>
      served.tensors.inputs[nth]!.optional && random.below(3) === 0
        ? null
        : Array.from({ length: rows }, () => random.below(1 << 30)),
    );
    const some = outputs.filter(() => random.below(2) === 0);
    return new FuzzClient({
      ensemble: this.#ensemble,
      arena: this.arena,
      agenda: this.agenda,
      given,
      outputs: some.length > 0 ? some.reverse() : outputs,
      lends: random.below(2) === 0,
      leavesAt: this.#case.cancels ? random.below(3) : 0,
    });
  }

  /** It got what the direct evaluation says, or a part of it. */
  #check(client: FuzzClient): void {
    const { answers, error, isFinal, isCancelled, settings } = client;
    expect({ isOver: client.isOver, isLent: client.isLent }).toEqual({ isOver: true, isLent: false });
    const expected = DirectEvaluation.of(this.#ensemble, settings.given, settings.outputs);
    if (error !== null) expect([...expected.errors]).toContain(error.message);
    else if (expected.errors.size === 0) expect(answers).toEqual(expected.answers.slice(0, answers.length));
    if (isFinal) expect({ answers, errors: expected.errors.size }).toEqual({ answers: expected.answers, errors: 0 });
    expect([isFinal, error !== null, isCancelled].filter(Boolean)).toHaveLength(1);
  }

  async #expectAllGivenBack(): Promise<void> {
    const { leaves, ensembles } = this.#models;
    const { statistics } = this.#ensemble.served;
    expect(statistics.snapshot().inference_stats).toMatchObject({
      success: { count: this.clients.filter(({ isFinal }) => isFinal).length },
      fail: { count: this.clients.filter(({ isFinal }) => !isFinal).length },
    });
    for (const { served } of ensembles.reverse()) {
      expect(served.inFlight).toBe(0);
      await served.drain();
      await served.retire(null);
      await served.stop();
    }
    for (const { served } of leaves) {
      const { inFlight, borrowed, holds } = served;
      expect({ inFlight, borrowed, holds }).toEqual({ inFlight: 0, borrowed: 0, holds: 0 });
    }
    expect(this.arena.used).toBe(0);
  }

  /** A model that is one step of one ensemble. */
  #expectLimits(): void {
    const steps = this.#models.ensembles.flatMap((ensemble) => ensemble.steps.map(({ of }) => ({ of, ensemble })));
    for (const leaf of this.#models.leaves) {
      const users = steps.filter(({ of }) => of === leaf);
      const limit = users[0]?.ensemble.limit ?? 0;
      if (users.length === 1 && limit > 0) expect(leaf.served.mostInFlight).toBeLessThanOrEqual(limit);
    }
  }
}

const kinds: readonly (readonly [string, Chances])[] = [
  ['of models that answer', { failsOneIn: 0, missesOneIn: 0, mayBeDecoupled: false, mayBatch: true }],
  [
    'of models that answer groups',
    { failsOneIn: 0, missesOneIn: 0, mayBeDecoupled: false, mayBatch: true, takesGroups: true },
  ],
  ['of models that fail', { failsOneIn: 6, missesOneIn: 0, mayBeDecoupled: false, mayBatch: true }],
  ['of models that leave outputs out', { failsOneIn: 20, missesOneIn: 5, mayBeDecoupled: false, mayBatch: true }],
  ['of decoupled models', { failsOneIn: 0, missesOneIn: 0, mayBeDecoupled: true, mayBatch: false }],
  ['of decoupled models that fail', { failsOneIn: 8, missesOneIn: 8, mayBeDecoupled: true, mayBatch: true }],
];

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const numRuns = Number(process.env.FUZZ_RUNS ?? 100);

describe.each(kinds)('random ensembles %s', (_, chances) => {
  test.each([false, true])(
    'do what a direct evaluation does; clients vanish: %s',
    async (cancels) => {
      await fc.assert(
        fc.asyncProperty(caseOf(cancels), (theCase) => new World(theCase, chances).run()),
        { numRuns },
      );
    },
    20_000 + 100 * numRuns,
  );
});
