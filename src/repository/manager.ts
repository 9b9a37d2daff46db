import type { Log } from '../base/log.js';
import { asServerError, invalid } from '../types/errors.js';
import { Gate } from './bounded.js';
import { notFound } from './lookup.js';
import { type IndexEntry, ModelRecord, type VersionRecord } from './model-record.js';
import { type ModelEntry, NAMESPACE_MARK } from './scan.js';
import { planVersions } from './version-plan.js';
import type { WantedModel, WantedVersion } from './wanted.js';

export interface ManagerActions<Loaded> {
  /** `signal` is aborted when nobody wants the result any more; what comes nevertheless is unloaded. */
  load(model: WantedModel, version: WantedVersion, signal: AbortSignal): Promise<Loaded>;
  /** Changes what serves to the settings of `model`; false = it has to be loaded anew, and nothing was changed. */
  adjust(loaded: Loaded, model: WantedModel, version: WantedVersion): Promise<boolean>;
  /**
   * Answers what it has accepted, then takes everything down.
   * @param heir what is found in its place, and may have to send it what belongs to it; null = nothing is
   */
  unload(loaded: Loaded, heir: Loaded | null): Promise<void>;
  /** Nothing is loaded of a temporary folder any more. */
  discard(model: WantedModel): Promise<void>;
}

export interface ManagerLimits {
  /** `--model-load-thread-count`: versions that load at the same time. */
  readonly threads: number;
  /** `--model-load-retry-count`: how often a load is tried again. */
  readonly retries: number;
}

/** A version that could not be loaded. */
export interface LoadFailure {
  readonly version: number;
  /** As the index shows it. */
  readonly reason: string;
}

interface LoadSuccess<Loaded> {
  readonly wanted: WantedVersion;
  readonly loaded: Loaded;
}

/** refused: its configuration or its folder is of no use. outdated: something else was asked for meanwhile. */
export type Outcome =
  | { readonly kind: 'served' | 'outdated' }
  | { readonly kind: 'refused'; readonly problem: string }
  | { readonly kind: 'failed'; readonly failures: readonly LoadFailure[] };

const OUTDATED: Outcome = { kind: 'outdated' };

/** Keeps the versions of all models where they are wanted. Knows nothing of what it loads. */
export class ModelManager<Loaded extends object> {
  readonly #models = new Map<string, ModelRecord<Loaded>>();
  readonly #actions: ManagerActions<Loaded>;
  readonly #retries: number;
  readonly #gate: Gate;
  readonly #log: Log;
  /** Of versions that nobody finds any more. */
  readonly #leaving = new Set<Promise<void>>();
  /** Temporary folders that are still there. */
  readonly #folders = new Set<WantedModel>();
  #isOver = false;

  constructor(actions: ManagerActions<Loaded>, limits: ManagerLimits, log: Log) {
    this.#actions = actions;
    this.#retries = limits.retries;
    this.#gate = new Gate(limits.threads);
    this.#log = log;
  }

