import type { ModelConfig } from '../config/model-config.js';
import type { VersionState } from '../types/model.js';
import { Lifecycle } from './lifecycle.js';
import { parseVersion } from './lookup.js';
import { Operations } from './operations.js';
import type { VersionStamps } from './stamps.js';
import type { ServedVersion } from './version-plan.js';
import type { WantedModel } from './wanted.js';

/** A line of the repository index (fact sheet 1.5). */
export interface IndexEntry {
  readonly name: string;
  readonly version?: string;
  readonly state?: VersionState;
  readonly reason?: string;
}

/** Why an ensemble cannot serve: its steps do not let it. */
export interface Lack {
  readonly problem: string;
  /** Somebody unloaded a step. */
  readonly isGone: boolean;
}

/** One version that the server knows a state of. `loaded` is there exactly while it is ready. */
export class VersionRecord<Loaded> {
  readonly version: number;
  readonly lifecycle = new Lifecycle();
  /** What `loaded` was made of. */
  stamps: VersionStamps = { files: '', settings: '' };
  #loaded: Loaded | null = null;

  constructor(version: number) {
    this.version = version;
  }

  get loaded(): Loaded | null {
    return this.#loaded;
  }

  /** The result has nobody any more who finds it: whoever called has to take it down. Null = there was none. */
  serve(loaded: Loaded, stamps: VersionStamps): Loaded | null {
    const before = this.#loaded;
    if (before === null) this.lifecycle.transition('ready');
    this.#loaded = loaded;
    this.stamps = stamps;
    return before;
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
  readonly name: string;
  readonly operations = new Operations();
  /** What was asked for last and understood; it may have to wait for its turn. Null = nobody wants the model. */
  asked: WantedModel | null = null;
  /** What is served, or would be if it could. Null = nobody wants the model. */
  #wanted: WantedModel | null = null;
  /** What serves was made of its folder. Null = nothing serves. */
  source: WantedModel | null = null;
  /** The index is to know nothing of it when it is gone. */
  isForgotten = false;
  /** Why it is not as it was wanted although something serves; '' = it is. */
  setback = '';
  /** Why none of it serves although it was understood; null = it does, or not for its steps. */
  lack: Lack | null = null;
  /** An operation that holds it against its steps waits for its turn. */
  isRevisionDue = false;
  #lastConfig: ModelConfig | null = null;
  readonly #versions = new Map<number, VersionRecord<Loaded>>();
  /** Ready versions by the text of their number; the highest also by ''. Rebuilt with each change: requests only read it. */
  readonly #table = new Map<string, Loaded>();

  constructor(name: string) {
    this.name = name;
  }

  get wanted(): WantedModel | null {
    return this.#wanted;
  }

  set wanted(wanted: WantedModel | null) {
    this.#wanted = wanted;
    if (wanted !== null && wanted.config !== null) this.#lastConfig = wanted.config;
  }

  /** Of what was wanted last and understood, also when nobody wants the model any more; null = it never was. */
  get lastConfig(): ModelConfig | null {
    return this.#lastConfig;
  }

  /** Ascending. */
  get versions(): VersionRecord<Loaded>[] {
    return [...this.#versions.values()].sort((a, b) => a.version - b.version);
  }

  /** By the text a client wrote; '' = the latest. */
  find(version: string): Loaded | undefined {
    return this.#table.get(version) ?? this.#findOddlyWritten(version);
  }

  /** Ascending. */
  ready(): Loaded[] {
    return this.versions.flatMap(({ loaded }) => loaded ?? []);
  }

  /** Ascending. */
  served(): ServedVersion[] {
    return this.versions.filter(({ loaded }) => loaded !== null).map(({ version, stamps }) => ({ version, ...stamps }));
  }

  get(version: number): VersionRecord<Loaded> {
    return this.#versions.get(version)!;
  }

  /** A version that is about to be loaded; one that serves goes on. */
  begin(version: number): VersionRecord<Loaded> {
    const known = this.#versions.get(version);
    // One that is still being taken down has its own end before it.
    if (known !== undefined && known.lifecycle.state !== 'draining') return known;
    const record = new VersionRecord<Loaded>(version);
    this.#versions.set(version, record);
    return record;
  }

  /** As `begin`, for one that nobody can find: it is loading from now on. */
  beginLoading(version: number): VersionRecord<Loaded> {
    const record = this.begin(version);
    if (record.loaded === null && record.lifecycle.state !== 'loading') record.lifecycle.transition('loading');
    return record;
  }

  rebuildTable(): void {
    this.#table.clear();
    for (const { version, loaded } of this.versions) {
      if (loaded !== null) this.#table.set(String(version), loaded).set('', loaded);
    }
  }

  /** Every version that is wanted serves, made of what it should be. */
  get isComplete(): boolean {
    if (this.wanted === null) return true;
    if (this.wanted.problem !== '' || this.setback !== '') return false;
    return this.wanted.versions.every(({ version }) => this.#versions.get(version)?.loaded != null);
  }

  /**
   * Strict readiness (fact sheet 10.1). Of a model whose configuration was never understood the server knows no state; one that serves
   * as it did before a reload failed is ready.
   */
  isReady(isHealthy: (loaded: Loaded) => boolean): boolean {
    const ready = this.ready();
    if (ready.length > 0 && this.setback !== '') return ready.every(isHealthy);
    if (this.wanted === null) return true;
    if (this.wanted.problem !== '') return !this.wanted.blocksReadiness;
    return this.versions.every(({ loaded, lifecycle }) =>
      loaded !== null ? isHealthy(loaded) : lifecycle.state === 'unloaded' || lifecycle.state === 'draining',
    );
  }

  indexEntries(): IndexEntry[] {
    const { name } = this;
    const problem = this.wanted?.problem || (this.lack?.problem ?? '');
    if (problem !== '' && this.#versions.size === 0) return [{ name, state: 'UNAVAILABLE', reason: problem }];
    return this.versions.map(({ version, lifecycle, loaded }) => {
      const entry = { name, version: String(version), state: lifecycle.indexState };
      const reason = loaded === null ? lifecycle.reason : this.setback;
      return reason === '' ? entry : { ...entry, reason };
    });
  }

  /** `01` is version 1. */
  #findOddlyWritten(version: string): Loaded | undefined {
    return version.startsWith('0') ? this.#table.get(String(parseVersion(version))) : undefined;
  }
}
