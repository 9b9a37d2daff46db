import type { Log } from '../base/log.js';
import type { ModelConfig } from '../config/model-config.js';
import { asServerError, invalid } from '../types/errors.js';
import type { ManagerActions } from './actions.js';
import { Gate } from './bounded.js';
import { needsOf, stepsFirst } from './dependencies.js';
import { Ensembles } from './ensembles.js';
import { notFound } from './lookup.js';
import { type IndexEntry, ModelRecord } from './model-record.js';
import { untilAborted } from './operations.js';
import type { LoadFailure, Outcome } from './outcome.js';
import { type ModelEntry, NAMESPACE_MARK } from './scan.js';
import { type LoadSuccess, Succession } from './succession.js';
import { planVersions } from './version-plan.js';
import type { WantedModel, WantedVersion } from './wanted.js';

export interface ManagerLimits {
  /** `--model-load-thread-count`: versions that load at the same time. */
  readonly threads: number;
  /** `--model-load-retry-count`: how often a load is tried again. */
  readonly retries: number;
}

const OUTDATED: Outcome = { kind: 'outdated' };

/** Keeps the versions of all models where they are wanted. Knows nothing of what it loads. */
export class ModelManager<Loaded extends object> {
  readonly #models = new Map<string, ModelRecord<Loaded>>();
  readonly #actions: ManagerActions<Loaded>;
  readonly #retries: number;
  readonly #gate: Gate;
  readonly #log: Log;
  readonly #succession: Succession<Loaded>;
  readonly #ensembles: Ensembles<Loaded>;
  #isOver = false;

  constructor(actions: ManagerActions<Loaded>, limits: ManagerLimits, log: Log) {
    this.#actions = actions;
    this.#retries = limits.retries;
    this.#gate = new Gate(limits.threads);
    this.#log = log;
    this.#succession = new Succession(actions, log);
    this.#ensembles = new Ensembles(this.#models, actions.load.bind(actions), this.#succession, log);
  }

  /** Brings models to where they are wanted, one beside the other, but what needs others behind those. As `apply`, in the order given. */
  applyAll(models: readonly WantedModel[]): Promise<Outcome[]> {
    const outcomes = new Map(stepsFirst(models).map((wanted) => [wanted, this.apply(wanted)]));
    return Promise.all(models.map((wanted) => outcomes.get(wanted)!));
  }

  /**
   * Brings a model to where it is wanted: all that is new is loaded beside what serves, then takes its place at once. Where something
   * serves and something new fails, all stays as it was; but an ensemble that its steps do not let serve is gone. Resolves when the
   * ensembles that need the model have followed. Never rejects: what failed has its reason in the index.
   */
  async apply(wanted: WantedModel): Promise<Outcome> {
    const record = this.#models.get(wanted.name) ?? new ModelRecord<Loaded>(wanted.name);
    this.#models.set(wanted.name, record);
    record.isForgotten = false;
    if (wanted.problem === '') record.asked = wanted;
    this.#succession.keepFolder(wanted);
    const stepsSettled = this.#ensembles.stepsSettled(wanted);
    const outcome = await record.operations.run(async (signal) => {
      if (wanted.steps.length > 0) await untilAborted(stepsSettled, signal);
      const outcome = await this.#serve(record, wanted, signal);
      this.#succession.releaseFolder(record, wanted);
      return outcome;
    });
    await this.#ensembles.aboveSettled(wanted.name);
    return outcome;
  }

  /** Nobody finds the model from now on; what it has accepted is answered. Unknown models are fine. */
  unload(name: string): void {
    const record = this.#models.get(name);
    if (record !== undefined) this.#unload(record);
  }

