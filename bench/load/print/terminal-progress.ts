import cliProgress from 'cli-progress';
import { type Moment, type Progress, silentProgress } from '../measure/progress.js';
import { inMs, shortNumber } from './format.js';

/** A bar on a terminal that somebody looks at; nothing where output goes to a file, a pipe or a CI system. */
export function progressOn(
  stream: NodeJS.WriteStream,
  { isQuiet, isCi }: { readonly isQuiet: boolean; readonly isCi: boolean },
): Progress {
  return stream.isTTY === true && !isQuiet && !isCi ? new TerminalProgress(stream) : silentProgress;
}

class TerminalProgress implements Progress {
  readonly #bar: cliProgress.SingleBar;
  #name = '';
  #hasBegun = false;
  /** Else the terminal would stay without a cursor. */
  readonly #closeAtExit = () => this.close();

  constructor(stream: NodeJS.WriteStream) {
    this.#bar = new cliProgress.SingleBar({
      stream,
      format: '{name}  {stage} [{bar}] {rate}/s  {mean}',
      barsize: 24,
      fps: 5,
      hideCursor: true,
      clearOnComplete: true,
      linewrap: false,
      gracefulExit: false,
    });
  }

  begin(name: string, index: number, of: number | null): void {
    this.#name = of === 1 ? name : `${name} (${index + 1}${of === null ? '' : ` of ${of}`})`;
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    process.once('exit', this.#closeAtExit);
    this.#bar.start(1, 0, { name: this.#name, stage: '', rate: '0', mean: '' });
  }

  tick(moment: Moment): void {
    this.#bar.update(moment.fraction, { name: this.#name, ...shownMoment(moment) });
  }

  close(): void {
    if (this.#hasBegun) this.#bar.stop();
    this.#hasBegun = false;
    process.off('exit', this.#closeAtExit);
  }
}

/** What stands beside the bar. */
export function shownMoment({ stage, window, answersPerSecond, meanUs }: Moment) {
  return {
    stage: stage === 'warm-up' ? stage : `window ${window}`,
    rate: shortNumber(answersPerSecond),
    mean: meanUs === 0 ? '' : `${inMs(meanUs)} ms`,
  };
}