  /**
   * Brings a model to where it is wanted: all that is new is loaded beside what serves, then takes its place at once. Where something
   * serves and something new fails, all stays as it was. Never rejects: what failed has its reason in the index.
   */
  apply(wanted: WantedModel): Promise<Outcome> {
    const record = this.#models.get(wanted.name) ?? new ModelRecord<Loaded>(wanted.name);
    this.#models.set(wanted.name, record);
    record.isForgotten = false;
    if (wanted.isTemporary) this.#folders.add(wanted);
    return record.operations.run(async (signal) => {
      const outcome = await this.#serve(record, wanted, signal);
      if (record.source !== wanted) this.#discardAfter(wanted, []);
      return outcome;
    });
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
      if (record.isForgotten) this.#models.delete(name);
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
        `model '${name}' is in several repositories: ask for ${others.map((it) => `'${it}'`).join(' or ')}`,
      );
    }
    throw notFound(name, version, record?.versions.map((known) => known.version) ?? []);
  }

  /** Where the configuration of what is served was read; null = it came with a load request, or nothing is. */
  sourceOf(name: string): ModelEntry | null {
    return this.#models.get(name)?.source?.source ?? null;
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
    await Promise.all(this.#leaving);
  }

  async #serve(record: ModelRecord<Loaded>, wanted: WantedModel, signal: AbortSignal): Promise<Outcome> {
    if (signal.aborted || this.#isOver) return OUTDATED;
    if (wanted.problem !== '') return this.#refuse(record, wanted);
    const plan = planVersions(record.served(), wanted.versions);
    const fixed = await this.#adjust(record, wanted, plan.adjust, signal);
    if (signal.aborted) return OUTDATED;
    const toLoad = wanted.versions.filter(({ version }) => plan.load.includes(version) || fixed.includes(version));
    if (record.served().length === 0) record.wanted = wanted;
    const results = await Promise.all(toLoad.map((version) => this.#load(record, wanted, version, signal)));
    const loaded = results.flatMap((result) => ('loaded' in result ? [result] : []));
    const failures = results.flatMap((result) => ('reason' in result ? [result] : []));
    if (signal.aborted) return this.#throwAway(record, loaded, OUTDATED);
    this.#noteFailures(record, failures);
    if (failures.length > 0 && record.served().length > 0) {
      record.setback = failures.map(({ version, reason }) => `version ${version} failed to load: ${reason}`).join('; ');
      return this.#throwAway(record, loaded, { kind: 'failed', failures });
    }
    this.#switch(record, wanted, loaded);
    return failures.length > 0 ? { kind: 'failed', failures } : { kind: 'served' };
  }

  #unload(record: ModelRecord<Loaded>): readonly (Promise<void> | null)[] {
    record.operations.supersede();
    const { source } = record;
    record.wanted = null;
    record.source = null;
    record.setback = '';
    const gone = record.versions.map((version) => this.#leave(record, version, null));
    record.rebuildTable();
    this.#discardAfter(source, gone);
    return gone;
  }

  /** What serves goes on. */
  #refuse(record: ModelRecord<Loaded>, wanted: WantedModel): Outcome {
    const { problem } = wanted;
    if (record.served().length > 0) record.setback = problem;
    else record.wanted = wanted;
    this.#log.error(`failed to load '${record.name}': ${problem}`);
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
      if (isDone) served.stamps = version;
      else fixed.push(version.version);
      if (isDone) this.#log.info(`changed the settings of '${record.name}' version ${version.version} in place`);
    }
    return fixed;
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
          return { wanted, loaded: await this.#actions.load(model, wanted, signal) };
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
      const { loaded, lifecycle } = record.get(version);
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
    await Promise.all(loaded.map(({ wanted, loaded }) => this.#takeDown(record, wanted.version, loaded, null)));
    return outcome;
  }

  /** From one moment to the next, requests find what is new. */
  #switch(record: ModelRecord<Loaded>, wanted: WantedModel, loaded: readonly LoadSuccess<Loaded>[]): void {
    const before = record.source;
    record.wanted = wanted;
    record.setback = '';
    const replaced = loaded.map(({ wanted: version, loaded: heir }) => {
      const old = record.get(version.version).serve(heir, version);
      this.#log.info(`successfully loaded '${record.name}' version ${version.version}`);
      return old === null ? null : this.#takeDown(record, version.version, old, heir);
    });
    const isWanted = (version: number) => wanted.versions.some((it) => it.version === version);
    const newest = record.versions.findLast((it) => it.loaded !== null && isWanted(it.version))?.loaded ?? null;
    const dropped = record.versions.filter(({ version }) => !isWanted(version));
    const left = dropped.map((version) => this.#leave(record, version, newest));
    record.source = newest === null ? null : wanted;
    record.rebuildTable();
    this.#discardAfter(before, [...replaced, ...left]);
  }

  /** Null = there is nothing to take down. */
  #leave(record: ModelRecord<Loaded>, version: VersionRecord<Loaded>, heir: Loaded | null): Promise<void> | null {
    const { lifecycle } = version;
    if (version.loaded === null) {
      if (lifecycle.state !== 'draining') lifecycle.transition('unloaded', 'unloaded');
      return null;
    }
    const gone = this.#takeDown(record, version.version, version.beginDraining(), heir);
    return gone.then(() => lifecycle.transition('unloaded', 'unloaded'));
  }

  /** Nobody finds it any more, or ever did. Never rejects. */
  #takeDown(record: ModelRecord<Loaded>, version: number, loaded: Loaded, heir: Loaded | null): Promise<void> {
    const gone = this.#actions
      .unload(loaded, heir)
      .catch((error) => {
        const reason = asServerError(error).toString();
        this.#log.error(`failed to unload '${record.name}' version ${version}: ${reason}`);
      })
      .then(() => {
        this.#leaving.delete(gone);
      });
    this.#leaving.add(gone);
    return gone;
  }

  #discardAfter(wanted: WantedModel | null, gone: readonly (Promise<void> | null)[]): void {
    if (wanted === null || !this.#folders.delete(wanted)) return;
    const discarded = Promise.all(gone)
      .then(() => this.#actions.discard(wanted))
      .then(() => {
        this.#leaving.delete(discarded);
      });
    this.#leaving.add(discarded);
  }

  #sorted(): ModelRecord<Loaded>[] {
    return [...this.#models.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}
