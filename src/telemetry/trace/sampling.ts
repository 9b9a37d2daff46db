import {
  checkTraceSettings,
  maySample,
  patched,
  settingsWith,
  type TraceOverrides,
  type TracePatch,
  type TraceSettings,
} from './settings.js';
import type { TraceScope } from './trace.js';

/**
 * Which requests are traced: the settings of the server and those of models, and how far each has counted. Pure.
 * A model that says nothing itself counts together with the server; one that does counts for itself, as in Triton.
 */
export class Sampling {
  /** False = nothing can be sampled, so that there is nothing to ask. */
  isOn: boolean;
  readonly #atStart: TraceSettings;
  #server: Scope;
  readonly #models = new Map<string, Scope>();

  /** Throws INVALID_ARGUMENT where something would be traced at the start and cannot. */
  constructor(atStart: TraceSettings) {
    checkTraceSettings(atStart);
    this.#atStart = atStart;
    this.#server = new Scope(atStart, {});
    this.isOn = this.#anyIsOn();
  }

  /** False = all requests are counted together, whatever their models. */
  get countsByModel(): boolean {
    return this.#models.size > 0;
  }

  /**
   * True = trace this request. Null = whatever its model, where not `countsByModel`.
   * `isWanted`: its client's span is sampled, so the rate does not count, but the number of traces that are left does.
   */
  take(model: string | null, isWanted: boolean): boolean {
    const scope = this.#scopeOf(model);
    const taken = scope.take(isWanted);
    if (taken && scope.left === 0) this.isOn = this.#anyIsOn();
    return taken;
  }

  /** A request that was taken will not be traced: the next one is, in its place. */
  giveBack(model: string | null): void {
    this.#scopeOf(model).giveBack();
    this.isOn = this.#anyIsOn();
  }

  /** Null = the server. `count` is what is left. */
  settingsOf(model: string | null): TraceSettings {
    return this.#scopeOf(model).now();
  }

  /** Null = the server. Throws INVALID_ARGUMENT, and nothing is changed, where something would be traced and cannot. */
  change(model: string | null, patch: TracePatch): void {
    if (model === null) this.#changeServer(patch);
    else this.#changeModel(model, patch);
    this.isOn = this.#anyIsOn();
  }

  #changeServer(patch: TracePatch): void {
    const server = new Scope(this.#atStart, patched(this.#server.own(), patch));
    checkTraceSettings(server.settings);
    this.#server = server;
    const above = server.now();
    for (const [name, scope] of this.#models) this.#models.set(name, new Scope(above, scope.own()));
  }

  #changeModel(model: string, patch: TracePatch): void {
    const own = patched(this.#models.get(model)?.own() ?? {}, patch);
    const scope = new Scope(this.#server.now(), own);
    checkTraceSettings(scope.settings);
    if (Object.keys(own).length === 0) this.#models.delete(model);
    else this.#models.set(model, scope);
  }

  /** Null = the server. */
  scopeOf(model: string | null): TraceScope {
    return this.#scopeOf(model);
  }

  #scopeOf(model: string | null): Scope {
    // Mostly no model has settings of its own.
    if (model === null || this.#models.size === 0) return this.#server;
    return this.#models.get(model) ?? this.#server;
  }

  #anyIsOn(): boolean {
    return [this.#server, ...this.#models.values()].some((scope) => maySample(scope.now()));
  }
}

/** Settings that requests are counted against. */
class Scope implements TraceScope {
  readonly settings: TraceSettings;
  readonly #own: TraceOverrides;
  /** Traces that are left; -1 = no end. */
  left: number;
  open = 0;
  /** Requests since the last one that was traced for the rate. */
  #passed = 0;

  constructor(above: TraceSettings, own: TraceOverrides) {
    this.settings = settingsWith(above, own);
    this.#own = own;
    this.left = this.settings.count;
  }

  take(isWanted: boolean): boolean {
    const { levels, rate } = this.settings;
    if (levels.length === 0 || this.left === 0) return false;
    if (!isWanted && !this.#isTurn(rate)) return false;
    if (this.left > 0) this.left--;
    return true;
  }

  giveBack(): void {
    if (this.left >= 0) this.left++;
    this.#passed = Math.max(0, this.settings.rate - 1);
  }

  #isTurn(rate: number): boolean {
    this.#passed++;
    if (this.#passed !== rate) return false;
    this.#passed = 0;
    return true;
  }

  now(): TraceSettings {
    return { ...this.settings, count: this.left };
  }

  /** What is left of a count of its own goes on through changes of other fields. */
  own(): TraceOverrides {
    return this.#own.count === undefined ? this.#own : { ...this.#own, count: this.left };
  }
}
