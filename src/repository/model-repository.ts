import { nowMs } from '../base/clock.js';
import type { Log } from '../base/log.js';
import { modelConfigFromJson } from '../config/config-from-json.js';
import type { ModelConfig } from '../config/model-config.js';
import { asServerError, invalid, ServerError } from '../types/errors.js';
import { runAgents } from './agents.js';
import { resolveStep, type Step } from './dependencies.js';
import type { ModelManager } from './manager.js';
import type { IndexEntry } from './model-record.js';
import type { LoadFailure, Outcome } from './outcome.js';
import { type LoadOverrides, removeOverrides, writeOverrides } from './overrides.js';
import { withoutClass } from './reason.js';
import {
  changedMs,
  folderOf,
  type ModelEntry,
  type ScanSettings,
  scanNames,
  scanNamesakes,
  scanOneModel,
  scanRepositories,
  TWICE,
} from './scan.js';
import { Settling } from './settling.js';
import { stampOfEntry } from './stamps.js';
import { type UnderstandSettings, understandModel, type WantedModel } from './wanted.js';

/** Who says which models are loaded after the start: nobody, the folders, or requests. */
export type ControlMode = 'none' | 'poll' | 'explicit';

export interface RepositorySettings {
  readonly scan: ScanSettings;
  /** Brings folders of remote repositories to the state of their store, or one model of them; rejects where that cannot be done. */
  readonly sync: (model?: string) => Promise<void>;
  readonly understand: UnderstandSettings;
  readonly mode: ControlMode;
  /** `--load-model`, in mode explicit; `*` alone = all. */
  readonly loadModels: readonly string[];
}

/** The same moment by the clock of files and by the one that is never set. */
interface Moment {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

interface Load {
  readonly name: string;
  /** The model was unloaded since it began. */
  isOutdated: boolean;
}

/** Files that change for longer than this are never loaded. */
const LONGEST_UNREST_MS = 60_000;

/** The models in the repositories, and which of them are served: at the start, when folders change, and when requests ask for it. */
export class ModelRepository<Loaded extends object> {
  readonly #settings: RepositorySettings;
  readonly #manager: ModelManager<Loaded>;
  readonly #log: Log;
  readonly #settling = new Settling();
  /** What was seen of each model when it was loaded last. */
  readonly #applied = new Map<string, string>();
  #absent: readonly string[] = [];
  /** Why remote repositories could not be had at the last look; '' = they could. */
  #syncProblem = '';
  /** The loads that requests wait for. */
  readonly #loads = new Set<Load>();
  /** Asked for by name, in mode explicit; what is loaded besides is there for ensembles. */
  readonly #explicit = new Set<string>();

  constructor(settings: RepositorySettings, manager: ModelManager<Loaded>, log: Log) {
    this.#settings = settings;
    this.#manager = manager;
    this.#log = log;
  }

  get mode(): ControlMode {
    return this.#settings.mode;
  }

  /** Every model that was to be loaded at the start is there, and nothing failed since. */
  get isComplete(): boolean {
    return this.#absent.length === 0 && this.#manager.isComplete;
  }

