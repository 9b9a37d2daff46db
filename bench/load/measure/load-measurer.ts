import type { Clock } from '../../../src/base/clock.js';
import type { LoadGenerator } from '../generator/load-generator.js';
import type { Load } from '../load.js';
import type { MeasurementOptions, Range } from '../options.js';
import type { Measured } from './build-result.js';
import type { Look, Observer } from './observer.js';
import type { Moment, Progress } from './progress.js';
import { Interrupted, RunEnd } from './run-end.js';
import { judge, STABLE_WINDOWS, type Trial, trialOf } from './stability.js';
import type { Window } from './window.js';
import { describeSilence, lengthOfMs, meanOfLastPieceUs } from './window-facts.js';

export interface MeasurerParts {
  readonly generator: LoadGenerator;
  readonly observer: Observer;
  readonly clock: Clock;
  /** Aborted = the user wants to see what there is. */
  readonly signal: AbortSignal;
  readonly progress: Progress;
  readonly options: MeasurementOptions;
  readonly requestTimeoutMs: number;
}

/** What came of one load. `measured` null = nothing at all was seen. */
export interface MeasuredLoad {
  readonly measured: Measured | null;
  readonly ending: Ending;
}

/** `silent`: a window without a good answer: nothing better is to be expected of further loads. */
export type Ending =
  | { readonly kind: 'done' }
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'silent'; readonly message: string }
  | { readonly kind: 'broken'; readonly error: Error };

/** Instead of a look that failed. */
const unseen: Look = { counters: null, process: null, metrics: null };

/** Between two looks at a clock or a count. */
const TICK_MS = 200;
const SHORT_TICK_MS = 5;
/** Of what is to be waited for, where all but the last answers are there. */
const NOT_QUITE = 0.999;

/**
 * Measures loads, one after another, without a pause between them: tells the generator what to send, waits, takes windows. What windows
 * mean is decided elsewhere (`judge`, `buildResult`).
 */
export class LoadMeasurer {
  readonly #parts: MeasurerParts;
  readonly #end: RunEnd;
  #windows: Window[] = [];
  #looks: Look[] = [];
  #meanUs = 0;
  /** For so long no good answer had come when the last wait was given up; 0 = it was not. */
  #silentMs = 0;
  #answersPerSecond = 0;

  constructor(parts: MeasurerParts) {
    this.#parts = parts;
    this.#end = new RunEnd(parts.clock, parts.signal, parts.generator.broken);
  }

