import type { WantedModel, WantedVersion } from './wanted.js';

/** What the manager of models does with what it loads, of which it knows nothing else. */
export interface ManagerActions<Loaded> {
  /**
   * @param signal aborted when nobody wants the result any more; what comes nevertheless is unloaded
   * @param steps what `model.steps` are now, one each. They may be replaced and unloaded while the result lives: it keeps them from their end
   */
  load(model: WantedModel, version: WantedVersion, signal: AbortSignal, steps: readonly Loaded[]): Promise<Loaded>;
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