  /** Loads what the mode says. Throws for a repository that cannot be read; a model that fails has its reason in the index. */
  async start(): Promise<void> {
    const { scan, mode, loadModels } = this.#settings;
    const isAll = mode !== 'explicit' || loadModels.includes('*');
    const snapshot = await scanRepositories(scan, isAll ? null : loadModels);
    const names = isAll ? [...snapshot.keys()] : [...new Set(loadModels)];
    this.#absent = names.filter((name) => !snapshot.has(name));
    for (const name of this.#absent)
      this.#log.error(`failed to load '${name}': no repository has a model of this name`);
    const entries = names.flatMap((name) => snapshot.get(name) ?? []);
    if (mode === 'explicit') for (const { name } of entries) this.#explicit.add(name);
    await this.#follow(entries);
  }

  /**
   * Loads or reloads a model, before it the steps of an ensemble, and resolves when it serves. Throws with Triton's texts (fact sheet
   * 1.5, 13.2 items 26 to 27); what served before goes on then, but for an ensemble that its steps do not let serve.
   */
  async load(name: string, overrides: LoadOverrides): Promise<void> {
    this.#checkExplicit();
    checkName(folderOf(name, this.#settings.scan));
    const load = { name, isOutdated: false };
    this.#loads.add(load);
    await this.#load(load, overrides).finally(() => this.#loads.delete(load));
  }

  async #load(load: Load, overrides: LoadOverrides): Promise<void> {
    const { name } = load;
    const deadlineMs = nowMs() + LONGEST_UNREST_MS;
    for (;;) {
      const entry = await this.#entryToLoad(name, overrides, deadlineMs);
      const wanted = await this.#understand(entry, overrides.config);
      const steps = await this.#stepsOfLoad(load, wanted, deadlineMs).catch(async (error) => {
        if (entry.isTemporary) await removeOverrides(entry.directory);
        throw error;
      });
      this.#explicit.add(name);
      const [outcome] = (await this.#applyAll([wanted, ...steps])) as [Outcome];
      const isLast = entry.isTemporary || outcome.kind === 'outdated' || nowMs() > deadlineMs;
      if (isLast || (await this.#areStill([entry, ...steps.flatMap(({ source }) => source ?? [])])))
        return throwUnlessServed(name, outcome, wanted);
      this.#log.warning(`the files of model '${name}' changed while it was loaded: it is loaded again`);
    }
  }

  /**
   * Nobody finds the model from now on; it finishes what it has. Unknown models are fine. Throws UNAVAILABLE as `load`.
   * @param withSteps also unloads what was loaded only because of it, and is needed by nobody else (fact sheet 1.5)
   */
  unload(name: string, withSteps: boolean): void {
    this.#checkExplicit();
    const steps = withSteps ? this.#manager.needsOf(name) : [];
    this.#explicit.delete(name);
    this.#applied.delete(name);
    for (const load of this.#loads) if (load.name === name) load.isOutdated = true;
    this.#manager.unload(name);
    for (const step of steps) {
      if (!this.#explicit.has(step) && this.#manager.dependentsOf(step).length === 0) this.unload(step, true);
    }
  }

  /** What the server knows of every version, and the names of what it knows nothing of; by name, then version. */
  async index(readyOnly: boolean): Promise<IndexEntry[]> {
    const known = this.#manager.index();
    if (readyOnly) return known.filter(({ state }) => state === 'READY');
    const names = new Set(known.map(({ name }) => name));
    const others = (await scanNames(this.#settings.scan)).filter((name) => !names.has(name));
    return [...known, ...others.map((name) => ({ name }))].sort(byName);
  }

  /**
   * Looks at the folders once, and loads, reloads and unloads what has changed and settled; does not wait for that. Resolves with how long to
   * wait for what has not, milliseconds; 0 = there is nothing. Never rejects: a repository that cannot be read changes nothing.
   */
  async poll(): Promise<number> {
    await this.#syncAll();
    try {
      const began = now();
      return this.#compare(await scanRepositories(this.#settings.scan), began);
    } catch (error) {
      this.#log.error(
        `the model repositories cannot be looked at: ${asServerError(error)}; all models stay as they are`,
      );
      return 0;
    }
  }

  /** What cannot be had is said once, and stays as it is. */
  async #syncAll(): Promise<void> {
    const problem = await this.#settings.sync().then(
      () => '',
      (error) => asServerError(error).toString(),
    );
    if (problem !== '' && problem !== this.#syncProblem)
      this.#log.warning(`${problem}; what is here already stays as it is`);
    if (problem === '' && this.#syncProblem !== '') this.#log.info('the model repositories can be had again');
    this.#syncProblem = problem;
  }

  #compare(snapshot: ReadonlyMap<string, ModelEntry>, began: Moment): number {
    let waitMs = 0;
    const changed: ModelEntry[] = [];
    for (const name of new Set([...this.#applied.keys(), ...snapshot.keys()])) {
      const entry = snapshot.get(name);
      const stamp = entry === undefined ? '' : stampOfEntry(entry);
      if (stamp === (this.#applied.get(name) ?? '')) {
        this.#settling.forget(name);
        continue;
      }
      const unsettledMs = this.#unsettledMs(name, entry, stamp, began);
      if (unsettledMs > 0) waitMs = waitMs === 0 ? unsettledMs : Math.min(waitMs, unsettledMs);
      else if (entry === undefined) this.#forget(name);
      else changed.push(entry);
    }
    if (changed.length > 0) void this.#follow(changed);
    return waitMs;
  }

  #forget(name: string): void {
    this.#applied.delete(name);
    this.#log.info(`model '${name}' is gone from its repository: it is unloaded`);
    this.#manager.forget(name);
  }

  /** Brings models to what their folders are; in mode explicit the steps of ensembles too. */
  async #follow(entries: readonly ModelEntry[]): Promise<void> {
    const stamps = new Map(entries.map((entry) => [entry.name, stampOfEntry(entry)]));
    for (const [name, stamp] of stamps) this.#applied.set(name, stamp);
    const models = await Promise.all(entries.map((entry) => this.#understand(entry, null)));
    const find = async (step: Step, model: WantedModel) => this.#entryOfStep(step, model);
    const steps = this.mode === 'explicit' ? await this.#stepsBelow(models, find) : [];
    // Agents take their time, and a model may be another or gone by now.
    const current = models.filter(({ name }) => this.#applied.get(name) === stamps.get(name));
    await this.#applyAll([...current, ...steps]);
  }

  #applyAll(models: readonly WantedModel[]): Promise<Outcome[]> {
    for (const note of models.flatMap(({ notes }) => notes)) this.#log.warning(note);
    return this.#manager.applyAll(models);
  }

  /** What the models need that is not among them, and what that needs. What came with a load request stays as it is. */
  async #stepsBelow(
    models: readonly WantedModel[],
    find: (step: Step, model: WantedModel) => Promise<ModelEntry | null>,
  ): Promise<WantedModel[]> {
    const all = new Map(models.map((model) => [model.name, model]));
    for (const model of all.values()) {
      for (const step of model.steps) {
        const entry = await find(step, model);
        if (entry === null || all.has(entry.name) || this.#manager.isOverridden(entry.name)) continue;
        all.set(entry.name, await this.#understand(entry, null));
      }
    }
    return [...all.values()].slice(models.length);
  }

  /** Throws where the load is out of date, or where what it needs never settles. */
  async #stepsOfLoad(load: Load, wanted: WantedModel, deadlineMs: number): Promise<WantedModel[]> {
    const steps = await this.#stepsBelow([wanted], (step, model) => this.#stepToLoad(step, model, deadlineMs));
    if (load.isOutdated) throw outdated();
    return steps;
  }

  /** Null = no repository has it, or several have. */
  async #entryOfStep(step: Step, { namespace }: WantedModel): Promise<ModelEntry | null> {
    const found = await scanNamesakes(step.name, this.#settings.scan);
    const name = resolveStep(step, namespace, found);
    return name === null ? null : found.get(name)!;
  }

  async #stepToLoad(step: Step, model: WantedModel, deadlineMs: number): Promise<ModelEntry | null> {
    await this.#settings.sync(step.name).catch((error) => {
      this.#log.warning(`step '${step.name}' of '${model.name}' is taken as it is here: ${asServerError(error)}`);
    });
    return this.#settled(step.name, deadlineMs, () => this.#entryOfStep(step, model));
  }

  /** What the request brought along, or what is in the repositories when it has settled. */
  async #entryToLoad(name: string, overrides: LoadOverrides, deadlineMs: number): Promise<ModelEntry> {
    if (overrides.files.size > 0) {
      if (overrides.config !== null) return writeOverrides(name, overrides.files);
      this.#log.error(`load of '${name}': Load parameter 'config' must be specified for model file override`);
      throw notPolled(name);
    }
    await this.#settings.sync(name).catch((error) => {
      throw notPolled(name, `: ${asServerError(error).message}`);
    });
    const entry = await this.#settled(name, deadlineMs, () => scanOneModel(name, this.#settings.scan));
    if (entry !== null) return entry;
    this.#log.error(`failed to load '${name}': no repository has a model of this name`);
    throw notPolled(name);
  }

  /** Looks until what is found has settled. Throws UNAVAILABLE where it does not in time. */
  async #settled(name: string, deadlineMs: number, look: () => Promise<ModelEntry | null>): Promise<ModelEntry | null> {
    for (;;) {
      const began = now();
      const entry = await look();
      const waitMs = entry === null ? 0 : this.#unsettledMs(entry.name, entry, stampOfEntry(entry), began);
      if (waitMs === 0) return entry;
      if (nowMs() > deadlineMs) {
        throw new ServerError(
          'UNAVAILABLE',
          `failed to load '${name}': its files have been changing for ${LONGEST_UNREST_MS / 1000} s; load it when they are complete`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }

  /** @param began when the look did that saw the entry: a file may be written while this process waits for the processor */
  #unsettledMs(name: string, entry: ModelEntry | undefined, stamp: string, began: Moment): number {
    const ageMs = entry === undefined ? 0 : began.wallMs - changedMs(entry);
    return this.#settling.waitMs(name, stamp, ageMs, { beganMs: began.monotonicMs, endedMs: nowMs() });
  }

  async #areStill(entries: readonly ModelEntry[]): Promise<boolean> {
    const isStill = async (entry: ModelEntry) => {
      const now = await scanOneModel(entry.name, this.#settings.scan);
      return now !== null && stampOfEntry(now) === stampOfEntry(entry);
    };
    return (await Promise.all(entries.map(isStill))).every((it) => it);
  }

  /** @param json a configuration instead of that of the entry */
  async #understand(entry: ModelEntry, json: string | null): Promise<WantedModel> {
    const { understand } = this.#settings;
    let override: ModelConfig | null = null;
    try {
      override = json === null ? null : modelConfigFromJson(json);
    } catch (error) {
      const problem = `Invalid config override: ${asServerError(error).message}`;
      return understandModel({ ...entry, problem }, understand);
    }
    const wanted = understandModel(entry, understand, override);
    if (wanted.config === null) return wanted;
    try {
      await runAgents(wanted.config, wanted.directory);
      return wanted;
    } catch (error) {
      return understandModel({ ...entry, problem: asServerError(error).toString() }, understand);
    }
  }

  #checkExplicit(): void {
    if (this.#settings.mode === 'explicit') return;
    throw new ServerError('UNAVAILABLE', 'explicit model load / unload is not allowed if polling is enabled');
  }
}

/** A name becomes part of a path. Dots beside other characters lead nowhere, and Triton takes `m..1` (its QA says so). */
function checkName(name: string): void {
  if (name.trim() === '') throw invalid('Model name cannot be empty. Please enter a valid name to deploy.');
  if (!/[/\\\0]/.test(name) && !['.', '..'].includes(name.trim())) return;
  throw invalid(`invalid model name '${name}', model name must not contain path traversal characters`);
}

function throwUnlessServed(name: string, outcome: Outcome, { blocksReadiness }: WantedModel): void {
  switch (outcome.kind) {
    case 'served':
      return;
    case 'outdated':
      throw outdated();
    case 'failed': {
      const clause = ({ version, reason }: LoadFailure) => `version ${version} is at UNAVAILABLE state: ${reason};\n`;
      throw invalid(`load failed for model '${name}': ${outcome.failures.map(clause).join('')}`);
    }
    case 'unfit':
      throw invalid(`load failed for model '${name}': ${withoutClass(outcome.problem)}\n`);
    case 'refused':
      if (!blocksReadiness || outcome.problem === TWICE) throw notPolled(name, `: ${outcome.problem}`);
      throw invalid(`load failed for model '${name}': ${withoutClass(outcome.problem)}\n`);
  }
}

function outdated(): ServerError {
  const text = 'Newer operation has been applied to the model lifecycle, current load operation is out-dated.';
  return new ServerError('INTERNAL', text);
}

function notPolled(name: string, why = ''): ServerError {
  return new ServerError('INTERNAL', `failed to load '${name}', failed to poll from model repository${why}`);
}

function byName(a: IndexEntry, b: IndexEntry): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return Number(a.version ?? 0) - Number(b.version ?? 0);
}

function now(): Moment {
  return { wallMs: Date.now(), monotonicMs: nowMs() };
}
