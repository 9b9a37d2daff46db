import type { VersionState } from '../types/model.js';
import { Lifecycle } from './lifecycle.js';
import { parseVersion } from './lookup.js';

/** What should be served of one model. */
export interface WantedModel {
  readonly name: string;
  /** Why nothing of it can be loaded, '' = it can. */
  readonly problem: string;
  /** The problem keeps the server from being ready. A configuration that was never understood does not (fact sheet 10.1). */
  readonly blocksReadiness: boolean;
  /** Ascending. */
  readonly versions: readonly number[];
}

/** A line of the repository index (fact sheet 1.5). */
export interface IndexEntry {
  readonly name: string;
  readonly version?: string;
  readonly state?: VersionState;
  readonly reason?: string;
}

/** One version that the server knows a state of. `loaded` is there exactly while it is ready. */
export class VersionRecord<Loaded> {
  readonly version: number;
  readonly lifecycle = new Lifecycle();
  #loaded: Loaded | null = null;

  constructor(version: number) {
    this.version = version;
  }

  get loaded(): Loaded | null {
    return this.#loaded;
  }

  becameReady(loaded: Loaded): void {
    this.lifecycle.transition('ready');
    this.#loaded = loaded;
  }

  /** Nobody finds it any more; whoever called has to take down what it returns. */
  beginDraining(): Loaded {
    this.lifecycle.transition('draining');
    const loaded = this.#loaded as Loaded;
    this.#loaded = null;
    return loaded;
  }
}

/** One model: its versions, and the table in which requests find them. */
export class ModelRecord<Loaded extends object> {
  readonly wanted: WantedModel;
  /** Ascending; none where the model has a problem. */
  readonly versions: readonly VersionRecord<Loaded>[];
  /** Ready versions by the text of their number; the highest also by ''. Rebuilt with each change: requests only read it. */
  readonly #table = new Map<string, Loaded>();

  constructor(wanted: WantedModel) {
    this.wanted = wanted;
    const versions = wanted.problem === '' ? wanted.versions : [];
    this.versions = versions.map((version) => new VersionRecord<Loaded>(version));
  }

  /** By the text a client wrote; '' = the latest. */
  find(version: string): Loaded | undefined {
    return this.#table.get(version) ?? this.#findOddlyWritten(version);
  }

  /** Ascending. */
  ready(): Loaded[] {
    return this.versions.flatMap(({ loaded }) => loaded ?? []);
  }

  rebuildTable(): void {
    this.#table.clear();
    for (const { version, loaded } of this.versions) {
      if (loaded !== null) this.#table.set(String(version), loaded).set('', loaded);
    }
  }

  /** Strict readiness (fact sheet 10.1): of a model whose configuration was never understood the server knows no state. */
  isReady(isHealthy: (loaded: Loaded) => boolean): boolean {
    if (this.wanted.problem !== '') return !this.wanted.blocksReadiness;
    if (this.versions.length === 0) return false;
    return this.versions.every(({ loaded, lifecycle }) =>
      loaded !== null ? isHealthy(loaded) : lifecycle.state === 'unloaded',
    );
  }

  indexEntries(): IndexEntry[] {
    const { name, problem } = this.wanted;
    if (problem !== '') return [{ name, state: 'UNAVAILABLE', reason: problem }];
    return this.versions.map(({ version, lifecycle }) => {
      const entry = { name, version: String(version), state: lifecycle.indexState };
      return lifecycle.reason === '' ? entry : { ...entry, reason: lifecycle.reason };
    });
  }

  /** `01` is version 1. */
  #findOddlyWritten(version: string): Loaded | undefined {
    return version.startsWith('0') ? this.#table.get(String(parseVersion(version))) : undefined;
  }
}
