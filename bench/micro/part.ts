/** One small thing whose time is measured. Its name is what comparisons of revisions know it by: it stays when the code behind it changes. */
export interface Part {
  /** `group/what`, where the group is the name of its file. */
  readonly name: string;
  /** What one operation is. */
  readonly about: string;
  /** Makes what it needs, does it once and looks at the result: throws where that is wrong. */
  setUp(): Running | Promise<Running>;
}

/** A part that is ready. Its results are numbers and are all added up, so that no compiler can leave the work out. */
export type Running = Stepping | Bursting;

/** One operation at a time. */
export interface Stepping {
  /** @param nth of the operations of this sample, from 0 */
  readonly step: (nth: number) => number;
  readonly tearDown?: () => Promise<void>;
}

/** Operations that end later than they begin: `count` of them. */
export interface Bursting {
  readonly burst: (count: number) => Promise<number>;
  readonly tearDown?: () => Promise<void>;
}

/** What a file of `parts/` exports. */
export interface PartFile {
  readonly parts: readonly Part[];
}

/** The files of `parts/`, in the order in which they are run. */
export const partFiles = [
  'http1',
  'json',
  'memory',
  'scheduler',
  'ring',
  'grpc',
  'hpack',
  'http2',
  'statistics',
  'trace',
] as const;
