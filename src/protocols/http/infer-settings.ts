import type { HeaderForward } from '../header-forward.js';

/** What inference over HTTP takes from the command line. */
export interface InferSettings {
  /** `--http-max-input-size`: JSON heads, JSON tensors, raw and decompressed bodies. */
  readonly maxInputBytes: number;
  /** `--server-timing` */
  readonly serverTiming: boolean;
  /** `/api/health` is on this port. */
  readonly v1Health: boolean;
  /** Null = no headers become parameters. */
  readonly forward: HeaderForward | null;
}
