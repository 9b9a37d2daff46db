import type { Log } from '../base/log.js';
import { asServerError } from '../types/errors.js';
import type { ManagerActions } from './actions.js';
import { couldMean, needsOf, stepsFirst } from './dependencies.js';
import type { Lack, ModelRecord } from './model-record.js';
import { untilAborted } from './operations.js';
import type { Outcome } from './outcome.js';
import { bindSteps, type StepBinding } from './step-binding.js';
import type { LoadSuccess, Succession } from './succession.js';
import { planVersions } from './version-plan.js';
import type { WantedModel, WantedVersion } from './wanted.js';

const OUTDATED: Outcome = { kind: 'outdated' };

type Bound<Loaded> = Extract<StepBinding<Loaded>, { kind: 'bound' }>;

/**
 * Keeps what is made of other models in step with them: it serves while they do and it fits them, and is made anew when one of them
 * changes. Where it cannot serve it stays known, and comes back when it can.
 */
export class Ensembles<Loaded extends object> {
  readonly #records: ReadonlyMap<string, ModelRecord<Loaded>>;
  readonly #load: ManagerActions<Loaded>['load'];
  readonly #succession: Succession<Loaded>;
  readonly #log: Log;
  /** Of each step that was seen; another one when its settings changed. */
  readonly #serials = new WeakMap<Loaded, number>();
  #lastSerial = 0;
  #isOver = false;

  constructor(
    records: ReadonlyMap<string, ModelRecord<Loaded>>,
    load: ManagerActions<Loaded>['load'],
    succession: Succession<Loaded>,
    log: Log,
  ) {
    this.#records = records;
    this.#load = load;
    this.#succession = succession;
    this.#log = log;
  }

  /** Nothing is made any more. */
  end(): void {
    this.#isOver = true;
  }

