import type { Clock } from '../../src/base/clock.js';
import type { DataSet } from './data/data-set.js';
import { notesForModel, refuseForModel } from './for-model.js';
import type { LoadGenerator } from './generator/load-generator.js';
import { buildResult } from './measure/build-result.js';
import { type Ending, LoadMeasurer } from './measure/load-measurer.js';
import type { Observer } from './measure/observer.js';
import type { Progress } from './measure/progress.js';
import { Interrupted } from './measure/run-end.js';
import type { LoadOptions } from './options.js';
import type { LoadReport, LoadResult } from './report.js';
import { bestOf, isWithinLimit } from './search/best.js';
import { countLoads, maxInFlight, nextLoad, type PlannedLoad } from './search/next-load.js';
import { type PlanContent, PlanFileError, parseIntervals, parseProfile } from './search/plan-content.js';
import type { Target, TargetModel } from './target/target.js';

/** What a run is made of. Whoever makes a part, closes it: `runLoad` calls `close` of each once, in the opposite order. */
export interface RunParts {
  readonly clock: Clock;
  now(): Date;
  readText(file: string): Promise<string>;
  connect(options: LoadOptions): Promise<Target> | Target;
  loadData(options: LoadOptions, model: TargetModel): Promise<DataSet>;
  openGenerator(setting: GeneratorSetting): Promise<LoadGenerator>;
  observe(setting: Omit<GeneratorSetting, 'data'>): Promise<ClosableObserver>;
}

export interface ClosableObserver extends Observer {
  /** @returns what could not be seen, for the user */
  close(): readonly string[];
}

export interface GeneratorSetting {
  readonly options: LoadOptions;
  readonly target: Target;
  readonly model: TargetModel;
  readonly data: DataSet;
}

export interface RunHooks {
  /** Aborted by Ctrl-C: what was measured so far is the report, with `isPartial`. */
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** As typed, for the report. */
  readonly command: string;
}

export interface LoadRun {
  readonly report: LoadReport;
  /** What ended the run before all was measured, in a sentence; null = nothing, or the user. */
  readonly trouble: string | null;
  /** What else did not work, or had no effect, each in a sentence. */
  readonly notes: readonly string[];
}

/** What the last steps of sequences get, when all is measured. */
const END_SEQUENCES_MS = 2000;

/** The model must be ready after so long. */
const READY_TIMEOUT_MS = 10_000;

/**
 * Measures all loads that the options ask for.
 * Rejects with a named error where nothing can be measured: the server cannot be reached, has no such model, the data do not fit. Once loads
 * are measured, what goes wrong is `trouble`, and what was measured is reported. Rejects with `Interrupted` where the user ends it before.
 */
export async function runLoad(options: LoadOptions, parts: RunParts, hooks: RunHooks): Promise<LoadRun> {
  const content = await readPlan(options, parts);
  const startedAt = parts.now().toISOString();
  const opened = new Opened();
  try {
    const target = await opened.addWhenThere(parts.connect(options), hooks.signal);
    const { server, model, data } = await unlessAborted(hooks.signal, prepare(options, parts, target));
    const generator = opened.add(await parts.openGenerator({ options, target, model, data }));
    const observer = await opened.addWhenThere(parts.observe({ options, target, model }), hooks.signal);
    const course = { options, parts, hooks, content, model, generator, observer };
    const { results, ending } = await measureAll(course);
    hooks.progress.close();
    return {
      report: reportOf({
        options,
        hooks,
        startedAt,
        server,
        model,
        results,
        isPartial: isPartial(course, results, ending),
      }),
      trouble: troubleOf(ending),
      notes: [...notesForModel(options, model), ...(await opened.close())],
    };
  } finally {
    hooks.progress.close();
    await opened.close();
  }
}

async function prepare(options: LoadOptions, parts: RunParts, target: Target) {
  const server = await target.server();
  await target.awaitReady(options.model, options.modelVersion, READY_TIMEOUT_MS);
  const model = await target.model(options.model, options.modelVersion);
  const refusal = refuseForModel(options, model);
  if (refusal !== null) throw new Error(refusal);
  if (options.trace !== null) await target.setTrace(options.model, options.trace);
  return { server, model, data: await parts.loadData(options, model) };
}

/** What the promise says; rejects with `Interrupted` as soon as the signal is aborted. */
function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = () => reject(new Interrupted());
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', end));
  });
}

type Closable = { close(): unknown };

/** What a run has opened. */
class Opened {
  readonly #items: Closable[] = [];

  add<T extends Closable>(item: T): T {
    this.#items.push(item);
    return item;
  }

  /** Rejects with `Interrupted` as soon as the signal is aborted; what comes later is closed at once, as nobody will know of it. */
  async addWhenThere<T extends Closable>(coming: Promise<T> | T, signal: AbortSignal): Promise<T> {
    const promise = Promise.resolve(coming);
    try {
      return this.add(await unlessAborted(signal, promise));
    } catch (error) {
      if (error instanceof Interrupted) promise.then((late) => late.close()).catch(() => {});
      throw error;
    }
  }

