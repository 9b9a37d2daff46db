import type { Log } from '../base/log.js';
import { asServerError, invalid, ServerError } from '../types/errors.js';
import type { VersionState } from '../types/model.js';
import { Lifecycle } from './lifecycle.js';

/** A line of the repository index (fact sheet 1.5). */
export interface IndexEntry {
  readonly name: string;
  readonly version?: string;
  readonly state?: VersionState;
  readonly reason?: string;
}

/** What should be served of one model. */
export interface WantedModel {
  readonly name: string;
  /** Why nothing of it can be loaded, '' = it can. */
  readonly problem: string;
  /** The index shows the problem as a state of the model; else only its name. */
  readonly showsProblem: boolean;
  /** Ascending. */
  readonly versions: readonly number[];
}

export interface ManagerActions<Loaded> {
  load(name: string, version: number): Promise<Loaded>;
  unload(loaded: Loaded): Promise<void>;
}

interface VersionRecord<Loaded> {
  readonly version: number;
  readonly lifecycle: Lifecycle;
  loaded: Loaded | null;
}

interface ModelRecord<Loaded> {
  readonly wanted: WantedModel;
  /** Ascending. */
  readonly versions: VersionRecord<Loaded>[];
  /** The highest ready version: what a request without a version gets. */
  latest: Loaded | null;
}

/** Keeps the versions of all models where they are wanted. Knows nothing of what it loads. */
export class ModelManager<Loaded> {
  readonly #models = new Map<string, ModelRecord<Loaded>>();
  readonly #actions: ManagerActions<Loaded>;
  readonly #log: Log;

  constructor(actions: ManagerActions<Loaded>, log: Log) {
    this.#actions = actions;
    this.#log = log;
  }

  /** Loads all that is wanted, at most `threads` versions at a time. Never rejects: what failed has its reason in the index. */
  async start(wanted: readonly WantedModel[], threads: number): Promise<void> {
    const queue: (() => Promise<void>)[] = [];
    for (const model of wanted) {
      const record: ModelRecord<Loaded> = { wanted: model, versions: [], latest: null };
      this.#models.set(model.name, record);
      if (model.problem !== '') this.#log.error(`failed to load '${model.name}': ${model.problem}`);
      else for (const version of model.versions) queue.push(() => this.#load(record, this.#newVersion(record, version)));
    }
    const worker = async () => {
      for (let task = queue.shift(); task !== undefined; task = queue.shift()) await task();
    };
    await Promise.all(Array.from({ length: threads }, worker));
  }

  /** '' = the latest ready version. Throws NOT_FOUND or UNAVAILABLE with Triton's texts (fact sheet 0.3, 13.2 items 7 to 10). */
  find(name: string, version: string): Loaded {
    const record = this.#models.get(name);
    if (version === '' && record !== undefined && record.latest !== null) return record.latest;
    const number = version === '' ? 0 : parseVersion(version);
    if (record === undefined || record.versions.length === 0) throw unknown('NOT_FOUND', `'${name}' is not found`);
    if (version === '') throw unknown('NOT_FOUND', `'${name}' has no available versions`);
    const found = record.versions.find((candidate) => candidate.version === number);
    if (found === undefined) throw unknown('NOT_FOUND', `'${name}' version ${number} is not found`);
    if (found.loaded !== null && found.lifecycle.state === 'ready') return found.loaded;
    throw unknown('UNAVAILABLE', `'${name}' version ${number} is not at ready state`);
  }

  /** Ascending. */
  readyVersions(name: string): number[] {
    return (this.#models.get(name)?.versions ?? []).filter(isReady).map((record) => record.version);
  }

  /** All ready versions, by name, then version. */
  loaded(): Loaded[] {
    return this.#sorted().flatMap((record) => record.versions.filter(isReady).map((version) => version.loaded as Loaded));
  }

  /** Every model is as it was wanted: nothing failed. */
  get isComplete(): boolean {
    return this.#sorted().every(({ wanted, versions }) => wanted.problem === '' && versions.every(isReady));
  }

  /**
   * Readiness of the server (fact sheet 10.1). `strict`: every version that has a state is ready or was unloaded, and is healthy;
   * a model whose configuration was never understood has none.
   */
  ready(strict: boolean, isHealthy: (loaded: Loaded) => boolean): boolean {
    if (!strict) return true;
    return this.#sorted().every(({ wanted, versions }) => {
      if (versions.length === 0) return wanted.problem !== '' && !wanted.showsProblem;
      return versions.every((version) =>
        isReady(version) ? isHealthy(version.loaded as Loaded) : version.lifecycle.state === 'unloaded',
      );
    });
  }

