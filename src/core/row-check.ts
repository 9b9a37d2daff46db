import type { Log } from '../base/log.js';
import type { RowPlanes } from '../memory/planes.js';

/** Rows handed out = rows returned, re-proved at every quiet moment. */
export function checkRows(model: string, planes: RowPlanes | null, log: Log): void {
  if (planes === null || planes.live === 0) return;
  log.error(`model '${model}' is idle but ${planes.live} rows were not returned (this is a bug in Conch)`);
}