  /** The last opened first, each once. @returns what did not work, for the user */
  async close(): Promise<string[]> {
    const notes: string[] = [];
    for (let item = this.#items.pop(); item !== undefined; item = this.#items.pop()) {
      try {
        const said = await item.close();
        if (Array.isArray(said)) notes.push(...said);
      } catch (error) {
        notes.push((error as Error).message);
      }
    }
    return notes;
  }
}

interface Course {
  readonly options: LoadOptions;
  readonly parts: RunParts;
  readonly hooks: RunHooks;
  readonly content: PlanContent;
  readonly model: TargetModel;
  readonly generator: LoadGenerator;
  readonly observer: Observer;
}

async function measureAll(course: Course): Promise<{ results: LoadResult[]; ending: Ending }> {
  const { options, parts, hooks, generator, observer } = course;
  const measurer = new LoadMeasurer({
    generator,
    observer,
    clock: parts.clock,
    signal: hooks.signal,
    progress: hooks.progress,
    options: options.measurement,
    requestTimeoutMs: options.requestTimeoutMs,
  });
  const results: LoadResult[] = [];
  let ending: Ending = { kind: 'done' };
  for (let next = nextOf(course, results); next !== null; next = nextOf(course, results)) {
    hooks.progress.begin(next.name, results.length, countLoads(options.loads));
    const { loads } = options;
    const { measured, ending: how } =
      loads.kind === 'periodic'
        ? await measurer.measureRamp(loads.range, loads.period)
        : await measurer.measure(next.load);
    if (measured !== null) results.push(buildResult(subjectOf(course, next), measured));
    ending = how;
    if (how.kind !== 'done') break;
  }
  if (course.model.scheduler === 'sequence') await endSequences(course);
  // Nothing measured and a broken generator: there is no report to put the error beside.
  if (ending.kind === 'broken' && results.length === 0) throw ending.error;
  return { results, ending };
}

/** Else the server would keep them until they have been idle for long, and the next run would meet them. */
async function endSequences({ generator, parts }: Course): Promise<void> {
  await new Promise<void>((resolve) => {
    const cancel = parts.clock.after(END_SEQUENCES_MS * 1000, resolve);
    const end = () => {
      cancel();
      resolve();
    };
    // A generator that is broken ends none.
    generator.drain().then(end, end);
  });
}

function nextOf({ options, content, model }: Course, results: readonly LoadResult[]): PlannedLoad | null {
  const { percentile, latencyLimitUs } = options.measurement;
  const measured = results.map((result) => ({
    load: result.load,
    isWithinLimit: isWithinLimit(result, percentile, latencyLimitUs),
  }));
  const most = maxInFlight(options, model.scheduler === 'sequence');
  return nextLoad(options.loads, content, options.data.seed, measured, most);
}

function subjectOf({ options, model }: Course, { load, name }: PlannedLoad) {
  const { percentile } = options.measurement;
  return { load, name, batchSize: options.batchSize, isDecoupled: model.isDecoupled, percentile };
}

/** A load that failed as a whole may have been the last; one that ceased to be answered was cut short. */
function isPartial(course: Course, results: readonly LoadResult[], { kind }: Ending): boolean {
  if (kind !== 'silent') return kind !== 'done';
  return results.at(-1)!.requests > 0 || nextOf(course, results) !== null;
}

function troubleOf(ending: Ending): string | null {
  if (ending.kind === 'silent') return ending.message;
  return ending.kind === 'broken' ? ending.error.message : null;
}

async function readPlan({ loads }: LoadOptions, { readText }: RunParts): Promise<PlanContent> {
  if (loads.kind !== 'intervals' && loads.kind !== 'profile') return { kind: 'none' };
  const { kind, file } = loads;
  const text = await readText(file).catch((error: Error) => {
    throw new PlanFileError(file, '', `cannot be read: ${error.message}`);
  });
  return kind === 'intervals' ? parseIntervals(file, text) : parseProfile(file, text);
}

function reportOf(about: {
  readonly options: LoadOptions;
  readonly hooks: RunHooks;
  readonly startedAt: string;
  readonly server: { readonly name: string; readonly version: string };
  readonly model: TargetModel;
  readonly results: readonly LoadResult[];
  readonly isPartial: boolean;
}): LoadReport {
  const { options, model, server, results } = about;
  const { percentile, latencyLimitUs } = options.measurement;
  return {
    format: 'conch-bench-1',
    startedAt: about.startedAt,
    label: options.label === '' ? model.name : options.label,
    command: about.hooks.command,
    server: { name: server.name, version: server.version, protocol: protocolOf(options), url: urlOf(options) },
    model: {
      name: model.name,
      version: model.version,
      platform: model.platform,
      scheduler: model.scheduler,
      isDecoupled: model.isDecoupled,
    },
    batchSize: options.batchSize,
    percentile,
    latencyLimitUs,
    results,
    best: bestOf(results, percentile, latencyLimitUs),
    isPartial: about.isPartial,
  };
}

function protocolOf({ inProcess, protocol, streaming }: LoadOptions): string {
  if (inProcess !== null) return 'in-process';
  return streaming ? `${protocol}-stream` : protocol;
}

function urlOf({ inProcess, protocol, url }: LoadOptions): string {
  if (inProcess !== null || url !== '') return inProcess !== null ? '' : url;
  return protocol === 'grpc' ? 'localhost:8001' : 'localhost:8000';
}