  /** Resolves when all is over that is done to the steps of a model now, which may be nothing. */
  async stepsSettled(model: WantedModel): Promise<void> {
    const below = needsOf(model, this.#records).map((name) => this.#records.get(name)!);
    await Promise.all(below.map(({ operations }) => operations.idle()));
  }

  /** Resolves when all that a change of this model began in the ensembles above it is over. */
  async aboveSettled(name: string, below: readonly string[] = []): Promise<void> {
    const path = [...below, name];
    const above = this.#above(name).filter((record) => !path.includes(record.name));
    await Promise.all(
      above.map(async (record) => {
        await record.operations.idle();
        await this.aboveSettled(record.name, path);
      }),
    );
  }

  /** Makes an ensemble from its steps as they are, and switches to it. Where that cannot be, nobody finds it from then on. Never rejects. */
  async compose(record: ModelRecord<Loaded>, wanted: WantedModel, signal: AbortSignal): Promise<Outcome> {
    for (;;) {
      if (signal.aborted || this.#isOver) return OUTDATED;
      const binding = bindSteps(wanted, this.#records);
      if (binding.kind === 'unbound') return this.#suspend(record, binding);
      const stamp = this.#stampOf(binding);
      const results = await this.#make(record, wanted, binding, signal);
      const made = results.flatMap((result) => (typeof result === 'string' ? [] : [result]));
      const problem = results.find((result) => typeof result === 'string') ?? '';
      const isCurrent = this.#stampOf(bindSteps(wanted, this.#records)) === stamp;
      if (!signal.aborted && isCurrent && problem === '') {
        this.#succession.switchTo(record, wanted, made);
        this.reviseAbove(record.name);
        return { kind: 'served' };
      }
      for (const { wanted, loaded } of made) void this.#succession.takeDown(record.name, wanted.version, loaded, null);
      if (!signal.aborted && isCurrent) return this.#suspend(record, { problem, isGone: false });
    }
  }

  /** A step has other settings: what inherits them is made anew. */
  changed(step: Loaded): void {
    this.#serials.set(step, ++this.#lastSerial);
  }

  /** A model was unloaded: the ensembles that need it go with it, at once. */
  takeAlong(name: string): void {
    // At the end each of them is unloaded by itself.
    if (this.#isOver) return;
    for (const record of this.#above(name)) {
      if (record.served().length === 0) continue;
      const binding = bindSteps(record.wanted!, this.#records);
      if (binding.kind === 'unbound') this.#suspend(record, binding);
    }
  }

  /**
   * Something is different with a model: the ensembles that need it are held against it again, by way of others too, each in its turn. One
   * waits for what is due below it, so that it is never made of what an ensemble was before and of what a model is now.
   */
  reviseAbove(name: string): void {
    for (const record of this.#allAbove(name)) {
      if (record.isRevisionDue) continue;
      record.isRevisionDue = true;
      const isBelowSettled = this.#ensemblesSettled(record.wanted!);
      void record.operations.run(async (signal) => {
        await untilAborted(isBelowSettled, signal);
        record.isRevisionDue = false;
        const { wanted } = record;
        if (wanted !== null && wanted.steps.length > 0) await this.compose(record, wanted, signal);
      });
    }
  }

  /** Resolves when all is over that is done to the ensembles among the steps of a model now. */
  async #ensemblesSettled(model: WantedModel): Promise<void> {
    const below = needsOf(model, this.#records).map((name) => this.#records.get(name)!);
    const ensembles = below.filter(({ wanted }) => wanted !== null && wanted.steps.length > 0);
    await Promise.all(ensembles.map(({ operations }) => operations.idle()));
  }

  /** Ensembles that could have this model as a step. */
  #above(name: string): ModelRecord<Loaded>[] {
    return [...this.#records.values()].filter(({ wanted }) => wanted?.steps.some((step) => couldMean(step, name)));
  }

  /** The same by way of others too, each behind those that it needs. */
  #allAbove(name: string): ModelRecord<Loaded>[] {
    const found = new Map<string, ModelRecord<Loaded>>();
    const add = (below: string) => {
      for (const record of this.#above(below)) {
        if (found.has(record.name)) continue;
        found.set(record.name, record);
        add(record.name);
      }
    };
    add(name);
    return stepsFirst([...found.values()].map(({ wanted }) => wanted!)).map((wanted) => found.get(wanted.name)!);
  }

  /** The versions that are not there as the steps are now, each with what it is then made of. */
  #toMake(record: ModelRecord<Loaded>, { versions }: WantedModel, binding: Bound<Loaded>): WantedVersion[] {
    const stamp = this.#stampOf(binding);
    const stamped = versions.map((version) => ({ ...version, files: `${version.files} ${stamp}` }));
    const { keep } = planVersions(record.served(), stamped);
    return stamped.filter(({ version }) => !keep.includes(version));
  }

  /** What became of each version that had to be made, or why it could not be. */
  #make(
    record: ModelRecord<Loaded>,
    model: WantedModel,
    binding: Bound<Loaded>,
    signal: AbortSignal,
  ): Promise<(LoadSuccess<Loaded> | string)[]> {
    const make = async (wanted: WantedVersion) => {
      record.beginLoading(wanted.version);
      try {
        return { wanted, loaded: await this.#load(model, wanted, signal, binding.steps) };
      } catch (error) {
        return asServerError(error).toString();
      }
    };
    return Promise.all(this.#toMake(record, model, binding).map(make));
  }

  #suspend(record: ModelRecord<Loaded>, { problem, isGone }: Lack): Outcome {
    const { name } = record;
    const wasServed = record.served().length > 0;
    const isNews = wasServed || record.lack?.problem !== problem;
    record.lack = { problem, isGone };
    this.#succession.withdraw(record, isGone ? 'unloaded' : problem);
    if (isNews) {
      if (isGone && wasServed) this.#log.info(`unloaded '${name}': ${problem}`);
      else this.#log.error(`${wasServed ? 'unloaded' : 'failed to load'} '${name}': ${problem}`);
      this.takeAlong(name);
      this.reviseAbove(name);
    }
    return { kind: 'unfit', problem };
  }

  /** Alike while the steps are the same, with the same settings. */
  #stampOf(binding: StepBinding<Loaded>): string {
    if (binding.kind === 'unbound') return '';
    for (const step of binding.steps) if (!this.#serials.has(step)) this.changed(step);
    return binding.steps.map((step) => this.#serials.get(step)).join(' ');
  }
}
