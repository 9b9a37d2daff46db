import { inProcessParts } from './in-process/in-process-parts.js';
import { networkParts } from './network-parts.js';
import type { LoadOptions } from './options.js';
import type { RunParts } from './run-load.js';

/** What a run is made of. */
export function partsOf({ inProcess }: LoadOptions): RunParts {
  return inProcess === null ? networkParts : inProcessParts;
}
