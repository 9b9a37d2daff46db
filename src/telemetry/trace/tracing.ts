import { type ParentContext, readTraceparent } from './parent-context.js';
import { Sampling } from './sampling.js';
import type { TracePatch, TraceSettings } from './settings.js';
import { Trace, type TraceWriter } from './trace.js';

export interface TracingParts {
  readonly settings: TraceSettings;
  readonly writer: TraceWriter;
  /** What clients see beside the settings, by Triton's names: where spans go, in mode opentelemetry. */
  readonly exportSettings: Readonly<Record<string, string>>;
}

/** Traces of requests: which there are, by settings of the server and of models, and who takes them. */
export class Tracing {
  /** Contexts of callers count; of others the headers need not be read. */
  readonly readsParents: boolean;
  readonly exportSettings: Readonly<Record<string, string>>;
  readonly #sampling: Sampling;
  readonly #writer: TraceWriter;

  /** Throws INVALID_ARGUMENT where something would be traced and cannot. */
  constructor({ settings, writer, exportSettings }: TracingParts) {
    this.#sampling = new Sampling(settings);
    this.#writer = writer;
    this.exportSettings = exportSettings;
    this.readsParents = settings.mode === 'opentelemetry';
  }

  /** False = `begin` gives nothing, whatever the request. */
  get isOn(): boolean {
    return this.#sampling.isOn;
  }

  /** False = all requests are counted together: whether one is traced is known before its model is. */
  get countsByModel(): boolean {
    return this.#sampling.countsByModel;
  }

  /**
   * Counts a request; false = it is not traced. `traceOf` or `giveBack` must follow.
   * @param model null = whatever it is, where not `countsByModel`
   */
  take(model: string | null, parentContext: ParentContext | null): boolean {
    return this.#sampling.take(model, this.#parentOf(parentContext)?.isSampled ?? false);
  }

  /** It was taken, and comes to nothing. */
  giveBack(model: string | null): void {
    this.#sampling.giveBack(model);
  }

  /** As `take` and `traceOf`; null = it is not traced. */
  begin(model: string, version: number, requestId: string, parentContext: ParentContext | null): Trace | null {
    return this.take(model, parentContext) ? this.traceOf(model, version, requestId, parentContext) : null;
  }

  /** The trace of a request that was taken, to be ended. A parent that is no W3C Trace Context counts as none. */
  traceOf(model: string, version: number, requestId: string, parentContext: ParentContext | null): Trace {
    const parent = this.#parentOf(parentContext);
    const scope = this.#sampling.scopeOf(model);
    return new Trace(
      this.#writer,
      scope,
      null,
      { name: model, version },
      requestId,
      parent === null ? null : parentContext,
    );
  }

  #parentOf(context: ParentContext | null) {
    return this.readsParents && context !== null ? readTraceparent(context.traceparent) : null;
  }

  /** Null = the server. */
  settingsOf(model: string | null): TraceSettings {
    return this.#sampling.settingsOf(model);
  }

  /** Null = the server. Throws INVALID_ARGUMENT, and nothing is changed, where something would be traced and cannot. */
  change(model: string | null, patch: TracePatch): void {
    this.#sampling.change(model, patch);
    void this.#writer.flush();
  }

  /** Resolves when all traces are written, or cannot be. */
  async close(): Promise<void> {
    await this.#writer.close();
  }
}
