import { defaultOptions } from './default-options.js';
import { type Progress, silentProgress } from './measure/progress.js';
import type { LoadOptions } from './options.js';
import type { LoadReport } from './report.js';
import { runLoad as run } from './run-load.js';
import { partsOf } from './run-parts.js';

export type { Load } from './load.js';
export type { Moment, Progress } from './measure/progress.js';
export type { LoadOptions, LoadPlan } from './options.js';
export type { Distribution, LoadReport, LoadResult, ServerShare, TimePoint } from './report.js';

type Group = 'data' | 'measurement' | 'sequences';

/** As `LoadOptions`; what is left out is as `conch bench` has it without flags. */
export type RunOptions = { readonly model: string } & Partial<Omit<LoadOptions, Group>> & {
    readonly [Name in Group]?: Partial<LoadOptions[Name]>;
  };

export interface RunControl {
  /** Aborted = what was measured so far is the report, with `isPartial`. */
  readonly signal?: AbortSignal;
  readonly progress?: Progress;
}

/**
 * Measures a model as `conch bench` does, and resolves with what it found out.
 * Rejects with an error in words where nothing can be measured: the server cannot be reached, has no such model, the data do not fit. What
 * goes wrong later (the server dies) ends the run: the report has what was measured, and `isPartial`.
 */
export async function runLoad(options: RunOptions, control: RunControl = {}): Promise<LoadReport> {
  const complete: LoadOptions = {
    ...defaultOptions,
    ...options,
    data: { ...defaultOptions.data, ...options.data },
    measurement: { ...defaultOptions.measurement, ...options.measurement },
    sequences: { ...defaultOptions.sequences, ...options.sequences },
  };
  const { report } = await run(complete, partsOf(complete), {
    signal: control.signal ?? new AbortController().signal,
    progress: control.progress ?? silentProgress,
    command: '',
  });
  return report;
}
