import type { Log } from '../base/log.js';
import { asServerError } from '../types/errors.js';
import { mapBounded } from './bounded.js';
import { notFound } from './lookup.js';
import { type IndexEntry, ModelRecord, type VersionRecord, type WantedModel } from './model-record.js';

export interface ManagerActions<Loaded> {
  /** `signal` is aborted when nobody wants the result any more; what comes nevertheless is unloaded. */
  load(name: string, version: number, signal: AbortSignal): Promise<Loaded>;
  /** Answers what it has accepted, then takes everything down. */
  unload(loaded: Loaded): Promise<void>;
}

/** Keeps the versions of all models where they are wanted. Knows nothing of what it loads. */
export class ModelManager<Loaded extends object> {
  readonly #models = new Map<string, ModelRecord<Loaded>>();
  readonly #actions: ManagerActions<Loaded>;
  readonly #log: Log;
  /** Aborted when everything is to go. */
  readonly #end = new AbortController();
  #starting: Promise<unknown> = Promise.resolve();
  #gone: Promise<unknown> | null = null;

  constructor(actions: ManagerActions<Loaded>, log: Log) {
    this.#actions = actions;
    this.#log = log;
  }

  /** Loads all that is wanted, at most `threads` versions at a time. Never rejects: what failed has its reason in the index. */
  async start(wanted: readonly WantedModel[], threads: number): Promise<void> {
    const records = wanted.map((model) => new ModelRecord<Loaded>(model));
    for (const record of records) {
      const { name, problem } = record.wanted;
      this.#models.set(name, record);
      if (problem !== '') this.#log.error(`failed to load '${name}': ${problem}`);
    }
    const tasks = records.flatMap((record) => record.versions.map((version) => ({ record, version })));
    this.#starting = mapBounded(tasks, threads, ({ record, version }) => this.#load(record, version));
    await this.#starting;
  }

  /** '' = the latest ready version. Throws NOT_FOUND or UNAVAILABLE with Triton's texts (fact sheet 0.3, 13.2 items 7 to 10). */
  find(name: string, version: string): Loaded {
    const record = this.#models.get(name);
    const found = record?.find(version);
    if (found !== undefined) return found;
    throw notFound(name, version, record?.versions.map((known) => known.version) ?? []);
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
    return this.#sorted().every(
      ({ wanted, versions }) => wanted.problem === '' && versions.every(({ loaded }) => loaded !== null),
    );
  }

  /**
   * Readiness of the server (fact sheet 10.1). `strict`: every version that has a state is ready or was unloaded, and is healthy;
   * a model whose configuration was never understood has none.
   */
  ready(strict: boolean, isHealthy: (loaded: Loaded) => boolean): boolean {
    return !strict || [...this.#models.values()].every((record) => record.isReady(isHealthy));
  }

  /** One entry per version, by name, then version; one for a model without versions. */
  index(readyOnly: boolean): IndexEntry[] {
    const entries = this.#sorted().flatMap((record) => record.indexEntries());
    return readyOnly ? entries.filter(({ state }) => state === 'READY') : entries;
  }

  /**
   * Everything goes, also what is still loading; nothing is found from now on. Resolves when all is taken down. Never rejects: what
   * cannot be taken down is logged. There is no second start.
   */
  async unloadAll(): Promise<void> {
    this.#end.abort();
    this.#gone ??= Promise.all([this.#starting, ...[...this.#models.values()].map((record) => this.#unload(record))]);
    await this.#gone;
  }

  async #load(record: ModelRecord<Loaded>, version: VersionRecord<Loaded>): Promise<void> {
    if (this.#end.signal.aborted) return version.lifecycle.transition('unloaded', 'unloaded');
    const { name } = record.wanted;
    version.lifecycle.transition('loading');
    try {
      const loaded = await this.#actions.load(name, version.version, this.#end.signal);
      if (this.#end.signal.aborted) return await this.#takeDown(record, version, loaded);
      version.becameReady(loaded);
      record.rebuildTable();
      this.#log.info(`successfully loaded '${name}' version ${version.version}`);
    } catch (error) {
      const reason = asServerError(error).toString();
      version.lifecycle.transition('failed', reason);
      this.#log.error(`failed to load '${name}' version ${version.version}: ${reason}`);
    }
  }

  async #unload(record: ModelRecord<Loaded>): Promise<void> {
    const ready = record.versions.filter(({ loaded }) => loaded !== null);
    const leaving = ready.map((version) => ({ version, loaded: version.beginDraining() }));
    record.rebuildTable();
    await Promise.all(leaving.map(({ version, loaded }) => this.#takeDown(record, version, loaded)));
  }

  /** Nobody finds it any more, or ever did. */
  async #takeDown(record: ModelRecord<Loaded>, version: VersionRecord<Loaded>, loaded: Loaded): Promise<void> {
    try {
      await this.#actions.unload(loaded);
    } catch (error) {
      const reason = asServerError(error).toString();
      this.#log.error(`failed to unload '${record.wanted.name}' version ${version.version}: ${reason}`);
    }
    version.lifecycle.transition('unloaded', 'unloaded');
  }

  #sorted(): ModelRecord<Loaded>[] {
    return [...this.#models.values()].sort((a, b) => (a.wanted.name < b.wanted.name ? -1 : 1));
  }
}