  /** As `unload`, and the index knows nothing of the model when it is gone. */
  forget(name: string): void {
    const record = this.#models.get(name);
    if (record === undefined) return;
    record.isForgotten = true;
    const gone = Promise.all(this.#unload(record));
    void record.operations.run(async () => {
      await gone;
      if (!record.isForgotten) return;
      this.#models.delete(name);
      // Of two models that a step could have meant one may be left.
      this.#ensembles.reviseAbove(name);
    });
  }

  /** '' = the latest ready version. Throws NOT_FOUND or UNAVAILABLE with Triton's texts (fact sheet 0.3, 13.2 items 7 to 10). */
  find(name: string, version: string): Loaded {
    const record = this.#models.get(name);
    const found = record?.find(version);
    if (found !== undefined) return found;
    const others = [...this.#models.keys()].filter((other) => other.endsWith(NAMESPACE_MARK + name));
    if (others.length > 0) {
      throw invalid(
        `There are ${others.length} identifiers of model '${name}' in global map, model namespace must be provided to resolve ambiguity. ` +
          `Ask for ${others.map((it) => `'${it}'`).join(' or ')}.`,
      );
    }
    throw notFound(name, version, record?.versions.map((known) => known.version) ?? []);
  }

  /** Of every model that was understood once and is still known, by name: its configuration before its backend completed it. */
  configs(): ReadonlyMap<string, ModelConfig> {
    const known = this.#sorted().flatMap(({ name, lastConfig }): [string, ModelConfig][] =>
      lastConfig === null ? [] : [[name, lastConfig]],
    );
    return new Map(known);
  }

  /** Where the configuration of what is served was read; null = it came with a load request, or nothing is. */
  sourceOf(name: string): ModelEntry | null {
    return this.#models.get(name)?.source?.source ?? null;
  }

  /** What is wanted of it came with a load request, in part or as a whole. */
  isOverridden(name: string): boolean {
    const wanted = this.#models.get(name)?.wanted ?? null;
    return wanted !== null && wanted.problem === '' && wanted.source === null;
  }

  /** The models that a wanted one needs as its steps, by name. */
  needsOf(name: string): string[] {
    const asked = this.#models.get(name)?.asked ?? null;
    return asked === null ? [] : needsOf(asked, this.#models);
  }

  /** The wanted models that have this one as a step, by name. */
  dependentsOf(name: string): string[] {
    return [...this.#models.keys()].filter((other) => this.needsOf(other).includes(name));
  }

  /** Ascending. */
  readyVersions(name: string): number[] {
    const versions = this.#models.get(name)?.versions ?? [];
    return versions.filter(({ loaded }) => loaded !== null).map(({ version }) => version);
  }

  /** All ready versions, by name, then version. */
  loaded(): Loaded[] {
    return this.#sorted().flatMap((record) => record.ready());
  }

  /** Every model is as it was wanted: nothing failed. */
  get isComplete(): boolean {
    return this.#sorted().every((record) => record.isComplete);
  }

  /**
   * Readiness of the server (fact sheet 10.1). `strict`: every version that has a state is ready or was unloaded, and is healthy;
   * a model whose configuration was never understood has none.
   */
  ready(strict: boolean, isHealthy: (loaded: Loaded) => boolean): boolean {
    return !strict || [...this.#models.values()].every((record) => record.isReady(isHealthy));
  }

  /** One entry per version, by name, then version; one for a model without versions. */
  index(): IndexEntry[] {
    return this.#sorted().flatMap((record) => record.indexEntries());
  }

  /** Loads are out of date from now on: those under way end as soon as they can. What serves goes on. */
  endLoads(): void {
    this.#isOver = true;
    this.#ensembles.end();
    for (const { operations } of this.#models.values()) operations.supersede();
  }

  /**
   * Everything goes, also what is still loading; nothing is found from now on. Resolves when all is taken down. Never rejects: what
   * cannot be taken down is logged. Nothing can be loaded afterwards.
   */
  async unloadAll(): Promise<void> {
    this.endLoads();
    for (const record of this.#models.values()) this.#unload(record);
    await Promise.all([...this.#models.values()].map(({ operations }) => operations.idle()));
    await this.#succession.idle();
  }

  async #serve(record: ModelRecord<Loaded>, wanted: WantedModel, signal: AbortSignal): Promise<Outcome> {
    if (signal.aborted || this.#isOver) return OUTDATED;
    if (wanted.problem !== '') return this.#refuse(record, wanted);
    if (wanted.steps.length > 0) return this.#compose(record, wanted, signal);
    const plan = planVersions(record.served(), wanted.versions);
    const fixed = await this.#adjust(record, wanted, plan.adjust, signal);
    if (signal.aborted) return OUTDATED;
    const toLoad = wanted.versions.filter(({ version }) => plan.load.includes(version) || fixed.includes(version));
    record.lack = null;
    if (record.served().length === 0) this.#succession.aim(record, wanted);
    const results = await Promise.all(toLoad.map((version) => this.#load(record, wanted, version, signal)));
    const loaded = results.flatMap((result) => ('loaded' in result ? [result] : []));
    const failures = results.flatMap((result) => ('reason' in result ? [result] : []));
    if (signal.aborted) return this.#throwAway(record, loaded, OUTDATED);
    this.#noteFailures(record, failures);
    if (failures.length > 0 && record.served().length > 0) {
      record.setback = failures.map(({ version, reason }) => `version ${version} failed to load: ${reason}`).join('; ');
      this.#ensembles.reviseAbove(record.name);
      return this.#throwAway(record, loaded, { kind: 'failed', failures });
    }
    this.#succession.switchTo(record, wanted, loaded);
    record.setback = '';
    this.#ensembles.reviseAbove(record.name);
    return failures.length > 0 ? { kind: 'failed', failures } : { kind: 'served' };
  }

  #compose(record: ModelRecord<Loaded>, wanted: WantedModel, signal: AbortSignal): Promise<Outcome> {
    this.#succession.aim(record, wanted);
    record.setback = '';
    return this.#ensembles.compose(record, wanted, signal);
  }

  #unload(record: ModelRecord<Loaded>): readonly (Promise<void> | null)[] {
    record.operations.supersede();
    const gone = this.#succession.abandon(record);
    this.#ensembles.takeAlong(record.name);
    this.#ensembles.reviseAbove(record.name);
    return gone;
  }

  /** What serves goes on. */
  #refuse(record: ModelRecord<Loaded>, wanted: WantedModel): Outcome {
    const { problem } = wanted;
    if (record.served().length > 0) record.setback = problem;
    else this.#succession.aim(record, wanted);
    this.#log.error(`failed to load '${record.name}': ${problem}`);
    this.#ensembles.reviseAbove(record.name);
    return { kind: 'refused', problem };
  }

  /** The versions that cannot be changed while they serve. */
  async #adjust(
    record: ModelRecord<Loaded>,
    wanted: WantedModel,
    versions: readonly number[],
    signal: AbortSignal,
  ): Promise<number[]> {
    const fixed: number[] = [];
    for (const version of wanted.versions.filter((it) => versions.includes(it.version))) {
      if (signal.aborted) break;
      const served = record.get(version.version);
      const isDone = await this.#actions.adjust(served.loaded!, wanted, version).catch(() => false);
      if (!isDone) fixed.push(version.version);
      else this.#adjusted(record, version);
    }
    return fixed;
  }

  #adjusted(record: ModelRecord<Loaded>, version: WantedVersion): void {
    const served = record.get(version.version);
    served.stamps = version;
    if (served.loaded !== null) this.#ensembles.changed(served.loaded);
    this.#log.info(`changed the settings of '${record.name}' version ${version.version} in place`);
  }

  /** Never rejects. */
  #load(
    record: ModelRecord<Loaded>,
    model: WantedModel,
    wanted: WantedVersion,
    signal: AbortSignal,
  ): Promise<LoadSuccess<Loaded> | LoadFailure> {
    const { version } = wanted;
    const known = record.begin(version);
    return this.#gate.run(async () => {
      if (!signal.aborted && known.loaded === null) known.lifecycle.transition('loading');
      for (let left = this.#retries; ; left--) {
        if (signal.aborted) return { version, reason: 'outdated' };
        try {
          return { wanted, loaded: await this.#actions.load(model, wanted, signal, []) };
        } catch (error) {
          const reason = asServerError(error).toString();
          if (left <= 0) return { version, reason };
          this.#log.warning(`'${record.name}' version ${version} is loaded again after: ${reason}`);
        }
      }
    });
  }

  #noteFailures(record: ModelRecord<Loaded>, failures: readonly LoadFailure[]): void {
    for (const { version, reason } of failures) {
      const { loaded, lifecycle } = record.beginLoading(version);
      if (loaded === null) lifecycle.transition('failed', reason);
      const rest = record.served().length > 0 ? '; what was loaded before goes on' : '';
      this.#log.error(`failed to load '${record.name}' version ${version}: ${reason}${rest}`);
    }
  }

  /** Versions that were loaded for nothing. */
  async #throwAway(
    record: ModelRecord<Loaded>,
    loaded: readonly LoadSuccess<Loaded>[],
    outcome: Outcome,
  ): Promise<Outcome> {
    for (const { wanted } of loaded) {
      const { lifecycle } = record.get(wanted.version);
      if (lifecycle.state === 'loading' && outcome !== OUTDATED) lifecycle.transition('unloaded', 'unloaded');
    }
    await Promise.all(
      loaded.map(({ wanted, loaded }) => this.#succession.takeDown(record.name, wanted.version, loaded, null)),
    );
    return outcome;
  }

  #sorted(): ModelRecord<Loaded>[] {
    return [...this.#models.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}
