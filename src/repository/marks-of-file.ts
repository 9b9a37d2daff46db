import { completeConfig } from '../config/complete.js';
import { type Mark, markValues } from '../config/marks.js';
import type { ModelConfig } from '../config/model-config.js';
import { type Machine, normalizeConfig } from '../config/normalize.js';
import { parseWithSource } from '../config/pbtxt.js';
import type { ModelEntry } from './scan.js';
import { firstByName } from './wanted.js';

/** Where each value of a configuration that is served comes from. `entry` is the folder that it was made from. */
export function marksOfFile(effective: ModelConfig, entry: ModelEntry, machine: Machine): Map<string, Mark> {
  const { config: written, source } = parseWithSource(entry.configText, entry.configFile);
  const completed = completeConfig(written, entry.folder, firstByName(entry.versions)?.entries ?? []);
  return markValues({ written, completed, normalized: normalizeConfig(completed, machine), effective }, source);
}