  /** One line per version, by name, then version; a model that never had one has a line with its name. */
  index(readyOnly: boolean): IndexEntry[] {
    const lines = this.#sorted().flatMap(indexLines);
    return readyOnly ? lines.filter((line) => line.state === 'READY') : lines;
  }

  /** Everything goes; after this nothing is found any more. */
  async unloadAll(): Promise<void> {
    const versions = [...this.#models.values()].flatMap((record) => {
      record.latest = null;
      return record.versions.filter(isReady);
    });
    await Promise.all(versions.map((version) => this.#unload(version)));
  }

  #newVersion(record: ModelRecord<Loaded>, version: number): VersionRecord<Loaded> {
    const made: VersionRecord<Loaded> = { version, lifecycle: new Lifecycle(), loaded: null };
    record.versions.push(made);
    record.versions.sort((a, b) => a.version - b.version);
    return made;
  }

  async #load(record: ModelRecord<Loaded>, version: VersionRecord<Loaded>): Promise<void> {
    const { name } = record.wanted;
    try {
      version.loaded = await this.#actions.load(name, version.version);
      version.lifecycle.transition('ready');
      record.latest = record.versions.filter(isReady).at(-1)?.loaded ?? null;
      this.#log.info(`successfully loaded '${name}' version ${version.version}`);
    } catch (error) {
      const reason = asServerError(error).toString();
      version.lifecycle.transition('failed', reason);
      this.#log.error(`failed to load '${name}' version ${version.version}: ${reason}`);
    }
  }

  async #unload(version: VersionRecord<Loaded>): Promise<void> {
    const loaded = version.loaded as Loaded;
    version.lifecycle.transition('draining');
    version.loaded = null;
    await this.#actions.unload(loaded);
    version.lifecycle.transition('unloaded', 'unloaded');
  }

  #sorted(): ModelRecord<Loaded>[] {
    return [...this.#models.values()].sort((a, b) => (a.wanted.name < b.wanted.name ? -1 : 1));
  }
}

function isReady(record: VersionRecord<unknown>): boolean {
  return record.lifecycle.state === 'ready';
}

function indexLines({ wanted, versions }: ModelRecord<unknown>): IndexEntry[] {
  const { name, problem, showsProblem } = wanted;
  if (versions.length === 0) return [showsProblem ? { name, state: 'UNAVAILABLE', reason: problem } : { name, ...why(problem) }];
  return versions.map(({ version, lifecycle }) => ({
    name,
    version: String(version),
    state: lifecycle.indexState,
    ...why(lifecycle.reason),
  }));
}

function why(reason: string): Pick<IndexEntry, 'reason'> {
  return reason === '' ? {} : { reason };
}

function unknown(code: 'NOT_FOUND' | 'UNAVAILABLE', what: string): ServerError {
  return new ServerError(code, `Request for unknown model: ${what}`);
}

/** A version as a client writes it. Beyond int64 there is none (Triton: `stol`). */
function parseVersion(text: string): number {
  if (!/^-?[0-9]+$/.test(text) || BigInt(text) > 2n ** 63n - 1n) {
    throw invalid(
      `failed to get model version from specified version string '${text}' (details: stol), version should be an integral value > 0`,
    );
  }
  if (text.startsWith('-')) {
    throw invalid(`invalid model version specified '${text}' , version should be an integral value > 0`);
  }
  return Number(text);
}
