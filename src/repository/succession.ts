import type { Log } from '../base/log.js';
import { asServerError } from '../types/errors.js';
import type { ManagerActions } from './actions.js';
import type { ModelRecord, VersionRecord } from './model-record.js';
import type { WantedModel, WantedVersion } from './wanted.js';

/** A version that was loaded, and not yet taken anybody's place. */
export interface LoadSuccess<Loaded> {
  readonly wanted: WantedVersion;
  readonly loaded: Loaded;
}

/** Null = there was nothing to take down. */
type Gone = Promise<void> | null;

/** Who takes whose place; what nobody finds any more is taken down, and what it was made from goes with it. */
export class Succession<Loaded extends object> {
  readonly #actions: ManagerActions<Loaded>;
  readonly #log: Log;
  /** Of versions that nobody finds any more, and of folders. */
  readonly #leaving = new Set<Promise<void>>();
  /** Temporary folders that are still there. */
  readonly #folders = new Set<WantedModel>();

  constructor(actions: ManagerActions<Loaded>, log: Log) {
    this.#actions = actions;
    this.#log = log;
  }

  /** From one moment to the next, requests find what is new. */
  switchTo(record: ModelRecord<Loaded>, wanted: WantedModel, loaded: readonly LoadSuccess<Loaded>[]): void {
    const before = record.source;
    this.aim(record, wanted);
    record.lack = null;
    const replaced = loaded.map(({ wanted: version, loaded: heir }) => {
      const old = record.beginLoading(version.version).serve(heir, version);
      this.#log.info(`successfully loaded '${record.name}' version ${version.version}`);
      return old === null ? null : this.takeDown(record.name, version.version, old, heir);
    });
    const isWanted = (version: number) => wanted.versions.some((it) => it.version === version);
    const newest = record.versions.findLast((it) => it.loaded !== null && isWanted(it.version))?.loaded ?? null;
    const dropped = record.versions.filter(({ version }) => !isWanted(version));
    const left = dropped.map((version) => this.#leave(record, version, newest, 'unloaded'));
    record.source = newest === null ? null : wanted;
    record.rebuildTable();
    if (before !== wanted) this.#discardAfter(before, [...replaced, ...left]);
  }

  /** The model should be this from now on, whether it can be or not. */
  aim(record: ModelRecord<Loaded>, wanted: WantedModel): void {
    const before = record.wanted;
    record.wanted = wanted;
    if (before !== wanted && before !== record.source) this.#discardAfter(before, []);
  }

  /**
   * Nobody finds any version from now on; the model may come back as what is wanted of it.
   * @param reason as the index shows it
   * @returns what was there, each resolved when it is taken down
   */
  withdraw(record: ModelRecord<Loaded>, reason: string): readonly Gone[] {
    const { source } = record;
    record.source = null;
    const gone = record.versions.map((version) => this.#leave(record, version, null, reason));
    record.rebuildTable();
    if (source !== record.wanted) this.#discardAfter(source, gone);
    return gone;
  }

  /** As `withdraw`, and nobody wants the model any more. */
  abandon(record: ModelRecord<Loaded>): readonly Gone[] {
    const { source, wanted } = record;
    record.asked = null;
    record.wanted = null;
    record.setback = '';
    record.lack = null;
    const gone = this.withdraw(record, 'unloaded');
    if (wanted !== source) this.#discardAfter(wanted, gone);
    return gone;
  }

  /** Nobody finds it any more, or ever did. Never rejects. */
  takeDown(name: string, version: number, loaded: Loaded, heir: Loaded | null): Promise<void> {
    const gone = this.#actions.unload(loaded, heir).catch((error) => {
      this.#log.error(`failed to unload '${name}' version ${version}: ${asServerError(error)}`);
    });
    return this.#await(gone);
  }

  /** A temporary folder was made for it. */
  keepFolder(wanted: WantedModel): void {
    if (wanted.isTemporary) this.#folders.add(wanted);
  }

  /** An operation is over: the folder of what it was to bring is needed by what serves, and by what may come back. */
  releaseFolder(record: ModelRecord<Loaded>, wanted: WantedModel): void {
    const mayComeBack = record.wanted === wanted && wanted.steps.length > 0;
    if (record.source !== wanted && !mayComeBack) this.#discardAfter(wanted, []);
  }

  /** Resolves when all is taken down of what nobody finds now. */
  async idle(): Promise<void> {
    while (this.#leaving.size > 0) await Promise.all(this.#leaving);
  }

  #leave(record: ModelRecord<Loaded>, version: VersionRecord<Loaded>, heir: Loaded | null, reason: string): Gone {
    const { lifecycle } = version;
    if (version.loaded === null) {
      if (lifecycle.state !== 'draining') lifecycle.transition('unloaded', reason);
      return null;
    }
    const gone = this.takeDown(record.name, version.version, version.beginDraining(), heir);
    return gone.then(() => lifecycle.transition('unloaded', reason));
  }

  #discardAfter(wanted: WantedModel | null, gone: readonly Gone[]): void {
    if (wanted === null || !this.#folders.delete(wanted)) return;
    void this.#await(Promise.all(gone).then(() => this.#actions.discard(wanted)));
  }

  #await(work: Promise<void>): Promise<void> {
    const done = work.then(() => {
      this.#leaving.delete(done);
    });
    this.#leaving.add(done);
    return done;
  }
}