  /** Never rejects: what went wrong is in `ending`. */
  measure(load: Load): Promise<MeasuredLoad> {
    return this.#record(() => {
      const { requestCount } = this.#parts.options;
      const endsItself = requestCount > 0 || lengthOfMs(load) > 0;
      return endsItself ? this.#wholeLoad(load, requestCount) : this.#untilStable(load);
    });
  }

  /**
   * One window in which concurrency grows from `start` to `end`: by `step` whenever, since it grew last, as many requests were answered as
   * `period` for each that is in flight. (Lanes of a closed load take turns evenly, so that those added last have had about `period` each.)
   * The last level goes on until it has had its answers too.
   */
  measureRamp(range: Range, period: number): Promise<MeasuredLoad> {
    return this.#record(async () => {
      const { generator } = this.#parts;
      await this.#anew({ kind: 'closed', concurrency: range.start }, 0);
      for (let level = range.start, index = 1; ; index += 1) {
        await this.#awaitAnswers(period * level, 'window', index);
        if (level >= range.end || this.#silentMs > 0) break;
        level = Math.min(level + range.step, range.end);
        await this.#end.guard(generator.start({ kind: 'closed', concurrency: level }, 0));
      }
      await this.#keep(generator.drain());
      return true;
    });
  }

  async #record(run: () => Promise<boolean>): Promise<MeasuredLoad> {
    this.#windows = [];
    this.#looks = [];
    try {
      const isStable = await run();
      return { measured: this.#measured(isStable), ending: { kind: 'done' } };
    } catch (error) {
      const ending = await this.#endingOf(error);
      return { measured: this.#measured(false), ending };
    }
  }

  async #endingOf(error: unknown): Promise<Ending> {
    if (error instanceof Silent) return { kind: 'silent', message: error.message };
    if (!(error instanceof Interrupted)) return { kind: 'broken', error: error as Error };
    const hasBegun = this.#looks.length > this.#windows.length;
    if (hasBegun) await this.#keepRest().catch(() => {});
    return { kind: 'interrupted' };
  }

  /** Of the window that the user cut short. */
  async #keepRest(): Promise<void> {
    const { generator, observer } = this.#parts;
    const window = await Promise.race([generator.take(), generator.broken]);
    if (window.requests === 0) return;
    this.#looks.push(await observer.look().catch(() => unseen));
    this.#windows.push(window);
  }

  #measured(isStable: boolean): Measured | null {
    const windows = this.#windows.slice(-STABLE_WINDOWS);
    if (windows.length === 0) return null;
    const first = this.#windows.length - windows.length;
    return { windows, looks: this.#looks.slice(first, this.#windows.length + 1), isStable };
  }

  async #untilStable(load: Load): Promise<boolean> {
    const { options, generator } = this.#parts;
    await this.#end.guard(generator.start(load, 0));
    await this.#warmUp();
    await this.#end.guard(generator.take());
    await this.#look();
    const trials: Trial[] = [];
    for (;;) {
      await this.#awaitWindow(trials.length + 1);
      const window = await this.#keep(generator.take());
      trials.push(trialOf(window, options.percentile));
      const verdict = judge(trials, options);
      if (verdict !== 'more') return verdict === 'stable';
    }
  }

  /**
   * One window with all of a load that ends by itself: with its last request, or its profile. What is late then still leaves, and all is answered: a
   * server that could not keep up shows it.
   */
  async #wholeLoad(load: Load, requestLimit: number): Promise<boolean> {
    const { generator } = this.#parts;
    const answeredBefore = await this.#anew(load, requestLimit);
    const lengthMs = lengthOfMs(load);
    const done = (elapsedMs: number, answers: number) =>
      requestLimit > 0 ? answers / requestLimit : elapsedMs / lengthMs;
    const fraction = (elapsedMs: number, answers: number) =>
      generator.isOver && elapsedMs >= lengthMs ? 1 : Math.min(done(elapsedMs, answers), NOT_QUITE);
    await this.#wait('window', 1, fraction, lengthMs, answeredBefore);
    await this.#keep(generator.drain());
    return true;
  }

  /**
   * Starts a load whose beginning belongs to the window: after a warm-up, which ends with nothing in flight.
   * @returns how many were answered before: as soon as it runs, some may be
   */
  async #anew(load: Load, requestLimit: number): Promise<number> {
    const { generator, options } = this.#parts;
    if (options.warmupMs > 0 || options.warmupRequests > 0) {
      await this.#end.guard(generator.start(load, 0));
      await this.#warmUp();
      await this.#end.guard(generator.drain());
    }
    await this.#look();
    const answeredBefore = generator.answered;
    await this.#end.guard(generator.start(load, requestLimit));
    return answeredBefore;
  }

  async #warmUp(): Promise<void> {
    const { warmupMs, warmupRequests } = this.#parts.options;
    if (warmupRequests > 0) await this.#awaitAnswers(warmupRequests, 'warm-up', 1);
    if (warmupMs > 0) await this.#wait('warm-up', 1, (elapsedMs) => elapsedMs / warmupMs, warmupMs);
  }

  async #look(): Promise<void> {
    this.#looks.push(await this.#end.guard(this.#parts.observer.look()));
  }

  async #keep(taken: Promise<Window>): Promise<Window> {
    const window = await this.#end.guard(taken);
    // A server that cannot be asked any more does not take away what was measured.
    this.#looks.push(await this.#end.guard(this.#parts.observer.look().catch(() => unseen)));
    this.#windows.push(window);
    this.#meanUs = meanOfLastPieceUs(window);
    if (window.requests === 0 || this.#silentMs > 0) throw new Silent(describeSilence(window, this.#silentMs));
    return window;
  }

  #awaitWindow(index: number): Promise<void> {
    const { mode, intervalMs, windowRequests } = this.#parts.options;
    if (mode === 'count_windows') return this.#awaitAnswers(windowRequests, 'window', index);
    // A window without any answer goes on, until silence ends it: the model may take longer than a window.
    const fraction = (elapsedMs: number, answers: number) => (answers > 0 ? elapsedMs / intervalMs : 0);
    return this.#wait('window', index, fraction, intervalMs);
  }

  #awaitAnswers(count: number, stage: Moment['stage'], window: number, answeredBefore?: number): Promise<void> {
    return this.#wait(stage, window, (_, answers) => answers / count, 0, answeredBefore);
  }

  /**
   * Returns when the fraction is 1, or when no good answer came for so long that every request in flight must have timed out.
   * @param aboutMs after which it can be 1 at the earliest; 0 = at any time
   */
  async #wait(
    stage: Moment['stage'],
    window: number,
    fractionOf: (elapsedMs: number, answers: number) => number,
    aboutMs: number,
    answeredBefore = this.#parts.generator.answered,
  ): Promise<void> {
    const { generator, clock, progress, requestTimeoutMs, options } = this.#parts;
    const silenceMs = 2 * requestTimeoutMs + Math.max(options.intervalMs, aboutMs);
    const beginUs = clock.nowUs();
    let last = { atMs: 0, succeeded: generator.succeeded };
    let shown = { atMs: 0, answers: 0 };
    this.#silentMs = 0;
    for (;;) {
      const elapsedMs = (clock.nowUs() - beginUs) / 1000;
      const answers = generator.answered - answeredBefore;
      const { succeeded } = generator;
      if (succeeded > last.succeeded) last = { atMs: elapsedMs, succeeded };
      if (elapsedMs - shown.atMs >= TICK_MS) {
        this.#answersPerSecond = ((answers - shown.answers) * 1000) / (elapsedMs - shown.atMs);
        shown = { atMs: elapsedMs, answers };
      }
      const fraction = Math.min(fractionOf(elapsedMs, answers), 1);
      progress.tick({ stage, window, fraction, answersPerSecond: this.#answersPerSecond, meanUs: this.#meanUs });
      if (fraction >= 1) return;
      if (elapsedMs - last.atMs >= silenceMs) {
        this.#silentMs = elapsedMs - last.atMs;
        return;
      }
      const leftMs = aboutMs - elapsedMs;
      await this.#end.sleep(leftMs > 0 ? Math.min(TICK_MS, leftMs) : SHORT_TICK_MS);
    }
  }
}

/** A window without a good answer, or that has had none for long. */
class Silent extends Error {}
